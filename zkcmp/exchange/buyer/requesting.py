"""The buyer accepts an offer and sends its test set, which is spent from then on."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zkcmp.errors import DealError, VerificationError
from zkcmp.exchange import checks
from zkcmp.exchange.costs.proof_size import check_proof_size
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.method import Method
from zkcmp.exchange.party import Deal, DealKeys, Party, refuse_foreign, taking_in
from zkcmp.exchange.private.ledger import SpentSamples
from zkcmp.exchange.private.store import replacing, write_atomic
from zkcmp.model.dataset import TestSet

if TYPE_CHECKING:
    from zkcmp.exchange.proofs import Asked


@dataclass(frozen=True)
class Accepted:
    """What the buyer answers: a seller's fingerprint, None for any; whether real coins are meant;
    the price, or the highest one, None for any.

    Looked for in our own copy of the offer: the one in the shared folder may be another by then.
    """

    seller: str | None
    unaudited_on_mainnet: bool
    price_sat: int | None = None
    max_price_sat: int | None = None

    def check(self, offer: Offer) -> None:
        """Raise DealError or VerificationError for an offer of anybody or anything else."""
        checks.check_accepted_chain(offer.chain, self.unaudited_on_mainnet)
        checks.check_fingerprint("offer: seller's fingerprint", self.seller, offer.sender)
        self._check_price(offer.price_sat)

    def _check_price(self, price_sat: int) -> None:
        """The same seller can put another offer in the place of the one that was looked at."""
        hint = "nothing was sent; `zkcmp buyer inspect` shows the offer as it is now"
        if self.price_sat is not None and price_sat != self.price_sat:
            raise VerificationError(
                "offer: price", f"{self.price_sat} sat", f"{price_sat} sat", hint
            )
        if self.max_price_sat is not None and price_sat > self.max_price_sat:
            most = f"at most {self.max_price_sat} sat"
            raise VerificationError("offer: price", most, f"{price_sat} sat", hint)


def inspect(buyer: Party[BuyerState], folder: Path) -> Offer:
    """The offer in the folder, checked as `request` does; nothing is kept or sent."""
    with taking_in(folder, buyer.home.path, Kind.OFFER) as copy:
        offer = messages.read_offer(copy)
        checks.check_offer(offer)
        checks.check_not_expired(offer)
    return offer


def request(
    buyer: Party[BuyerState],
    folder: Path,
    test_set: TestSet,
    threshold: int,
    method: Method,
    accepted: Accepted,
) -> Offer:
    """Begin the deal in this folder, or repeat its request."""
    buyer.home.check_outside(folder)
    deal = buyer.find(folder)
    if deal is None:
        deal = _new_deal(buyer, folder, test_set, threshold, method, accepted)
    state, offer = deal.state, deal.offer()
    accepted.check(offer)
    asked = (state.threshold, own_method(deal).without_seed())
    if own_test_set(deal).to_bytes() != test_set.to_bytes() or asked != (threshold, method):
        raise DealError(
            f"{folder} already has our request with another test set, threshold or mode; an offer "
            "answers one request"
        )
    _spent(buyer).spend(test_set.sample_digests(), bytes.fromhex(state.request))
    deal.save()
    deal.publish(Kind.REQUEST)
    return offer


def has_test_set(deal: Deal[BuyerState]) -> bool:
    """Whether we still have it: a deal that came from a rescue file does not."""
    return (deal.directory / "test_set").exists()


def own_test_set(deal: Deal[BuyerState]) -> TestSet:
    """The test set that our request of this deal sent."""
    return TestSet.from_bytes((deal.directory / "test_set").read_bytes())


def own_method(deal: Deal[BuyerState]) -> Method:
    """The method that our request of this deal asked for."""
    return Method.from_line(deal.state.method)


def _new_deal(
    buyer: Party[BuyerState],
    folder: Path,
    test_set: TestSet,
    threshold: int,
    method: Method,
    accepted: Accepted,
) -> Deal[BuyerState]:
    from zkcmp.exchange.proofs import Asked

    with taking_in(folder, buyer.home.path, Kind.OFFER) as copy:
        offer = messages.read_offer(copy)
        architecture = checks.check_offer(offer)
        checks.check_not_expired(offer)
        accepted.check(offer)
        test_set.check(architecture)
        check_proof_size(architecture, len(test_set), method)
        method = method.drawn()  # the seal is fixed by the offer, and nobody knew the seed before
        _require_means(buyer, folder, Asked(architecture, test_set, method))
        if not 1 <= threshold <= len(test_set):
            raise VerificationError("threshold", f"1 to {len(test_set)} images", threshold)
        refuse_foreign(folder, Kind.REQUEST)
        _spent(buyer).check(test_set.sample_digests())
        own = buyer.home.deal_directory(offer.deal)
        if own.exists():
            raise DealError(
                f"we have this deal in {own}, in another folder or with another offer; ask for a "
                "new offer"
            )
        state = BuyerState(
            offer.deal.hex(),
            str(folder.resolve()),
            offer.digest.hex(),
            offer.sender.hex(),
            offer.commitment.hex(),
            threshold=threshold,
            method=method.line,
        )
        with buyer.home.beginning(offer.deal) as directory:
            deal = Deal(directory, folder.resolve(), state, buyer.files)
            deal.accept(Kind.OFFER, copy)
            _write_request(buyer, deal, offer, test_set)
            deal.save()
    return Deal(own, folder.resolve(), state, buyer.files)


def _require_means(buyer: Party[BuyerState], folder: Path, asked: "Asked") -> None:
    """Raise a ZkcmpError when this machine cannot set up or verify, before the test set is spent.

    The seller chooses the architecture, and with it what both of them cost.
    """
    from zkcmp.exchange.costs.forecast import (
        FEWER_IMAGES,
        require_setup_memory,
        require_setup_room,
        require_verify_memory,
    )

    sizes = asked.architecture, asked.n_images, asked.method
    require_verify_memory(*sizes, buyer.force, FEWER_IMAGES)
    if asked.method.has_key_material:
        require_setup_memory(*sizes, buyer.force, FEWER_IMAGES)
        require_setup_room(asked, buyer.home.path, folder, buyer.force)


def _write_request(
    buyer: Party[BuyerState], deal: Deal[BuyerState], offer: Offer, test_set: TestSet
) -> None:
    keys = DealKeys.generate()
    keys.save(deal.directory / "keys", buyer.files)
    encoded = test_set.to_bytes()
    write_atomic(deal.directory / "test_set", encoded)
    record: dict[str, int | str | bytes] = {
        "reading_key": keys.reading.public_key,
        "refund_key": keys.coin_public,
        "threshold": deal.state.threshold,
        "method": deal.state.method,
        "nonce": secrets.token_bytes(16),
    }
    with replacing(deal.own(Kind.REQUEST)) as path:
        digest = messages.write_request(path, buyer.identity, offer, record, encoded)
    deal.state.request = digest.hex()


def _spent(buyer: Party[BuyerState]) -> SpentSamples:
    return SpentSamples(buyer.home.path / "spent-samples")
