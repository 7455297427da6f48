"""The seller binds its seal to one request and one audited key, and to no other ever after."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from zkcmp.errors import DealError, VerificationError, ZkcmpError
from zkcmp.exchange import checks, messages
from zkcmp.exchange.deal import SellerState, missing
from zkcmp.exchange.envelope import Kind
from zkcmp.exchange.identity import fingerprint
from zkcmp.exchange.messages import KeyMaterial, Offer, Request
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.store import replacing, same_bytes
from zkcmp.model.architecture import Architecture
from zkcmp.progress import Progress

PROVING_KEY = "proving.key"


@dataclass(frozen=True)
class Audited:
    """What `audit` found acceptable: whose key, for how many images, and its digest."""

    buyer: str
    n_images: int
    threshold: int
    proving_key: bytes
    repeated: bool


def audit(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    buyer_fingerprint: str | None,
    progress: Progress,
) -> Audited:
    """Bind the seal to what is in the folder, or check again what it is bound to."""
    from zkcmp.exchange import prover

    state, offer = deal.state, deal.offer()
    architecture = checks.check_offer(offer)
    repeated = bool(state.request)
    request = bind(seller, deal, offer, architecture, buyer_fingerprint, progress)
    test_set = checks.check_request(request, offer, architecture)
    audited = bytes.fromhex(state.audited)
    if not state.delivery:
        prover.check_audited(deal.directory / PROVING_KEY, audited)
    buyer = fingerprint(request.sender)
    return Audited(buyer, len(test_set), request.threshold, audited, repeated)


def bind(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    offer: Offer,
    architecture: Architecture,
    buyer_fingerprint: str | None,
    progress: Progress,
) -> Request:
    """The one request of this seal, from our own copy, bound together with its audited key.

    Nothing is kept of a pair of which one message is not acceptable.
    """
    state, own = deal.state, deal.own(Kind.REQUEST)
    for kind, kept in ((Kind.REQUEST, state.request), (Kind.KEY_MATERIAL, state.key_material)):
        if not kept and not deal.offered(kind):
            raise missing(kind, deal.folder)
    with contextlib.ExitStack() as stack:
        path = own
        if deal.offered(Kind.REQUEST):
            copy = stack.enter_context(deal.taking_in(Kind.REQUEST))
            path = own if same_bytes(copy, own) else copy
        request = _read_request(deal, offer, path)
        test_set = checks.check_request(request, offer, architecture)
        checks.check_fingerprint("request: buyer's fingerprint", buyer_fingerprint, request.sender)
        if state.request:
            return request
        _refuse_answered(deal)
        checks.check_not_expired(offer)
        material, audited = _take_key(
            seller, deal, offer, architecture, request, len(test_set), progress
        )
        if path != own:
            deal.accept(Kind.REQUEST, path)
        state.request, state.buyer = request.digest.hex(), request.sender.hex()
        state.key_material = material.digest.hex()
        state.audited = audited.hex()
        deal.save()
    return request


def _read_request(deal: Deal[SellerState], offer: Offer, path: Path) -> Request:
    """The request in `path`; the bound one, which a bad file does not undo."""
    state, reading = deal.state, deal.keys().reading
    try:
        request = messages.read_request(path, offer, reading)
    except ZkcmpError:
        if not state.request:
            raise
        request = messages.read_request(deal.own(Kind.REQUEST), offer, reading)
    if state.request and request.digest.hex() != state.request:
        raise DealError(
            "this seal is bound to an earlier request and answers no other: a second "
            "holder of the ciphertext would get the network for nothing; seal again in "
            "a new deal folder"
        )
    return request


def _refuse_answered(deal: Deal[SellerState]) -> None:
    """Raise DealError for a seal that was answered before its state was put back to an old copy."""
    if deal.own(Kind.DELIVERY).exists():
        raise DealError(
            f"{deal.directory} has an answer to a request that its state does not know; restore "
            "the newest copy of it, or seal again in a new deal folder"
        )


def _take_key(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    offer: Offer,
    architecture: Architecture,
    request: Request,
    n_images: int,
    progress: Progress,
) -> tuple[KeyMaterial, bytes]:
    """Decrypt the proving key into the private directory and audit it; also its digest."""
    from zkcmp.exchange import prover
    from zkcmp.exchange.forecast import require_prove_memory

    require_prove_memory(architecture, n_images, seller.force)
    limit = checks.key_material_limit(architecture, n_images)
    with (
        deal.taking_in(Kind.KEY_MATERIAL, limit) as copy,
        replacing(deal.directory / PROVING_KEY) as path,
    ):
        material = messages.read_key_material(
            copy, offer, request, deal.keys().reading, path, progress
        )
        audited = prover.audit(path, architecture, n_images, progress)
        found = audited.verifying_key
        if found != material.verifying_key_digest:
            raise VerificationError("key material: verifying key", "the announced one", found)
    return material, audited.proving_key
