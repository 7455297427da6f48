"""Coins that a lock depends on, and that withdrawals and locks of other deals leave alone.

A lock that was signed or drafted can have reached the seller, and a reorganisation or a node that
forgets can take it off the chain after the key was revealed for it. Spending its coins elsewhere
would then keep both the price and the network. So they are kept up to the timeout of the lock, from
which on they could be refunded: whoever was to be paid by then has been, or never will be.

A lock of another deal does not take the next coin instead: it spends the oldest one of its script,
so that a directory which has forgotten it takes the same (`own_wallet`). Where that is kept, the
other lock comes first.
"""

from collections.abc import Sequence
from pathlib import Path

from bitcoin_scripts.chain import Chain, FoundOutput, Place, spent_place
from bitcoin_scripts.funding import oldest
from bitcoin_scripts.psbt import transaction_in
from zkcmp.errors import DealError
from zkcmp.exchange.buyer.funding.record import FundingRecord, Way
from zkcmp.exchange.buyer.funding.signed_locks import SignedLocks
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.party import Deal, Party


def kept_coins(
    buyer: Party[BuyerState], chain: Chain, but_of: Path | None = None
) -> dict[Place, str]:
    """Every such coin, and the reason; none of the deal in the directory `but_of`.

    None of a draft, either, whose owner said that it was never signed, and gave it up.
    Also of deals whose state cannot be read. Raises DecodeError when a record of one is damaged.
    """
    height, kept = chain.height(), {}
    for directory in buyer.home.deal_directories():
        if directory == but_of:
            continue
        signed = SignedLocks(directory).load()
        begun = FundingRecord(directory).current()
        locks = [(each.transaction, each.timeout_height) for each in signed]
        locks += [(transaction_in(b.psbt), b.timeout_height) for b in begun if b.way is Way.DRAFT]
        for tx, timeout_height in locks:
            if height >= timeout_height:
                continue
            for tx_input in tx.vin:
                place = spent_place(tx_input)
                kept[place] = (
                    f"coin {place[0]}:{place[1]} is of the lock of deal {directory.name}, which "
                    f"can still be sent; it is free from height {timeout_height} on"
                )
    return kept


def free_coins(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    chain: Chain,
    coins: Sequence[FoundOutput],
) -> list[FoundOutput]:
    """Those of one script that no other deal keeps. Raises DealError when the oldest is kept."""
    kept = kept_coins(buyer, chain, deal.directory)
    reason = kept.get(oldest(coins).place) if coins else None
    if reason is not None:
        raise DealError(
            f"{reason}; send it first (`zkcmp buyer lock` in its deal folder), wait until then, or "
            "pay from other coins: --external, --psbt-out or --wallet"
        )
    return [coin for coin in coins if coin.place not in kept]
