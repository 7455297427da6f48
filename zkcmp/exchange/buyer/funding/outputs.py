"""Whatever was paid to a script of this deal, by whom and when: found on the chain by the script.

A script is known by its timeout alone; everything else of it is fixed by the deal. What is paid to
it can be refunded after that timeout, unless the seller claims it: also a wrong amount, a second
payment, one that came late or was never announced.
"""

from dataclasses import dataclass

from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Chain, FoundOutput, Outpoint, Place, txid_of
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.preimage import extract_preimage
from zkcmp.exchange import checks
from zkcmp.exchange.buyer.funding.record import FundingRecord
from zkcmp.exchange.buyer.funding.signed_locks import SignedLock, SignedLocks
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.party import Deal


@dataclass(frozen=True)
class LockOutput:
    """An output that the chain has, mined or waiting, and the terms that it pays to."""

    htlc: Htlc
    output: FoundOutput


def terms(deal: Deal[BuyerState], offer: Offer, timeout_height: int) -> Htlc:
    """The terms of this deal's lock with that timeout."""
    return Htlc(offer.commitment, offer.claim_key, deal.keys().coin_public, timeout_height)


def recorded_locks(deal: Deal[BuyerState]) -> list[Htlc]:
    """All terms to which coins can have been paid in this deal, in whatever way, oldest first.

    From our records alone: of every lock that was signed, sent or not, of every transaction that
    was drafted for others to sign, of every address that was shown for an external payment.
    """
    heights = [signed.timeout_height for signed in SignedLocks(deal.directory).load()]
    heights += [begun.timeout_height for begun in FundingRecord(deal.directory).load()]
    offer = deal.offer()
    return [terms(deal, offer, height) for height in sorted(set(heights))]


def signed_on_chain(deal: Deal[BuyerState], chain: Chain) -> list[SignedLock]:
    """Those of our record that the chain has, mined or waiting, the announced one first.

    More than one only where somebody else paid to the script, too: ours share a coin.
    """
    told, found, spent = deal.state.funding_txid, list[SignedLock](), set[Place]()
    record = SignedLocks(deal.directory).load()
    for signed in sorted(record, key=lambda signed: signed.txid != told):
        if not signed.coins & spent and chain.get_transaction(signed.txid) is not None:
            found.append(signed)
            spent |= signed.coins
    return found


def lock_outputs(deal: Deal[BuyerState], chain: Chain) -> list[LockOutput]:
    """Every output that can be opened or refunded, claimed and refunded ones included.

    Where others were asked to pay, whatever they paid; else what we signed, by its id, which needs
    no search for the script.
    """
    if FundingRecord(deal.directory).load():
        return paid_outputs(deal, chain)
    offer, found = deal.offer(), list[LockOutput]()
    for signed in signed_on_chain(deal, chain):
        htlc = terms(deal, offer, signed.timeout_height)
        since = checks.our_first_height(signed.timeout_height, offer)
        depth = chain.confirmations(signed.txid)
        height = chain.height() + 1 - depth if depth else None
        script = bytes(htlc.script_pubkey)
        for vout, output in enumerate(signed.transaction.vout):
            if bytes(output.scriptPubKey) == script:
                spend = chain.find_spend(Outpoint(signed.txid, vout, output.nValue), since)
                spent_by = None if spend is None else txid_of(spend)
                place = signed.txid, vout, int(output.nValue), script
                found.append(LockOutput(htlc, FoundOutput(*place, height, False, spent_by)))
    return found


def paid_outputs(deal: Deal[BuyerState], chain: Chain) -> list[LockOutput]:
    """Every output that pays to any of `recorded_locks`, spent ones included."""
    offer, found = deal.offer(), []
    for htlc in recorded_locks(deal):
        since = checks.our_first_height(htlc.timeout_height, offer)
        paid = chain.find_output(bytes(htlc.script_pubkey), since)
        found += [LockOutput(htlc, output) for output in paid]
    return found


def is_claimed(paid: LockOutput, deal: Deal[BuyerState], chain: Chain) -> bool:
    """Whether the seller's claim of this output is on the chain, mined or waiting."""
    return find_claim(paid, deal, chain) is not None


def find_claim(paid: LockOutput, deal: Deal[BuyerState], chain: Chain) -> CTransaction | None:
    """The seller's claim of this output, mined or waiting."""
    if paid.output.spent_by is None:
        return None
    since = checks.our_first_height(paid.htlc.timeout_height, deal.offer())
    spend = chain.find_spend(paid.output, since)
    return spend if spend is not None and extract_preimage(spend, paid.htlc) else None
