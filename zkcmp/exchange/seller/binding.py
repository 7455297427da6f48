"""The seller binds its seal to one request and one audited key, and to no other ever after."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from zkcmp.disk import require_room
from zkcmp.errors import DealError, DecodeError, VerificationError, ZkcmpError
from zkcmp.exchange import checks
from zkcmp.exchange.costs.proof_size import key_material_limit
from zkcmp.exchange.deal import SellerState, missing
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import FILE_NAMES, KeyMaterial, Offer, Request
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.messages.identity import fingerprint
from zkcmp.exchange.method import Method
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.private.store import remove_half, replacing, same_bytes
from zkcmp.exchange.proofs import Asked, backend
from zkcmp.model.architecture import Architecture
from zkcmp.progress import Progress

PROVING_KEY = "proving.key"


@dataclass(frozen=True)
class Accepted:
    """What the seller answers: a buyer's fingerprint, a mode; None accepts any."""

    buyer: str | None
    mode: str | None

    def check(self, request: Request) -> None:
        """Raise VerificationError for a request of anybody or anything else."""
        checks.check_fingerprint("request: buyer's fingerprint", self.buyer, request.sender)
        checks.check_mode(self.mode, request.proof_method)


@dataclass(frozen=True)
class Inspected:
    """What a request asks for: who, how many of how many images, and the method of the proof."""

    buyer: str
    n_images: int
    threshold: int
    method: Method


@dataclass(frozen=True)
class Audited(Inspected):
    """What `audit` found acceptable; proving_key: its digest, empty where the method has none."""

    proving_key: bytes
    repeated: bool


def inspect(deal: Deal[SellerState]) -> Inspected:
    """Read the request in the folder, or the bound one, and keep nothing of it."""
    offer = deal.offer()
    architecture = checks.check_offer(offer)
    with contextlib.ExitStack() as stack:
        path = deal.own(Kind.REQUEST)
        if not deal.state.request:
            path = stack.enter_context(deal.taking_in(Kind.REQUEST))
        request = messages.read_request(path, offer, deal.keys().reading)
    test_set = checks.check_request(request, offer, architecture)
    return Inspected(
        fingerprint(request.sender), len(test_set), request.threshold, request.proof_method
    )


def audit(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    accepted: Accepted,
    progress: Progress,
) -> Audited:
    """Bind the seal to what is in the folder, or check again what it is bound to."""
    state, offer = deal.state, deal.offer()
    architecture = checks.check_offer(offer)
    repeated = bool(state.request)
    request = bind(seller, deal, offer, architecture, accepted, progress)
    test_set = checks.check_request(request, offer, architecture)
    method, audited = request.proof_method, bytes.fromhex(state.audited)
    if method.has_key_material and not state.delivery:
        backend(method).check_audited(deal.directory / PROVING_KEY, audited)
    buyer = fingerprint(request.sender)
    return Audited(buyer, len(test_set), request.threshold, method, audited, repeated)


def bind(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    offer: Offer,
    architecture: Architecture,
    accepted: Accepted,
    progress: Progress,
) -> Request:
    """The one request of this seal, from our own copy, bound together with its audited key.

    Nothing is kept of a pair of which one message is not acceptable, nor bound that this machine
    cannot prove.
    """
    from zkcmp.exchange.costs.forecast import require_prove_memory

    deal.refuse_recovered()
    state, own = deal.state, deal.own(Kind.REQUEST)
    if not state.request and not deal.offered(Kind.REQUEST):
        raise missing(Kind.REQUEST, deal.folder)
    with contextlib.ExitStack() as stack:
        path = own
        if deal.offered(Kind.REQUEST):
            copy = stack.enter_context(deal.taking_in(Kind.REQUEST))
            path = own if same_bytes(copy, own) else copy
        request = _read_request(deal, offer, path)
        test_set = checks.check_request(request, offer, architecture)
        accepted.check(request)
        if state.request:
            return request
        _refuse_answered(deal, offer)
        checks.check_not_expired(offer)
        require_prove_memory(architecture, len(test_set), request.proof_method, seller.force)
        if request.proof_method.has_key_material:
            asked = Asked(architecture, test_set, request.proof_method)
            material, audited = _take_key(seller, deal, offer, request, asked, progress)
            state.key_material, state.audited = material.digest.hex(), audited.hex()
        if path != own:
            deal.accept(Kind.REQUEST, path)
        state.request, state.buyer = request.digest.hex(), request.sender.hex()
        state.method = request.method
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


def _refuse_answered(deal: Deal[SellerState], offer: Offer) -> None:
    """Raise DealError for a seal that was answered before its state was put back to an old copy."""
    if deal.own(Kind.DELIVERY).exists():
        place = deal.directory
    elif _is_answered_in_folder(deal, offer):
        place = deal.folder
    else:
        return
    raise DealError(
        f"{place} has an answer to a request that our state does not know; restore the newest copy "
        "of the private directory, or seal again in a new deal folder"
    )


def _is_answered_in_folder(deal: Deal[SellerState], offer: Offer) -> bool:
    """Whether our own delivery lies in the deal folder; anything else there is no answer."""
    if not deal.offered(Kind.DELIVERY):
        return False
    try:
        with deal.taking_in(Kind.DELIVERY, messages.delivery_limit(offer)) as copy:
            return messages.is_delivery_in(copy, offer)
    except (DecodeError, OSError):
        return False


def _take_key(
    seller: Party[SellerState],
    deal: Deal[SellerState],
    offer: Offer,
    request: Request,
    asked: Asked,
    progress: Progress,
) -> tuple[KeyMaterial, bytes]:
    """Decrypt the key material into the private directory and audit it; also its digest."""
    if not deal.offered(Kind.KEY_MATERIAL):
        raise missing(Kind.KEY_MATERIAL, deal.folder)
    limit = key_material_limit(asked.architecture, asked.n_images, asked.method)
    remove_half(deal.directory / PROVING_KEY)  # of an audit that was killed, as is the copy
    deal.copied(Kind.KEY_MATERIAL).unlink(missing_ok=True)
    offered = (deal.folder / FILE_NAMES[Kind.KEY_MATERIAL]).stat().st_size
    # the copy, and what is decrypted of it
    require_room(deal.directory, 2 * min(offered, limit), "the audit", seller.force)
    with (
        deal.taking_in(Kind.KEY_MATERIAL, limit) as copy,
        replacing(deal.directory / PROVING_KEY) as path,
    ):
        material = messages.read_key_material(
            copy, offer, request, deal.keys().reading, path, progress
        )
        with seller.home.released():
            audited = backend(asked.method).audit(path, asked, progress)
        found = audited.parameters
        if found != material.verifying_key_digest:
            raise VerificationError("key material: verifying key", "the announced one", found)
    return material, audited.proving_key
