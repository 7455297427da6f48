"""The seller looks at the chain until its claim is buried as deep as it asked of the lock.

    wait for the lock -> claim -> push the claim (send again, raise the fee) -> buried

Each look is a `redeem`: it reveals the key only when that is safe, and once the key is out it does
all that gets the claim mined. So looking again after any crash or outage is always right.
"""

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.fee_rates import FeeChoice
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.exchange.checks import NotYet
from zkcmp.exchange.deal import SellerState
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.seller.redeeming import Redeemed, redeem
from zkcmp.exchange.settlement.watched import Watched


def look(
    seller: Party[SellerState], deal: Deal[SellerState], chain: Chain, choice: FeeChoice
) -> Watched[Redeemed]:
    """Do what can be done now. Raises DealError when the deal is over without a payment."""
    state = deal.state
    needs_lock = bool(state.delivery) and not deal.own(Kind.LOCK).exists()
    if needs_lock and not deal.offered(Kind.LOCK):
        return Watched(f"height {chain.height()}: the buyer has not announced a lock yet")
    try:
        redeemed = redeem(seller, deal, chain, choice)
    except NotYet as reason:
        return Watched(f"height {chain.height()}: {reason}")
    except (DecodeError, VerificationError) as reason:
        if not needs_lock:
            raise
        # half copied, or a bad one: the buyer can put another in its place
        return Watched(f"the lock message is not acceptable: {reason}")
    depth, needed = redeemed.confirmations, deal.offer().confirmations
    line = f"claim {redeemed.txid}: {depth} of {needed} confirmations"
    if depth >= needed:
        return Watched(line, redeemed)
    if not depth:
        line += f", {redeemed.fee_sat_per_vb} sat/vB, {_time_left(redeemed)}"
    return Watched(f"height {chain.height()}: {line}")


def _time_left(redeemed: Redeemed) -> str:
    if redeemed.blocks_left > 0:
        return f"{redeemed.blocks_left} blocks until the buyer's refund competes with it"
    return "the buyer's refund may compete with it by now"
