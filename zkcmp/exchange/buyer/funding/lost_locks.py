"""Locks of ours that the chain has and our record does not: from an old rescue file, or directory.

A lock pays the price to a script of which everything but the timeout is fixed by the deal, so a
transaction that could be one is recognised by trying timeouts. Which transactions could be one:
- what the lock message in the deal folder names: it is signed by us;
- what spends the coins of a lock that is in the records (`signed_locks`, `record`: a later
  lock spends coins of the one before);
- where coins of our wallet come from and go to, waiting ones included: a lock and its change;
- the same of the script whose coins are to be locked now, if they are not our wallet's, and what
  spends coins that a node's wallet has noted for this deal (`Trail`).

The seller can compute the script, too, and pay to it. Once mined, such a payment is a lock as any
other: it cannot be taken back, and buys the key with the seller's own coins. One that waits could
be replaced, and leave the deal with a lock that never comes: so what waits has to spend our coins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bitcoin.core import CTransaction, CTxIn, Hash160

from bitcoin_scripts.chain import Chain, Outpoint, spent_place, txid_of
from bitcoin_scripts.psbt import transaction_in
from zkcmp.errors import ZkcmpError
from zkcmp.exchange.buyer.funding.outputs import terms
from zkcmp.exchange.buyer.funding.record import FundingRecord, Way
from zkcmp.exchange.buyer.funding.signed_locks import SignedLock, SignedLocks
from zkcmp.exchange.checks import (
    MAX_TIMEOUT_BLOCKS,
    REORGANISED_BLOCKS,
    first_height,
    our_first_height,
)
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal, Party

_P2WPKH = b"\x00\x14"


@dataclass(frozen=True)
class Trail:
    """What a forgotten lock may have spent beside coins of our own: those of a script, or these.

    coins: each with the block from which on its spend has to be looked for.
    """

    script: bytes = b""
    coins: Mapping[Outpoint, int] = field(default_factory=dict)


NO_TRAIL = Trail()


def find_lost_locks(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, trail: Trail = NO_TRAIL
) -> list[SignedLock]:
    """Record the locks that are found, durably, and return them."""
    offer, record = deal.offer(), SignedLocks(deal.directory)
    scripts = [script for script in (buyer.wallet_script, trail.script) if script]
    known = {signed.txid for signed in record.load()}
    found: list[SignedLock] = []
    for tx, is_ours in _candidates(buyer, deal, offer, chain, trail):
        txid = txid_of(tx)
        if txid in known:
            continue
        known.add(txid)
        timeout_height = _timeout_of(deal, offer, tx, chain)
        if timeout_height is None:
            continue
        if is_ours or chain.confirmations(txid) or _is_from(scripts, tx, chain):
            found.append(SignedLock(timeout_height, tx))
            record.add_found(found[-1])
    return found


def _candidates(
    buyer: Party[BuyerState], deal: Deal[BuyerState], offer: Offer, chain: Chain, trail: Trail
) -> Iterator[tuple[CTransaction, bool]]:
    """What could be a lock, and whether it surely is ours."""
    spends, others = _announced(buyer, deal, offer), []
    # so far back, for a lock that is before its timeout; an older one is found by its change
    since = first_height(chain.height(), offer, chain)
    for script in (buyer.wallet_script, trail.script):
        if not script:
            continue
        others += [coin.txid for coin in chain.find_spendable(script)]
        for known in chain.find_output(script, since):
            others.append(known.txid)
            spends += [known.spent_by] if known.spent_by else []
    for txid, is_ours in (dict.fromkeys(others, False) | dict.fromkeys(spends, True)).items():
        tx = chain.get_transaction(txid)
        if tx is not None:
            yield tx, is_ours
    spent = list(trail.coins.items())
    for tx, timeout_height in _begun(deal):
        since = our_first_height(timeout_height, offer)
        for tx_input in tx.vin:
            spent.append((Outpoint(*spent_place(tx_input), 0), since))
    for coin, since in spent:
        spend = chain.find_spend(coin, since)
        if spend is not None:
            yield spend, True


def _begun(deal: Deal[BuyerState]) -> list[tuple[CTransaction, int]]:
    """Every lock that was signed or drafted, with its timeout."""
    signed = SignedLocks(deal.directory).load()
    begun = FundingRecord(deal.directory).load()
    drafts = [(transaction_in(b.psbt), b.timeout_height) for b in begun if b.way is Way.DRAFT]
    return [(each.transaction, each.timeout_height) for each in signed] + drafts


def _announced(buyer: Party[BuyerState], deal: Deal[BuyerState], offer: Offer) -> list[str]:
    """The transaction that our own lock message in the deal folder names, if there is one."""
    answers = bytes.fromhex(deal.state.delivery)
    try:
        with deal.taking_in(Kind.LOCK) as copy:
            lock = messages.read_lock(copy, offer.deal, buyer.identity.public_key, answers)
    except (ZkcmpError, OSError):
        return []
    return [lock.txid.hex()]


def _is_from(scripts: Sequence[bytes], tx: CTransaction, chain: Chain) -> bool:
    """Whether it spends coins of one of the scripts, so that their owner signed it.

    Of a script that does not name its key also where the chain cannot show the coin: to wait for a
    lock that is another's costs less than to pay twice.
    """
    stacks = [list(witness.scriptWitness.stack) for witness in tx.wit.vtxinwit]
    programs = {script[2:] for script in scripts if script[:2] == _P2WPKH}
    if any(len(stack) == 2 and Hash160(stack[1]) in programs for stack in stacks):
        return True
    others = {script for script in scripts if script[:2] != _P2WPKH}
    return any(_coin_script(tx_input, chain) in {*others, None} for tx_input in tx.vin if others)


def _coin_script(tx_input: CTxIn, chain: Chain) -> bytes | None:
    """The script of the coin that is spent, if the chain can show it."""
    txid, vout = spent_place(tx_input)
    made_by = chain.get_transaction(txid)
    return None if made_by is None else bytes(made_by.vout[vout].scriptPubKey)


def _timeout_of(deal: Deal[BuyerState], offer: Offer, tx: CTransaction, chain: Chain) -> int | None:
    """The timeout of this deal's lock that `tx` funds; None when it funds none.

    It was signed at a height of at most MAX_TIMEOUT_BLOCKS + offer.timeout_blocks below that of its
    block, or above it, where a reorganisation came in between.
    """
    paid = {bytes(out.scriptPubKey) for out in tx.vout if out.nValue == offer.price_sat}
    if not paid:
        return None
    mined = chain.height() + 1 - chain.confirmations(txid_of(tx))
    latest = mined + offer.timeout_blocks + REORGANISED_BLOCKS
    heights = range(latest, max(0, mined - MAX_TIMEOUT_BLOCKS), -1)
    return terms(deal, offer, latest).timeout_of(paid, heights)
