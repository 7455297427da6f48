"""The buyer locks the price to the E whose proof it verified, once.

A lock that was signed and not sent is signed anew, with a fresh timeout, when it is sent later: the
seller redeems none that ends soon. `signed_locks` says why no two of them can confirm. Once one was
announced, the seller may have revealed the key for it, and it is only ever sent again as it is.
Which of them counts is for the chain to say, not for our records.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bitcoin.core import b2lx

from bitcoin_scripts.chain import Chain, Outpoint, txid_of
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock, lock_outpoint
from bitcoin_scripts.htlc import Htlc
from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange import checks, messages, rescue
from zkcmp.exchange.buyer.signed_locks import SIGNED_LOCKS_FILE, SignedLock, SignedLocks
from zkcmp.exchange.deal import BuyerState, missing
from zkcmp.exchange.envelope import Kind
from zkcmp.exchange.messages import Offer
from zkcmp.exchange.party import Deal, Party, refuse_foreign
from zkcmp.exchange.store import replacing


@dataclass(frozen=True)
class Locked:
    """Coins in the hash-lock."""

    outpoint: Outpoint
    timeout_height: int
    confirmations: int
    repeated: bool


def lock(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, fee_sat_per_vb: int
) -> Locked:
    """Send the lock, unless the chain has it, and tell the seller where it is."""
    state, offer = deal.state, deal.offer()
    if not state.delivery:
        raise DealError("the delivery was not verified yet; run `zkcmp buyer verify` first")
    checks.check_chain(offer, chain)
    signed = _on_chain(deal, chain)
    if signed is None:
        signed = _announced(deal) or _to_send(buyer, deal, offer, chain, fee_sat_per_vb)
        rescue.keep(buyer, deal)
        chain.broadcast(signed.transaction)
    htlc, outpoint = _place(deal, offer, signed)
    repeated = state.funding_txid == signed.txid
    if not repeated:
        _announce(buyer, deal, offer, htlc, outpoint)
    deal.publish(Kind.LOCK)
    depth = chain.confirmations(signed.txid)
    return Locked(outpoint, signed.timeout_height, depth, repeated)


def need_lock(deal: Deal[BuyerState], chain: Chain) -> tuple[Htlc, Outpoint]:
    """Terms and place of the one lock of ours that the chain has. Raises DealError if none."""
    checks.check_chain(deal.offer(), chain)
    if not SignedLocks(deal.directory).load():
        raise missing(Kind.LOCK)
    found = _on_chain(deal, chain)
    if found is None:
        raise DealError("the chain does not have our lock; `zkcmp buyer lock` sends it")
    return _place(deal, deal.offer(), found)


def signed_last(deal: Deal[BuyerState]) -> tuple[Htlc, Outpoint]:
    """Terms and place of the lock that was signed last. Raises DealError if there is none."""
    signed = SignedLocks(deal.directory).load()
    if not signed:
        raise missing(Kind.LOCK)
    return _place(deal, deal.offer(), signed[-1])


def _place(deal: Deal[BuyerState], offer: Offer, signed: SignedLock) -> tuple[Htlc, Outpoint]:
    refund_key = deal.keys().coin_public
    htlc = Htlc(offer.commitment, offer.claim_key, refund_key, signed.timeout_height)
    return htlc, lock_outpoint(signed.transaction, htlc)


def _on_chain(deal: Deal[BuyerState], chain: Chain) -> SignedLock | None:
    """The one that the chain has, mined or waiting."""
    for signed in SignedLocks(deal.directory).load():
        if chain.get_transaction(signed.txid) is not None:
            return signed
    return None


def _announced(deal: Deal[BuyerState]) -> SignedLock | None:
    """The one that the seller was told of."""
    txid = deal.state.funding_txid
    for signed in SignedLocks(deal.directory).load():
        if signed.txid == txid:
            return signed
    if txid:
        raise DecodeError(f"{deal.directory / SIGNED_LOCKS_FILE} lacks the lock {txid}; restore it")
    return None


def _to_send(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    offer: Offer,
    chain: Chain,
    fee_sat_per_vb: int,
) -> SignedLock:
    """A lock with a fresh timeout, on disk. Of the coins of the one signed last, if there is one.

    Signing is deterministic: at the same height, with the same fee, it is the one signed last.
    """
    deal.refuse_recovered()
    _refuse_second_payment(buyer, deal, offer)
    refuse_foreign(deal.folder, Kind.LOCK)
    record = SignedLocks(deal.directory)
    earlier = record.load()
    timeout_height = chain.height() + offer.timeout_blocks
    if earlier:
        coins = _coins_again(buyer, offer, chain, earlier[-1], record)
    else:
        coins = chain.find_spendable(buyer.wallet_script)
    if not coins:
        raise DealError(
            f"no spendable coins at {buyer.wallet_address(chain.name)}; send some there "
            f"(on regtest: `zkcmp chain mine 101 --to {buyer.wallet_address(chain.name)}`)"
        )
    htlc = Htlc(offer.commitment, offer.claim_key, deal.keys().coin_public, timeout_height)
    try:
        tx = build_lock(
            coins, htlc, offer.price_sat, buyer.wallet_script, buyer.coin_secret, fee_sat_per_vb
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
) -> Sequence[Outpoint]:
    """The coins of a lock that was not sent. Raises DealError unless all can be spent.

    Once one is surely spent elsewhere, none of the record can be mined, and it is forgotten. That
    the chain refuses them proves nothing: it may be another chain, or one that is behind.
    """
    spendable = {(coin.txid, coin.vout): coin for coin in chain.find_spendable(buyer.wallet_script)}
    coins: list[Outpoint] = []
    for tx_input in signed.transaction.vin:
        txid, vout = str(b2lx(tx_input.prevout.hash)), tx_input.prevout.n
        if (txid, vout) in spendable:
            coins.append(spendable[txid, vout])
            continue
        spend = chain.find_spend(Outpoint(txid, vout, 0))
        if spend is None:
            raise DealError(
                f"the chain at hand does not have coin {txid}:{vout} of the lock that is signed; "
                "is it the right one, and up to date?"
            )
        depth = chain.confirmations(txid_of(spend))
        if depth < offer.confirmations:
            raise DealError(
                f"{txid_of(spend)} spends coins of the lock that is signed, and has {depth} of "
                f"{offer.confirmations} confirmations; repeat the command when it has them"
            )
        record.forget()
        raise DealError("the coins of the signed lock were spent elsewhere; repeat the command")
    return coins


def _refuse_second_payment(buyer: Party[BuyerState], deal: Deal[BuyerState], offer: Offer) -> None:
    """Raise DealError when another deal has a lock to the same E.

    From our copies of the offers, so that a deal whose state cannot be read counts as well.
    """
    for directory in buyer.home.deal_directories():
        if directory == deal.directory or not (directory / SIGNED_LOCKS_FILE).exists():
            continue
        try:
            other = messages.read_offer(directory / messages.FILE_NAMES[Kind.OFFER])
        except (DecodeError, OSError):
            raise DealError(
                f"coins were locked in the deal {directory}, whose offer cannot be read; restore "
                "it first: it could be for the same key"
            ) from None
        if other.commitment == offer.commitment:
            raise DealError(
                f"coins were already locked to this key in the deal {directory}; a key is bought "
                "once"
            )


def _announce(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    offer: Offer,
    htlc: Htlc,
    outpoint: Outpoint,
) -> None:
    state = deal.state
    fields: dict[str, int | str | bytes] = {
        "deal": offer.deal,
        "answers": bytes.fromhex(state.delivery),
        "redeem_script": bytes(htlc.redeem_script),
        "txid": bytes.fromhex(outpoint.txid),
        "vout": outpoint.vout,
        "amount_sat": outpoint.amount_sat,
        "timeout_height": htlc.timeout_height,
    }
    with replacing(deal.own(Kind.LOCK)) as path:
        digest = messages.write_lock(path, buyer.identity, fields)
    state.lock, state.funding_txid = digest.hex(), outpoint.txid
    state.timeout_height = htlc.timeout_height
    deal.save()
