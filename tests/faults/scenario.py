"""What happens in one simulated settlement, drawn from a seed.

First a number of random events: commands of both parties in any order, most of them with a fault,
some twice at once; blocks, reorganisations, a node that forgets what waits. Then nothing fails any
more, and both parties go on until the deal has ended.

A scenario decides who is there. What the parties must do themselves they do here too: a seller
whose key is out watches its claim, so before the blocks run out it has run `redeem` once without a
fault. Without that rule, an unmined claim can be forgotten by every node, and time passes.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from injection import NODE_STATES, Faults
from judge import (
    MAX_FEE_SAT_PER_VB,
    first_reveal,
    judge_command,
    judge_end,
    judge_world,
    lock_spent_by,
)
from prepared import CONFIRMATIONS, MIN_BLOCKS_LEFT, START_HEIGHT, TIMEOUT_BLOCKS
from world import Outcome, World

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


class Scenario:
    """A world, and the randomness that drives it."""

    def __init__(self, world: World, seed: int, kind: str = ""):
        self.world = world
        self.rng = random.Random(seed)
        self.name = kind or self.rng.choices(list(KINDS), _KIND_WEIGHTS)[0]
        self.kind = KINDS[self.name]

    def play(self) -> str:
        """Run it to its end: the outcome. Raises Violation as soon as a rule is broken."""
        events: list[tuple[Callable[[], None], float]] = [
            (self._faulty_command, 8.0),
            (self._mine_some, self.kind.mining),
            (self._same_at_once, 0.7),
            (self._reorganise, 1.6),
            (self._evict, 1.2),
        ]
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
        judge_command(outcome)
        judge_world(self.world)
        return outcome

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
            self.command(_BUYER, "lock")
            self.mine(CONFIRMATIONS)
            if self.kind.seller_returns:
                if self.name == "late seller":
                    self.mine(self.rng.randint(1, TIMEOUT_BLOCKS))
                self.command(_SELLER, "redeem")
                if self.rng.random() < 0.3:
                    self._evict()
            self.mine(1)
            opened = self.command(_BUYER, "open").code == 0
            if not opened:
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

    def _due(self) -> tuple[str, str]:
        with self.world.chain() as chain:
            given = [
                each.tx for each in self.world.given() if chain.get_transaction(txid_of(each.tx))
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
        """Whether a spend of a lock is mined."""
        with self.world.chain() as chain:
            return any(
                lock_spent_by(self.world, each.tx) and chain.confirmations(txid_of(each.tx))
                for each in self.world.given()
            )

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
        return None if claimed or left < 0 else left

    def _faulty_command(self) -> None:
        (party, verb) = self._drawn_command()
        self.command(party, verb, self._faults())

    def _same_at_once(self) -> None:
        party, verb = self._drawn_command()
        self.world.counts["at once"] += 1
        twice = [(self._with_fee(party, verb), self._faults()) for _ in range(2)]
        for outcome in self.world.together(*twice):
            judge_command(outcome)

    def _mine_some(self) -> None:
        self.mine(self.rng.randint(1, self.kind.most_blocks))

    def _reorganise(self) -> None:
        self.world.counts["reorganisations"] += 1
        self.world.reorganise(self.rng.randint(1, 3), self.rng.random() < 0.4)

    def _evict(self) -> None:
        self.world.counts["evictions"] += 1
        self.world.evict()

    def _drawn_command(self) -> tuple[str, str]:
        """Half of the time the one that the deal waits for, if its party is there."""
        commands = self.kind.commands
        due = self._due()
        if due in commands and self.rng.random() < 0.5:
            return due
        return self.rng.choices(list(commands), list(commands.values()))[0]

    def _with_fee(self, party: str, verb: str) -> list[str]:
        if verb in ("open", "status"):
            return [party, verb]
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
