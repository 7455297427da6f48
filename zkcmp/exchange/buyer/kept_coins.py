"""Coins of the buyer's wallet that a lock depends on, and that a withdrawal leaves alone.

A lock that was signed or drafted can have reached the seller, and a reorganisation or a node that
forgets can take it off the chain after the key was revealed for it. Spending its coins elsewhere
would then keep both the price and the network. So they are kept up to the timeout of the lock, from
which on they could be refunded: whoever was to be paid by then has been, or never will be.
"""

from bitcoin.core import b2lx

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.psbt import transaction_in
from zkcmp.exchange.buyer.funding_record import FundingRecord, Way
from zkcmp.exchange.buyer.signed_locks import SignedLocks
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.party import Party


def kept_coins(buyer: Party[BuyerState], chain: Chain) -> dict[tuple[str, int], str]:
    """Every such coin, and the reason. Raises DecodeError when a record of any deal is damaged.

    Also of deals whose state cannot be read.
    """
    height, kept = chain.height(), {}
    for directory in buyer.home.deal_directories():
        signed = SignedLocks(directory).load()
        begun = FundingRecord(directory).load()
        locks = [(each.transaction, each.timeout_height) for each in signed]
        locks += [(transaction_in(b.psbt), b.timeout_height) for b in begun if b.way is Way.DRAFT]
        for tx, timeout_height in locks:
            if height >= timeout_height:
                continue
            for tx_input in tx.vin:
                place = str(b2lx(tx_input.prevout.hash)), tx_input.prevout.n
                kept[place] = (
                    f"coin {place[0]}:{place[1]} is of the lock of deal {directory.name}, which "
                    f"can still be sent; it is free from height {timeout_height} on"
                )
    return kept
