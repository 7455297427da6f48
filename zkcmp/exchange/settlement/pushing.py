"""Getting a claim or a refund mined: sent, sent again, replaced by one that pays more.

A replacement pays more per vbyte than what it replaces, and for its own size on top (BIP 125):

    rate(next) >= (fee(waiting) + size) / size,    rate(next) > rate(waiting)

It spends the same output to the same script. Unless the user said which rate, one is sent when the
estimate for the blocks that are left has risen above what the waiting one pays. When time is short
and a block came without it, it is raised by a quarter whatever the estimate says: estimates can be
wrong, and nodes can be slow to tell. What is paid is bounded by `FeeChoice.most`.

Another's spend can have more inputs than the locked coins, and then hides its fee. So when the
chain refuses ours beside one that waits, ours is raised by a quarter again and again, up to that
bound.

This is for spends that may be sent: a first claim is `redeeming`'s to judge.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bitcoin.core import CTransaction

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Chain, Outpoint, txid_of
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fee_rates import FeeChoice
from zkcmp.exchange.settlement.signed_spends import SignedSpend, SignedSpends

_RAISE_DIVISOR = 4


@dataclass(frozen=True)
class Spending:
    """One party's way to the locked coins: how to sign a spend at a rate, of what size, whereto."""

    outpoint: Outpoint
    size_vb: int
    destination: bytes
    sign: Callable[[int], CTransaction]
    record: SignedSpends

    @property
    def affordable_sat_per_vb(self) -> int:
        return fees.affordable_sat_per_vb(self.size_vb, self.outpoint.amount_sat, self.destination)

    def fee_sat(self, tx: CTransaction) -> int:
        """What a spend of this output alone pays; of more coins, what it surely pays."""
        return max(0, self.outpoint.amount_sat - int(sum(output.nValue for output in tx.vout)))

    def sat_per_vb(self, tx: CTransaction) -> int:
        """Rounded down. Our own spends have one input, one size, and a whole rate."""
        return self.fee_sat(tx) // self.size_vb

    def signed(self, rate: int, height: int) -> CTransaction:
        """The spend at this rate, on disk before anybody else sees it."""
        tx = self.sign(rate)
        self.record.add(SignedSpend(height, tx))
        return tx


def paid_script(ours: Sequence[CTransaction]) -> bytes:
    """Whereto the spends that this program made pay; empty without one.

    One that was made by hand can pay strangers first.
    """
    return next((bytes(tx.vout[0].scriptPubKey) for tx in ours if _is_plain(tx)), b"")


def _is_plain(tx: CTransaction) -> bool:
    """Whether it has the one input and the one output of the spends made here."""
    return len(tx.vin) == len(tx.vout) == 1


@dataclass(frozen=True)
class Urgency:
    """Within how many blocks it should be mined, and whether every block without it counts."""

    target_blocks: int
    pressing: bool


def push(
    chain: Chain,
    spending: Spending,
    waiting: CTransaction | None,
    choice: FeeChoice,
    urgency: Urgency,
) -> CTransaction:
    """Have the best spend wait to be mined, given the one that waits now, ours or another's.

    One that was made by hand, of more coins or to more outputs, is left as it is. Raises
    SettlementError when the chain refuses ours, or for a rate that eats the amount; what waited
    before still waits then.
    """
    height = chain.height()
    wanted, most = choice.wanted(chain, urgency.target_blocks), _most(spending, choice)
    if choice.follows:
        wanted = min(wanted, most)
    if waiting is None:
        return _send(chain, spending, wanted, height)
    if not spending.record.is_ours(waiting):
        sizes = fees.vsize(waiting), spending.size_vb
        least = fees.replacing_sat_per_vb(spending.fee_sat(waiting), *sizes)
        if choice.follows:
            wanted = min(max(wanted, least), most)
        return _outbid(chain, spending, waiting, choice, wanted)
    if not _is_plain(waiting):
        return waiting
    spending.record.add(SignedSpend(height, waiting))
    current = spending.sat_per_vb(waiting)
    if choice.follows and urgency.pressing:
        wanted = max(wanted, _raised(spending, current, height, choice))
    if wanted <= current:
        return waiting
    tx = spending.signed(max(wanted, current + fees.INCREMENT_SAT_PER_VB), height)
    chain.broadcast(tx)
    return tx


def _outbid(
    chain: Chain, spending: Spending, other: CTransaction, choice: FeeChoice, rate: int
) -> CTransaction:
    """Send one that pays at least this rate, and more where `other` turns out to pay more.

    Not beyond a rate that the user said. Raises SettlementError when none is taken.
    """
    height, most = chain.height(), _most(spending, choice)
    while True:
        try:
            return _send(chain, spending, rate, height)
        except SettlementError:
            signed = (spending.sat_per_vb(each.transaction) for each in spending.record.load())
            refused = max([rate, *signed])
            if not choice.follows or refused >= most or not _waits(chain, other):
                raise
            rate = min(_quarter_more(refused), most)


def _waits(chain: Chain, tx: CTransaction) -> bool:
    """Whether the chain answers, and has it in no block: then it can be why ours was refused."""
    txid = txid_of(tx)
    return chain.get_transaction(txid) is not None and not chain.confirmations(txid)


def _send(chain: Chain, spending: Spending, rate: int, height: int) -> CTransaction:
    """Send the spend with the highest fee, of those that were signed and one at this rate."""
    signed = sorted(spending.record.load(), key=lambda spend: spend.paid_out_sat)
    if signed and spending.sat_per_vb(signed[0].transaction) >= rate:
        tx = signed[0].transaction
    else:
        tx = spending.signed(rate, height)
    chain.broadcast(tx)
    return tx


def _raised(spending: Spending, current: int, height: int, choice: FeeChoice) -> int:
    """A quarter more than waits, once a block has come since the last one was signed."""
    if any(spend.height >= height for spend in spending.record.load()):
        return current
    return min(_quarter_more(current), _most(spending, choice))


def _most(spending: Spending, choice: FeeChoice) -> int:
    """The highest rate to go to without being told."""
    return choice.most(spending.affordable_sat_per_vb)


def _quarter_more(rate: int) -> int:
    return rate + max(fees.INCREMENT_SAT_PER_VB, rate // _RAISE_DIVISOR)
