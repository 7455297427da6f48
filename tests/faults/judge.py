"""What must hold whatever goes wrong, read off the chain, the files and what commands say.

- *Refusals*: a command ends with 0, or with 2 and one line; it never fails in another way.
- *Secrecy*: the preimage is nowhere (deal folder, the buyer's directory, output, chain) before
  the seller gave a claim to its node; and that claim was for a lock of the price, as deep and as
  long before its timeout as the offer demands.
- *One payment*: any two locks that the buyer ever gave to its node spend a common coin, so that at
  most one of them can be mined. Another wallet can pay twice by itself; the seller takes one.
- *No coins lost*: every transaction of a party pays to the lock or to the wallets, and a fee that
  was asked for; at the end whatever was paid to a lock is spent.
- *The exchange*, at the end: the seller has the price and the buyer the very network that was
  sealed; or the buyer has the price back, and the key never left the seller; or there was no lock.
"""

from pathlib import Path

from bitcoin.core import CTransaction, b2lx
from injection import judged_chain
from prepared import CONFIRMATIONS, MIN_BLOCKS_LEFT, PRICE_SAT, WALLET_SCRIPT, Facts
from world import KILLED, Given, Outcome, World

from bitcoin_scripts import fees
from bitcoin_scripts.chain import txid_of
from bitcoin_scripts.chain.kernel import KernelChain

MAX_FEE_SAT_PER_VB = 20
_DUST_SAT = 330


class Violation(Exception):
    """Something that must never happen did; `rule` is the one that it broke."""

    def __init__(self, rule: str, detail: str):
        super().__init__(f"{rule}: {detail}")
        self.rule = rule


def judge_command(outcome: Outcome) -> None:
    """Raise Violation unless the command was done, was refused in one line, or was killed."""
    if outcome.code in (0, KILLED):
        return
    lines = outcome.err.splitlines()
    if outcome.code != 2 or len(lines) != 1 or not lines[0].startswith("zkcmp: "):
        raise Violation("refusals", f"{' '.join(outcome.command)}: {outcome.code} {outcome.err!r}")


def judge_world(world: World) -> None:
    """Raise Violation when a rule is broken that holds at any moment."""
    given = world.given()
    _judge_payments(world.facts, given)
    _judge_locks(world)
    first = first_reveal(world.facts, given)
    if first is None:
        _judge_secrecy(world)
    else:
        _judge_reveal(world, first)


def first_reveal(facts: Facts, given: list[Given]) -> Given | None:
    """The first transaction that has the preimage in it."""
    return next((each for each in given if facts.preimage in each.tx.serialize()), None)


def lock_spent_by(world: World, tx: CTransaction) -> tuple[int, int, int] | None:
    """(input, amount, timeout height) of the lock that a transaction spends."""
    locks = {
        (txid_of(each.tx), vout): (int(output.nValue), world.facts.locks[script])
        for each in world.sent()
        for vout, output in enumerate(each.tx.vout)
        if (script := bytes(output.scriptPubKey)) in world.facts.locks
    }
    for index, tx_input in enumerate(tx.vin):
        place = (str(b2lx(tx_input.prevout.hash)), tx_input.prevout.n)
        if place in locks:
            return index, *locks[place]
    return None


def _judge_reveal(world: World, first: Given) -> None:
    lock = lock_spent_by(world, first.tx)
    if lock is None:
        raise Violation("secrecy", "the preimage is revealed for no lock of the deal")
    index, amount_sat, timeout_height = lock
    depth, left = first.depths[index], timeout_height - first.height
    if amount_sat != PRICE_SAT or depth < CONFIRMATIONS or left < MIN_BLOCKS_LEFT:
        raise Violation(
            "secrecy",
            f"revealed for {amount_sat} sat, {depth} blocks deep, {left} blocks before the timeout",
        )


def _judge_secrecy(world: World) -> None:
    preimage = world.facts.preimage
    secrets = [form for part in (preimage, preimage[:16]) for form in (part, part.hex().encode())]
    for place in _readable(world.root):
        data = place.read_bytes()
        if any(secret in data for secret in secrets):
            raise Violation("secrecy", f"the preimage is in {place.relative_to(world.root)}")


def _readable(root: Path) -> list[Path]:
    """Every file that the buyer, or a terminal's reader, could look at."""
    files = [path for name in ("deal", "buyer") for path in (root / name).rglob("*")]
    files += [root / "chain" / "journal", *root.glob("out[0-9]"), *root.glob("err[0-9]")]
    return [path for path in files if path.is_file() and not path.is_symlink()]


def _judge_locks(world: World) -> None:
    """Of those that the buyer gave; not of one whose coins another wallet spent by itself."""
    coins_of = {txid_of(each.tx): _coins(each.tx) for each in world.given() if _locks(world, each)}
    elsewhere = {coin for each in world.paid() for coin in _coins(each.tx)}
    locks = {txid: coins for txid, coins in coins_of.items() if not coins & elsewhere}
    for one, coins in locks.items():
        for other, others in locks.items():
            if not coins & others:
                raise Violation("one payment", f"{one} and {other} can both be mined")


def _locks(world: World, sent: Given) -> list[int]:
    """The outputs that pay to a lock."""
    scripts = [bytes(output.scriptPubKey) for output in sent.tx.vout]
    return [vout for vout, script in enumerate(scripts) if script in world.facts.locks]


def _coins(tx: CTransaction) -> set[tuple[bytes, int]]:
    return {(i.prevout.hash, i.prevout.n) for i in tx.vin}


def _judge_payments(facts: Facts, given: list[Given]) -> None:
    known = {facts.seller_script, facts.buyer_script, WALLET_SCRIPT, *facts.locks}
    for each in given:
        strange = [o for o in each.tx.vout if bytes(o.scriptPubKey) not in known]
        if strange:
            raise Violation("no coins lost", f"{txid_of(each.tx)} pays to {strange}")


def judge_fees(world: World, chain: KernelChain) -> None:
    """Raise Violation when a mined transaction of a party burns more than the fee asked for."""
    for each in world.given():
        if not chain.confirmations(txid_of(each.tx)):
            continue
        spent = [chain.get_transaction(str(b2lx(i.prevout.hash))) for i in each.tx.vin]
        amounts = [
            tx.vout[i.prevout.n].nValue for tx, i in zip(spent, each.tx.vin, strict=True) if tx
        ]
        burnt = sum(amounts) - sum(output.nValue for output in each.tx.vout)
        if burnt > MAX_FEE_SAT_PER_VB * (fees.vsize(each.tx) + 1) + _DUST_SAT:
            raise Violation("no coins lost", f"{txid_of(each.tx)} burns {burnt} sat")


def judge_end(world: World) -> str:
    """The outcome, `paid`, `refunded` or `unlocked`. Raises Violation for any other."""
    facts, bought = world.facts, world.root / "bought.onnx"
    with judged_chain(world.root / "chain") as chain:
        judge_fees(world, chain)
        places = mined_locks(world, chain)
        spends = [_spend_of(chain, *place) for place in places]
    if len({txid for txid, _ in places}) > 1 and not world.wallet_pays_twice:
        raise Violation("one payment", "two locks were mined")
    is_out = first_reveal(facts, world.given()) is not None
    if not is_out and bought.exists():
        raise Violation("the exchange", "a network came out of a key that nobody revealed")
    if not spends and not is_out:
        return "unlocked"
    claims = [s for s in spends if {bytes(o.scriptPubKey) for o in s.vout} == {facts.seller_script}]
    if len(claims) > 1:
        raise Violation("one payment", "the seller was paid twice")
    if claims:
        if not bought.exists() or bought.read_bytes() != facts.model:
            raise Violation("the exchange", "the seller has the coins, the buyer no network")
        return "paid"
    if is_out:
        raise Violation("the exchange", "the buyer has its coins, and the key is out")
    return "refunded"


def mined_locks(world: World, chain: KernelChain) -> list[tuple[str, int]]:
    """Every output that was ever paid to a lock, and is mined: transaction and number."""
    sent = {txid_of(each.tx): each for each in world.sent()}
    return [
        (txid, vout)
        for txid, each in sent.items()
        for vout in _locks(world, each)
        if chain.confirmations(txid)
    ]


def _spend_of(chain: KernelChain, txid: str, vout: int) -> CTransaction:
    tx = chain.get_transaction(txid)
    script = bytes(tx.vout[vout].scriptPubKey) if tx else b""
    found = [o for o in chain.find_output(script) if (o.txid, o.vout) == (txid, vout)]
    spend = chain.get_transaction(found[0].spent_by) if found and found[0].spent_by else None
    if spend is None or not chain.confirmations(txid_of(spend)):
        raise Violation("no coins lost", f"the lock {txid} is stuck: nobody spends it")
    return spend
