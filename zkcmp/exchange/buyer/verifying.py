"""The buyer checks ciphertext and proof against the offer, with its own verifying key."""

from pathlib import Path
from typing import TYPE_CHECKING

from zkcmp.errors import DealError
from zkcmp.exchange import checks, messages
from zkcmp.exchange.buyer.requesting import own_test_set
from zkcmp.exchange.deal import BuyerState, missing
from zkcmp.exchange.envelope import Kind
from zkcmp.exchange.messages import Delivery, Offer
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.statement import ciphertext_words

if TYPE_CHECKING:
    from zkcmp.exchange.prover import DealStatement


def verify(buyer: Party[BuyerState], deal: Deal[BuyerState]) -> tuple[Offer, int, int]:
    """Take the delivery in if it proves what was asked: (offer, threshold, number of images)."""
    from zkcmp.exchange import prover

    state, offer = deal.state, deal.offer()
    if not state.key_material:
        raise missing(Kind.KEY_MATERIAL)
    if not state.delivery:
        with deal.taking_in(Kind.DELIVERY) as copy:
            delivery = read_delivery(buyer, deal, offer, copy)
            statement = _statement(deal, offer, delivery)
            prover.verify(statement, _verifying_key(deal), delivery.proof)
            deal.accept(Kind.DELIVERY, copy)
        state.delivery = delivery.digest.hex()
        deal.save()
    deal.own(Kind.KEY_MATERIAL).unlink(missing_ok=True)
    return offer, state.threshold, len(own_test_set(deal))


def export(buyer: Party[BuyerState], deal: Deal[BuyerState], out: Path) -> None:
    """Write what `verify` verified for snarkjs, into a directory that is ours alone."""
    from zkcmp.exchange import prover

    offer = deal.offer()
    if not deal.state.delivery:
        raise DealError("the delivery was not verified yet; run `zkcmp buyer verify` first")
    delivery = read_delivery(buyer, deal, offer, deal.own(Kind.DELIVERY))
    statement = _statement(deal, offer, delivery)
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    prover.export(statement, _verifying_key(deal), delivery.proof, out)


def read_delivery(
    buyer: Party[BuyerState], deal: Deal[BuyerState], offer: Offer, path: Path
) -> Delivery:
    """The delivery in `path`, if it answers this deal's request and key material."""
    return messages.read_delivery(
        path,
        offer,
        buyer.identity.public_key,
        bytes.fromhex(deal.state.request),
        bytes.fromhex(deal.state.key_material),
        deal.keys().reading,
    )


def _statement(deal: Deal[BuyerState], offer: Offer, delivery: Delivery) -> "DealStatement":
    """What the delivery must prove. Raises VerificationError when it is no answer to us."""
    from zkcmp.exchange import prover

    state = deal.state
    architecture = checks.check_offer(offer)
    verifying_key_digest = bytes.fromhex(state.verifying_key)
    checks.check_delivery(delivery, offer, verifying_key_digest)
    return prover.DealStatement(
        architecture,
        ciphertext_words(delivery.ciphertext, offer.n_blocks),
        offer.commitment,
        own_test_set(deal),
        state.threshold,
        state.mode,
        bytes.fromhex(state.request),
        verifying_key_digest,
    )


def _verifying_key(deal: Deal[BuyerState]) -> bytes:
    return (deal.directory / "verifying.key").read_bytes()
