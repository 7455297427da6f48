"""A lock over coins of our own wallet, signed here.

One that was signed and not sent is signed anew, with a fresh timeout, when it is sent later: the
seller redeems none that ends soon. `signed_locks` says why no two of them can confirm. Every lock
spends the wallet's oldest coin, so one that our directory has forgotten excludes the next one, too.
Coins that the lock of another deal still needs are left to it (`kept_coins`).
"""

from collections.abc import Sequence

from bitcoin_scripts.chain import Chain, FoundOutput, Outpoint, spent_place, txid_of
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock, oldest
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer.funding.kept_coins import free_coins
from zkcmp.exchange.buyer.funding.outputs import terms
from zkcmp.exchange.buyer.funding.signed_locks import SignedLock, SignedLocks
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.party import Deal, Party


def sign(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    offer: Offer,
    chain: Chain,
    fee_sat_per_vb: int,
) -> SignedLock:
    """A lock with a fresh timeout, on disk. Of the coins of the one signed last, if there is one.

    Signing is deterministic: at the same height, with the same fee, it is the one signed last.
    """
    record = SignedLocks(deal.directory)
    earlier = record.load()
    timeout_height = chain.height() + offer.timeout_blocks
    if earlier:
        coins = _coins_again(buyer, offer, chain, earlier[-1], record)
    else:
        coins = free_coins(buyer, deal, chain, chain.find_spendable(buyer.wallet_script))
    if not coins:
        address = buyer.wallet_address(chain.name)
        raise DealError(
            f"no spendable coins at {address}; send some there "
            f"(embedded chain: `zkcmp chain mine 101 --to {address}`), or pay from elsewhere: "
            "`zkcmp buyer lock --external`"
        )
    htlc = terms(deal, offer, timeout_height)
    try:
        tx = build_lock(
            coins,
            htlc,
            offer.price_sat,
            buyer.wallet_script,
            buyer.coin_secret,
            fee_sat_per_vb,
            oldest(coins),
        )
    except SettlementError as error:
        if not earlier:
            raise
        raise DealError(
            f"only the coins of the lock that was signed before may be used: {error}; or choose a "
            "lower --fee"
        ) from None
    signed = SignedLock(timeout_height, tx)
    if not earlier or earlier[-1].txid != signed.txid:
        record.add(signed)
    return signed


def _coins_again(
    buyer: Party[BuyerState], offer: Offer, chain: Chain, signed: SignedLock, record: SignedLocks
) -> Sequence[FoundOutput]:
    """The coins of a lock that was not sent. Raises DealError unless all can be spent.

    Once one is surely spent elsewhere, none of the record can be mined, and it is forgotten. That
    the chain refuses them proves nothing: it may be another chain, or one that is behind.
    """
    spendable = {coin.place: coin for coin in chain.find_spendable(buyer.wallet_script)}
    coins: list[FoundOutput] = []
    since = checks.our_first_height(signed.timeout_height, offer)
    ours = {each.txid for each in record.load()}
    for tx_input in signed.transaction.vin:
        txid, vout = spent_place(tx_input)
        if (txid, vout) in spendable:
            coins.append(spendable[txid, vout])
            continue
        spend = chain.find_spend(Outpoint(txid, vout, 0), since)
        if spend is None:
            raise DealError(
                f"the chain at hand does not have coin {txid}:{vout} of the lock that is signed; "
                "is it the right one, and up to date?"
            )
        if txid_of(spend) in ours:  # the chain has it since it was asked, a moment ago
            raise DealError(f"the lock {txid_of(spend)} has just arrived; repeat the command")
        depth = chain.confirmations(txid_of(spend))
        if depth < offer.confirmations:
            raise DealError(
                f"{txid_of(spend)} spends coins of the lock that is signed, and has {depth} of "
                f"{offer.confirmations} confirmations; repeat the command when it has them"
            )
        record.forget()
        raise DealError("the coins of the signed lock were spent elsewhere; repeat the command")
    return coins
