"""What happens in one simulated settlement, drawn from a seed.

First a number of random events: commands of both parties in any order, most of them with a fault,
some twice at once; blocks, reorganisations, a node that forgets what waits. Then nothing fails any
more, and both parties go on until the deal has ended.

A scenario decides who is there, and where the coins of the lock come from. What the parties must
do themselves they do here too: a seller whose key is out watches its claim, so when the blocks run
out that its offer demands, and the claim is nowhere, it runs `redeem` without a fault. Otherwise an
unmined claim can be forgotten by every node, and time passes. Whoever puts back an old copy of a
directory does it when the chain has what was sent since, and runs the command that finds it before
anything else happens; a buyer who asks for a payment by address has asked before the copy was made.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from bitcoin.core import b2lx
from injection import NODE_STATES, Faults
from judge import (
    MAX_FEE_SAT_PER_VB,
    first_reveal,
    judge_command,
    judge_end,
    judge_world,
    lock_spent_by,
    mined_locks,
)
from prepared import CONFIRMATIONS, MIN_BLOCKS_LEFT, START_HEIGHT, TIMEOUT_BLOCKS
from wallet import Wallet
from world import KILLED, Outcome, World

from bitcoin_scripts.chain import txid_of

MAX_STEP = 28
"""As many has a first `redeem`, the longest command; one that has fewer is not killed."""

_MAX_ROUNDS = 4
_BUYER, _SELLER = "buyer", "seller"


@dataclass(frozen=True)
class Kind:
    """A cast: how often each command is given, and how many blocks pass at a time."""

    commands: dict[tuple[str, str], float]
    mining: float
    """How often blocks come in."""

    most_blocks: int
    """How many at a time."""

    seller_returns: bool
    """Whether the seller goes on once nothing fails any more."""


_BUYERS = {(_BUYER, "lock"): 4.0, (_BUYER, "open"): 2.0, (_BUYER, "refund"): 1.0}
_STATUS = {(_BUYER, "status"): 0.4, (_SELLER, "status"): 0.4}

KINDS = {
    "prompt": Kind({**_BUYERS, (_SELLER, "redeem"): 6.0, **_STATUS}, 3.0, 3, True),
    "late seller": Kind({**_BUYERS, (_SELLER, "redeem"): 1.0, **_STATUS}, 5.0, 14, True),
    "no seller": Kind({**_BUYERS, **_STATUS}, 5.0, 14, False),
    "any order": Kind(
        {(p, v): 1.0 for p, v in (*_BUYERS, (_SELLER, "redeem"), *_STATUS)}, 4.0, 7, True
    ),
}
_KIND_WEIGHTS = (5, 3, 3, 3)

WAYS = {"own": 5.0, "external": 2.0, "psbt": 2.0}
"""Where the coins of the lock come from; own ones are the buyer's own wallet's."""

_SECOND_LIVES = {"": 4.0, "copy": 4.0, "lost": 2.0}
"""Whether a party's directory is put back to an older state, or is lost, but for a rescue file."""


class Scenario:
    """A world, and the randomness that drives it."""

    def __init__(self, world: World, seed: int, kind: str = ""):
        self.world = world
        self.rng = random.Random(seed)
        self.name = kind or self.rng.choices(list(KINDS), _KIND_WEIGHTS)[0]
        self.kind = KINDS[self.name]
        # a broken party is judged by what it does with its own coins, and remembers
        self.way = "own" if kind else self._drawn(WAYS)
        self.second_life = "" if kind else self._drawn(_SECOND_LIVES)
        self.wallet = Wallet(world, self.way, self.rng) if self.way != "own" else None
        if self.wallet:
            world.wallet_pays_twice = self.wallet.behaviour == "twice"
            world.counts[f"{self.way}: {self.wallet.behaviour}"] += 1
        self._lost: set[str] = set()

    def play(self) -> str:
        """Run it to its end: the outcome. Raises Violation as soon as a rule is broken."""
        events: list[tuple[Callable[[], None], float]] = [
            (self._faulty_command, 8.0),
            (self._mine_some, self.kind.mining),
            (self._same_at_once, 0.7),
            (self._reorganise, 1.6),
            (self._evict, 1.2),
        ]
        if self.wallet:
            events.append((self.wallet.act, 5.0))
        if self.second_life == "copy":
            events += [(self._copy, 1.5), (self._put_back, 5.0)]
            self._copy()
        if self.second_life == "lost":
            events.append((self._lose, 1.5))
        acts, weights = zip(*events, strict=True)
        self.command(_BUYER, "lock", faults=self._faults())
        if self.kind.seller_returns and self.rng.random() < 0.4:
            self.command(_SELLER, "redeem", faults=self._faults())  # too early
        for _ in range(self.rng.randint(5, 10)):
            self.rng.choices(acts, weights)[0]()
            judge_world(self.world)
        self._finish()
        return judge_end(self.world)

    def command(self, party: str, verb: str, faults: Faults = Faults()) -> Outcome:  # noqa: B008
        """Run one command and judge what it left."""
        (outcome,) = self.world.together((self._with_fee(party, verb), faults))
        self._judge(outcome)
        judge_world(self.world)
        return outcome

    def _judge(self, outcome: Outcome) -> None:
        judge_command(outcome)
        if self.wallet and outcome.code != KILLED:
            self.wallet.read(outcome.out)

    def mine(self, blocks: int) -> None:
        """Blocks come in; a seller whose key is out does not sleep through them."""
        while blocks:
            left = self._blocks_before_the_seller_must_act()
            if left == 0:
                self.command(_SELLER, "redeem")
            step = min(blocks, left or blocks)
            self.world.mine(step)
            blocks -= step

    def _finish(self) -> None:
        """Nothing fails any more; whoever is there goes on until the coins have moved."""
        for _ in range(_MAX_ROUNDS):
            for party in sorted(self._lost):
                if party == _BUYER or self.kind.seller_returns:
                    self.command(party, "recover")
            self._lock_in_peace()
            self.mine(CONFIRMATIONS)
            if self.kind.seller_returns:
                if self.name == "late seller":
                    self.mine(self.rng.randint(1, TIMEOUT_BLOCKS))
                self.command(_SELLER, "redeem")
                if self.rng.random() < 0.3:
                    self._evict()
            self.mine(1)
            opened = self.command(_BUYER, "open").code == 0
            if not opened or not self._has_ended():
                self.mine(TIMEOUT_BLOCKS)
                self.command(_BUYER, "refund")
                self.mine(1)
            if self._has_ended():
                break
        # whatever is repeated after the end changes nothing
        for party, verb in ((_BUYER, "refund"), (_SELLER, "redeem"), (_BUYER, "open")):
            if (party, verb) != (_SELLER, "redeem") or self.kind.seller_returns:
                self.command(party, verb)
        self.mine(1)

    def _lock_in_peace(self) -> None:
        """The lock, and what another wallet has to do for it."""
        self.command(_BUYER, "lock")
        if self.wallet:
            self.wallet.act()
            self.command(_BUYER, "lock")
            self.mine(1)
            self.command(_BUYER, "lock")

    def _due(self) -> tuple[str, str]:
        with self.world.chain() as chain:
            given = [
                each.tx for each in self.world.sent() if chain.get_transaction(txid_of(each.tx))
            ]
            spent = any(lock_spent_by(self.world, tx) for tx in given)
            deep = any(chain.confirmations(txid_of(tx)) >= CONFIRMATIONS for tx in given)
            late = chain.height() >= START_HEIGHT + TIMEOUT_BLOCKS
        if spent:
            return _BUYER, "open"
        if deep:
            return (_BUYER, "refund") if late else (_SELLER, "redeem")
        return _BUYER, "lock"

    def _has_ended(self) -> bool:
        """Whether there was a lock, and a spend of every one is mined."""
        with self.world.chain() as chain:
            locks = mined_locks(self.world, chain)
            spent = {
                (str(b2lx(i.prevout.hash)), i.prevout.n)
                for each in self.world.given()
                if chain.confirmations(txid_of(each.tx))
                for i in each.tx.vin
            }
        return bool(locks) and spent >= set(locks)

    def _blocks_before_the_seller_must_act(self) -> int | None:
        """None when nothing is urgent; 0 when a revealed key's claim is nowhere and time is up."""
        first = first_reveal(self.world.facts, self.world.given())
        lock = first and lock_spent_by(self.world, first.tx)
        if not lock:
            return None
        with self.world.chain() as chain:
            left = lock[2] - MIN_BLOCKS_LEFT - chain.height()
            claimed = any(
                chain.get_transaction(txid_of(each.tx))
                for each in self.world.given()
                if self.world.facts.preimage in each.tx.serialize()
            )
        return None if claimed else max(0, left)

    def _faulty_command(self) -> None:
        (party, verb) = self._drawn_command()
        self.command(party, verb, self._faults())

    def _same_at_once(self) -> None:
        party, verb = self._drawn_command()
        self.world.counts["at once"] += 1
        twice = [(self._with_fee(party, verb), self._faults()) for _ in range(2)]
        for outcome in self.world.together(*twice):
            self._judge(outcome)

    def _mine_some(self) -> None:
        self.mine(self.rng.randint(1, self.kind.most_blocks))

    def _reorganise(self) -> None:
        self.world.counts["reorganisations"] += 1
        self.world.reorganise(self.rng.randint(1, 3), self.rng.random() < 0.4)

    def _evict(self) -> None:
        self.world.counts["evictions"] += 1
        self.world.evict()

    def _copy(self) -> None:
        """Of a buyer that asks for payments by address, only once it has asked."""
        party = self.rng.choice((_BUYER, _SELLER))
        asks = self.wallet is not None and self.wallet.way == "external"
        if party == _SELLER or not asks or self._has_asked():
            self.world.copy(party)

    def _put_back(self) -> None:
        """An old copy, while the chain knows what was sent since, and the command that finds it."""
        parties = [party for party in (_BUYER, _SELLER) if self.world.has_copy(party)]
        party = self.rng.choice(parties or [_SELLER])
        if not parties or not self._chain_knows(party):
            return
        self.world.put_back(party)
        self.command(party, "lock" if party == _BUYER else "redeem")

    def _lose(self) -> None:
        """A machine is gone, and another begins with the rescue file."""
        party = self.rng.choice((_BUYER, _SELLER))
        if party in self._lost or not self.world.lose(party):
            return
        self._lost.add(party)
        self.command(party, "recover", self._faults())
        self.command(party, "recover")

    def _has_asked(self) -> bool:
        return any((self.world.root / _BUYER / "deals").glob("*/funding"))

    def _chain_knows(self, party: str) -> bool:
        """Whether the chain has the locks that were sent, or the claims of a key that is out."""
        facts = self.world.facts
        with self.world.chain() as chain:
            if party == _BUYER:
                sent = [
                    each.tx
                    for each in self.world.sent()
                    if any(bytes(o.scriptPubKey) in facts.locks for o in each.tx.vout)
                ]
            else:
                sent = [e.tx for e in self.world.given() if facts.preimage in e.tx.serialize()]
            return not sent or any(chain.get_transaction(txid_of(tx)) for tx in sent)

    def _drawn(self, weights: dict[str, float]) -> str:
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def _drawn_command(self) -> tuple[str, str]:
        """Half of the time the one that the deal waits for, if its party is there."""
        commands = self.kind.commands
        due = self._due()
        if due in commands and self.rng.random() < 0.5:
            return due
        return self.rng.choices(list(commands), list(commands.values()))[0]

    def _with_fee(self, party: str, verb: str) -> list[str]:
        if verb in ("open", "status", "recover"):
            return [party, verb]
        if verb == "lock" and self.wallet:
            return self.wallet.command(self.rng.choice((1, 2, 5)))
        if verb == "redeem" and self.rng.random() < 0.3:
            return [party, "watch", "--once"]
        rates = (1, 2, 2, 5, MAX_FEE_SAT_PER_VB)
        return [party, verb, "--fee", str(self.rng.choice(rates))]

    def _faults(self) -> Faults:
        what = self.rng.random()
        if what < 0.3:
            return Faults()
        if what < 0.75:
            step = self.rng.randint(1, MAX_STEP)
            return Faults(die_before=step, torn=self.rng.random() < 0.3)
        node = self.rng.choice(NODE_STATES[1:])
        return Faults(node=node, silent_from=self.rng.randint(1, 8))
