"""The buyer locks the price to the E whose proof it verified, once, in one of three ways:

    own        of our own wallet, signed here                              `funding.own_wallet`
    draft      of the node's or another wallet, by a PSBT                  `funding.psbt_draft`
    external   of any wallet, which pays to an address                     `funding.external`

Every command first looks at the chain: which lock counts is for the chain to say, not for our
records. What it has is announced to the seller; what it lacks is sent again, if it was announced;
else the way goes on, and `funding.ways` sees to it that it is the only one.

A lock counts with exactly the price. One that we signed or drafted is announced at once, since its
id is fixed; any other only when it is mined. Once one was announced, the seller may have revealed
the key for it, and no other is announced while the chain has it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bitcoin_scripts.chain import Chain, Outpoint
from bitcoin_scripts.htlc import Htlc
from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange import checks, rescue
from zkcmp.exchange.buyer import published_key
from zkcmp.exchange.buyer.funding import external, own_wallet, psbt_draft
from zkcmp.exchange.buyer.funding.external import Payable
from zkcmp.exchange.buyer.funding.lost_locks import Trail, find_lost_locks
from zkcmp.exchange.buyer.funding.outputs import (
    LockOutput,
    is_claimed,
    lock_outputs,
    paid_outputs,
    signed_on_chain,
    terms,
)
from zkcmp.exchange.buyer.funding.psbt_draft import Drafted, Fund, WalletChain
from zkcmp.exchange.buyer.funding.record import FUNDING_FILE, FundingRecord, Way
from zkcmp.exchange.buyer.funding.signed_locks import SIGNED_LOCKS_FILE, SignedLock, SignedLocks
from zkcmp.exchange.buyer.funding.ways import begun_way, enter
from zkcmp.exchange.deal import BuyerState, missing
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal, Party, refuse_foreign
from zkcmp.exchange.private.store import replacing

FindTrail = Callable[[], Trail]
"""Called only where a lost lock has to be looked for: it can need a wallet."""


@dataclass(frozen=True)
class Locked:
    """Coins in the hash-lock; `others` were paid to this deal beside them, and are unspent."""

    outpoint: Outpoint
    timeout_height: int
    confirmations: int
    repeated: bool
    others: tuple[LockOutput, ...] = ()


def lock(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    chain: Chain,
    fee_sat_per_vb: int,
    abandon: bool = False,
) -> Locked:
    """Send the lock from our own coins, unless the chain has one, and tell the seller of it.

    With `abandon`, here and below, whoever calls knows that nothing was or will be paid in the way
    of funding that was begun before.
    """
    offer, found = _begin(buyer, deal, chain, Way.OWN, abandon)
    if found is not None:
        return found
    return _send(buyer, deal, chain, own_wallet.sign(buyer, deal, offer, chain, fee_sat_per_vb))


def lock_from_node(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    chain: WalletChain,
    fee_sat_per_vb: int,
    abandon: bool = False,
) -> Locked:
    """As `lock`, from coins of the node's wallet, which signs."""
    offer, found = _begin(buyer, deal, chain, Way.DRAFT, abandon, noted_by(deal, chain))
    if found is not None:
        return found
    fund = psbt_draft.from_node(buyer, chain, deal, offer, fee_sat_per_vb)
    drafted = psbt_draft.begin(deal, offer, chain, fund)
    return _send(buyer, deal, chain, psbt_draft.sign_by_node(deal, chain, drafted))


def draft(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    chain: Chain,
    fund: Fund,
    abandon: bool,
    trail: FindTrail,
) -> Drafted | Locked:
    """The transaction that another wallet is to sign, unless the chain has a lock.

    trail: finds what a lock that our directory has forgotten may have spent.
    """
    offer, found = _begin(buyer, deal, chain, Way.DRAFT, abandon, trail)
    if found is not None:
        return found
    drafted = psbt_draft.begin(deal, offer, chain, fund)
    rescue.keep(buyer, deal)
    return drafted


def lock_signed(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, data: bytes
) -> Locked:
    """Send the drafted transaction that `data` holds signed, unless the chain has a lock."""

    def trail() -> Trail:
        since = checks.first_height(chain.height(), deal.offer(), chain)
        return Trail(coins=dict.fromkeys(psbt_draft.coins_in(data), since))

    offer, found = _begin(buyer, deal, chain, Way.DRAFT, trail=trail)
    if found is not None:
        return found
    return _send(buyer, deal, chain, psbt_draft.take_signed(deal, offer, chain, data))


def noted_by(deal: Deal[BuyerState], chain: WalletChain) -> FindTrail:
    """The trail of what the node's wallet has noted for this deal."""
    return lambda: Trail(coins=psbt_draft.forgotten_coins(deal, deal.offer(), chain))


def ask_payment(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, abandon: bool
) -> Payable | Locked:
    """What any wallet is to pay, unless the chain has a lock."""
    offer, found = _begin(buyer, deal, chain, Way.EXTERNAL, abandon)
    if found is not None:
        return found
    payment = SignedLocks(deal.directory).load()
    if payment:  # it was mined, and was to be announced; a second one must not be asked for
        return _send(buyer, deal, chain, payment[-1])
    payable = external.ask(deal, offer, chain)
    rescue.keep(buyer, deal)
    return payable


def need_lock(deal: Deal[BuyerState], chain: Chain) -> tuple[Htlc, Outpoint]:
    """Terms and place of our lock on the chain: of several, the one that matters most.

    That is one that the seller claimed, else the one that was announced, else one of the price,
    else any: coins that are no lock can still be refunded. Raises DealError if there is none.
    """
    offer = deal.offer()
    checks.check_chain(offer, chain)
    signed, record = SignedLocks(deal.directory).load(), FundingRecord(deal.directory).load()
    if not signed and not record:
        raise missing(Kind.LOCK)
    paid = lock_outputs(deal, chain)
    if not paid:
        raise DealError("the chain does not have our lock; `zkcmp buyer lock` sends it")

    def rank(each: LockOutput) -> tuple[bool, ...]:
        output = each.output
        told = output.txid == deal.state.funding_txid
        priced = output.amount_sat == offer.price_sat
        return is_claimed(each, deal, chain), told and priced, priced, output.spent_by is None

    best = max(paid, key=rank)
    return best.htlc, best.output


def signed_last(deal: Deal[BuyerState]) -> tuple[Htlc, Outpoint]:
    """Terms and place of the lock that was signed last. Raises DealError if there is none."""
    signed = SignedLocks(deal.directory).load()
    if not signed:
        raise missing(Kind.LOCK)
    return _place(deal, deal.offer(), signed[-1])


def _begin(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    chain: Chain,
    way: Way,
    abandon: bool = False,
    trail: FindTrail = Trail,
) -> tuple[Offer, Locked | None]:
    """The lock that exists, announced; else None, and `way` may go on."""
    offer = deal.offer()
    if not deal.state.delivery:
        raise DealError("the delivery was not verified yet; run `zkcmp buyer verify` first")
    checks.check_chain(offer, chain)
    signed = _signed_on_chain(deal, chain) or _paid(deal, offer, chain)
    if signed is None and {way, begun_way(deal)} != {Way.EXTERNAL}:
        find_lost_locks(buyer, deal, chain, trail())  # the directory can be older than a lock
        signed = _signed_on_chain(deal, chain)
    signed = signed or _announced(deal)
    if signed is not None:
        return offer, _send(buyer, deal, chain, signed)
    deal.refuse_recovered()
    _refuse_second_payment(buyer, deal, offer)
    refuse_foreign(deal.folder, Kind.LOCK)
    enter(deal, offer, chain, way, abandon)
    published_key.refuse(deal, offer, chain)
    return offer, None


def _send(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, signed: SignedLock
) -> Locked:
    """Have the chain take a lock that is on disk, and tell the seller where it is."""
    state, offer = deal.state, deal.offer()
    if chain.get_transaction(signed.txid) is None:
        rescue.keep(buyer, deal)
        chain.broadcast(signed.transaction)
    htlc, outpoint = _place(deal, offer, signed)
    repeated = state.funding_txid == signed.txid
    if not repeated:
        _announce(buyer, deal, offer, htlc, outpoint)
    deal.publish(Kind.LOCK)
    depth = chain.confirmations(signed.txid)
    return Locked(outpoint, signed.timeout_height, depth, repeated, _others(deal, chain, outpoint))


def _others(deal: Deal[BuyerState], chain: Chain, outpoint: Outpoint) -> tuple[LockOutput, ...]:
    """What else was paid and can be refunded."""
    unspent = (p for p in lock_outputs(deal, chain) if p.output.spent_by is None)
    return tuple(p for p in unspent if p.output.place != outpoint.place)


def _place(deal: Deal[BuyerState], offer: Offer, signed: SignedLock) -> tuple[Htlc, Outpoint]:
    """Terms of a lock, and its first output with exactly the price."""
    htlc = terms(deal, offer, signed.timeout_height)
    script = bytes(htlc.script_pubkey)
    for vout, output in enumerate(signed.transaction.vout):
        if bytes(output.scriptPubKey) == script and output.nValue == offer.price_sat:
            return htlc, Outpoint(signed.txid, vout, offer.price_sat)
    raise DecodeError(
        f"{deal.directory / SIGNED_LOCKS_FILE} has a transaction that is no lock of this deal; "
        "restore it from a copy of the private directory"
    )


def _signed_on_chain(deal: Deal[BuyerState], chain: Chain) -> SignedLock | None:
    """The one of our record that the chain has; of several, the announced one."""
    return next(iter(signed_on_chain(deal, chain)), None)


def _paid(deal: Deal[BuyerState], offer: Offer, chain: Chain) -> SignedLock | None:
    """A lock that others sent, on disk by now: one of our drafts, or any that is mined.

    Raises DealError for one that came too late for the seller.
    """
    if not FundingRecord(deal.directory).load():
        return None
    priced = [p for p in paid_outputs(deal, chain) if p.output.amount_sat == offer.price_sat]
    fixed = psbt_draft.drafted_ids(deal)
    ready = [p for p in priced if p.output.height is not None or p.output.txid in fixed]
    ready = [p for p in ready if p.output.spent_by is None or is_claimed(p, deal, chain)]
    if not ready:
        return None
    best = max(ready, key=lambda p: p.output.spent_by is not None)
    tx = chain.get_transaction(best.output.txid)
    if tx is None:
        raise DealError(
            f"the node cannot show transaction {best.output.txid} now; repeat this later"
        )
    if best.output.spent_by is None:
        _refuse_late(best, offer, chain)
    signed = SignedLock(best.htlc.timeout_height, tx)
    SignedLocks(deal.directory).add(signed)
    return signed


def _refuse_late(paid: LockOutput, offer: Offer, chain: Chain) -> None:
    """Raise DealError when the lock is deep enough only after the seller's last moment."""
    height, timeout_height = chain.height(), paid.htlc.timeout_height
    mined_at = height + 1 if paid.output.height is None else paid.output.height
    redeemable_at = max(height, mined_at + offer.confirmations - 1)
    if timeout_height - redeemable_at < offer.min_blocks_left:
        raise DealError(
            f"{paid.output.txid} came too late for the seller, who needs {offer.min_blocks_left} "
            f"blocks before height {timeout_height}; from that height on, `zkcmp buyer refund` "
            "returns the coins; pay nothing more until then"
        )


def _announced(deal: Deal[BuyerState]) -> SignedLock | None:
    """The one that the seller was told of."""
    txid = deal.state.funding_txid
    for signed in SignedLocks(deal.directory).load():
        if signed.txid == txid:
            return signed
    if txid:
        raise DecodeError(f"{deal.directory / SIGNED_LOCKS_FILE} lacks the lock {txid}; restore it")
    return None


def _refuse_second_payment(buyer: Party[BuyerState], deal: Deal[BuyerState], offer: Offer) -> None:
    """Raise DealError when in another deal coins were locked to the same E, or were asked for.

    From our copies of the offers, so that a deal whose state cannot be read counts as well.
    """
    for directory in buyer.home.deal_directories():
        begun = any((directory / name).exists() for name in (SIGNED_LOCKS_FILE, FUNDING_FILE))
        if directory == deal.directory or not begun:
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
