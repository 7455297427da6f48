"""The seller answers the bound request with ciphertext and proof, or refuses and is silent.

    read the messages ── judge ── work in the private directory ──┬─ refused: nothing more
                                                                  └─ proved: one file, whole

In the deal folder, nothing but the last step differs, and that puts a delivery there that is whole
and durable already. Until then a proof under way, a refusal and a seller who is away look the same.
How long the command runs is another matter (`zkcmp/cli/deal/answering.py`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zkcmp import seal as sealing
from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange import checks, rescue
from zkcmp.exchange.deal import SellerState, missing
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer, Request
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.messages.identity import fingerprint
from zkcmp.exchange.method import Method
from zkcmp.exchange.party import Damaged, Deal, Party
from zkcmp.exchange.private.ledger import AnsweredRequests
from zkcmp.exchange.private.store import replacing
from zkcmp.exchange.proofs import Asked, DealStatement, backend
from zkcmp.exchange.seller.binding import PROVING_KEY, Accepted, bind
from zkcmp.exchange.statement import ciphertext_words
from zkcmp.progress import Progress


@dataclass(frozen=True)
class Proved:
    """What `prove` did: for whom, and how often these weights have answered by now."""

    buyer: str
    n_images: int
    threshold: int
    method: Method
    answered: int
    proof_bytes: int
    repeated: bool


def prove(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    accepted: Accepted,
    progress: Progress,
) -> Proved:
    """Bind the request, unless that was done, and have an answer for it, ready to be published."""
    state, offer = deal.state, deal.offer()
    architecture = checks.check_offer(offer)
    request = bind(seller, deal, offer, architecture, accepted, progress)
    test_set = checks.check_request(request, offer, architecture)
    repeated = bool(state.delivery)
    if not repeated:
        asked = Asked(architecture, test_set, request.proof_method)
        _deliver(seller, deal, offer, request, asked, progress)
    (deal.directory / PROVING_KEY).unlink(missing_ok=True)
    rescue.keep(seller, deal)
    return Proved(
        fingerprint(request.sender),
        len(test_set),
        request.threshold,
        request.proof_method,
        answered(seller, deal),
        deal.state.proof_bytes,
        repeated,
    )


def publish(deal: Deal[SellerState]) -> None:
    """Put the answer into the deal folder, unless it is there. Raises DealError without one."""
    deal.refuse_recovered()
    if not deal.state.delivery:
        raise missing(Kind.DELIVERY)
    deal.publish(Kind.DELIVERY)


def answered(seller: Party[SellerState], deal: Deal[SellerState]) -> int:
    """How many requests the deal's weights have answered, in all deals."""
    return _ledger(seller).count(bytes.fromhex(deal.state.weights))


def damaged_ledger(seller: Party[SellerState]) -> list[Damaged]:
    """The ledger of answered requests, if it cannot be read."""
    ledger = _ledger(seller)
    try:
        ledger.load()
    except OSError as error:
        return [
            _damaged(ledger.path, f"{ledger.path} cannot be read ({error.strerror}); restore it")
        ]
    except DecodeError as error:
        return [_damaged(ledger.path, str(error))]
    return []


def _damaged(path: Path, reason: str) -> Damaged:
    return Damaged(path, reason, "no request is answered; what was answered can be redeemed")


def _ledger(seller: Party[SellerState]) -> AnsweredRequests:
    return AnsweredRequests(seller.home.path / "answered.json")


def _deliver(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    offer: Offer,
    request: Request,
    asked: Asked,
    progress: Progress,
) -> None:
    from zkcmp.exchange.costs.forecast import require_prove_memory

    state, test_set, prover = deal.state, asked.test_set, backend(asked.method)
    require_prove_memory(asked.architecture, len(test_set), asked.method, seller.force)
    proving_key = None
    if asked.method.has_key_material:
        proving_key = deal.directory / PROVING_KEY
        parameters_digest = prover.check_audited(proving_key, bytes.fromhex(state.audited))
    else:
        parameters_digest = prover.parameters_digest(None)
    preimage = deal.read_secret("preimage")
    ciphertext = deal.read_secret("ciphertext")
    words = ciphertext_words(ciphertext, offer.n_blocks)
    network = sealing.open_seal(preimage, words, offer.commitment, asked.architecture)
    # a refusal is an answer, too: it tells the same bit
    _ledger(seller).record(bytes.fromhex(state.weights), request.digest)
    correct = int(np.sum(network.predict(test_set.images) == test_set.labels))
    if correct < request.threshold:
        raise DealError(
            f"refused: the network gets {correct} of {len(test_set)} right and the buyer asks "
            f"for {request.threshold}; nothing was sent, and the buyer is not told why"
        )
    statement = DealStatement(
        asked, words, offer.commitment, request.threshold, request.digest, parameters_digest
    )
    with seller.home.released():
        proof = prover.prove(statement, network, preimage, proving_key, progress)
    answers = bytes.fromhex(state.key_material or state.request)
    with replacing(deal.own(Kind.DELIVERY)) as path:
        digest = messages.write_delivery(
            path, seller.identity, offer, request, answers, parameters_digest, ciphertext, proof
        )
    state.delivery, state.proof_bytes = digest.hex(), len(proof)
    deal.save()
