"""The buyer checks ciphertext and proof against the offer, with its own verifying key."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer.requesting import own_method, own_test_set
from zkcmp.exchange.deal import BuyerState, missing
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Delivery, Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.method import Method
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.private.store import make_private
from zkcmp.exchange.statement import ciphertext_words

if TYPE_CHECKING:
    from zkcmp.exchange.proofs import Asked, DealStatement


@dataclass(frozen=True)
class Verified:
    """What was asked and proved, by which method, and what that is worth."""

    offer: Offer
    threshold: int
    n_images: int
    method: Method
    soundness: str


def verify(buyer: Party[BuyerState], deal: Deal[BuyerState]) -> Verified:
    """Take the delivery in if it proves what was asked."""
    from zkcmp.exchange.costs.forecast import CLOSE_OTHERS, require_verify_memory
    from zkcmp.exchange.proofs import Asked, backend

    state, offer, method = deal.state, deal.offer(), own_method(deal)
    if method.has_key_material and not state.key_material:
        raise missing(Kind.KEY_MATERIAL)
    asked = Asked(checks.check_offer(offer), own_test_set(deal), method)
    prover = backend(method)
    if not state.delivery:
        sizes = asked.architecture, asked.n_images, method
        require_verify_memory(*sizes, buyer.force, CLOSE_OTHERS)
        with deal.taking_in(Kind.DELIVERY, messages.delivery_limit(offer)) as copy:
            delivery = read_delivery(buyer, deal, offer, copy)
            statement = _statement(deal, asked, offer, delivery)
            prover.verify(statement, _verifying_key(deal), delivery.proof)
            deal.accept(Kind.DELIVERY, copy)
        state.delivery = delivery.digest.hex()
        deal.save()
    deal.own(Kind.KEY_MATERIAL).unlink(missing_ok=True)
    soundness = prover.soundness(asked)
    return Verified(offer, state.threshold, asked.n_images, method, soundness)


def take_again(buyer: Party[BuyerState], deal: Deal[BuyerState]) -> None:
    """Take the verified delivery in again where our copy is gone and the folder has it.

    A rescue file is without a large one. Any other delivery leaves things as they are.
    """
    wanted = deal.state.delivery
    if not wanted or deal.own(Kind.DELIVERY).exists() or not deal.offered(Kind.DELIVERY):
        return
    offer = deal.offer()
    with deal.taking_in(Kind.DELIVERY, messages.delivery_limit(offer)) as copy:
        if read_delivery(buyer, deal, offer, copy).digest.hex() == wanted:
            deal.accept(Kind.DELIVERY, copy)


def export(buyer: Party[BuyerState], deal: Deal[BuyerState], out: Path) -> None:
    """Write what `verify` verified for snarkjs, into a directory that only we enter, or refuse."""
    from zkcmp.exchange.proofs import Asked, backend

    offer, method = deal.offer(), own_method(deal)
    if not deal.state.delivery:
        raise DealError("the delivery was not verified yet; run `zkcmp buyer verify` first")
    delivery = read_delivery(buyer, deal, offer, deal.own(Kind.DELIVERY))
    asked = Asked(checks.check_offer(offer), own_test_set(deal), method)
    statement = _statement(deal, asked, offer, delivery)
    if method.mode not in ("full", "sampled"):
        raise DealError(
            f"snarkjs verifies Groth16 of one round only, and this deal was proved in mode "
            f"{method.title}; a deal in mode full can be exported"
        )
    if out.exists() and not out.is_dir():
        raise DealError(f"{out} is not a directory; choose another --out")
    make_private(out)  # the ciphertext is among the public inputs
    backend(method).export(statement, _verifying_key(deal), delivery.proof, out)


def read_delivery(
    buyer: Party[BuyerState], deal: Deal[BuyerState], offer: Offer, path: Path
) -> Delivery:
    """The delivery in `path`, if it answers this deal's request and key material."""
    answered = deal.state.key_material or deal.state.request
    return messages.read_delivery(
        path,
        offer,
        buyer.identity.public_key,
        bytes.fromhex(deal.state.request),
        bytes.fromhex(answered),
        deal.keys().reading,
    )


def _statement(
    deal: Deal[BuyerState], asked: "Asked", offer: Offer, delivery: Delivery
) -> "DealStatement":
    """What the delivery must prove. Raises VerificationError when it is no answer to us."""
    from zkcmp.exchange.proofs import DealStatement, backend

    state = deal.state
    if asked.method.has_key_material:
        parameters_digest = bytes.fromhex(state.verifying_key)
    else:
        parameters_digest = backend(asked.method).parameters_digest(None)
    checks.check_delivery(delivery, offer, parameters_digest)
    return DealStatement(
        asked,
        ciphertext_words(delivery.ciphertext, offer.n_blocks),
        offer.commitment,
        state.threshold,
        bytes.fromhex(state.request),
        parameters_digest,
    )


def _verifying_key(deal: Deal[BuyerState]) -> bytes | None:
    if not own_method(deal).has_key_material:
        return None
    return (deal.directory / "verifying.key").read_bytes()
