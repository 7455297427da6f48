"""More than was paid for: a second answer from one seal, a second use of images, of keys."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deal_stages import NETWORK, Sale, samples
from forged_messages import forged_request, refused_without_a_trace

from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.identity import ReadingKey
from zkcmp.exchange.proofs import Asked, backend
from zkcmp.exchange.seller import Seller
from zkcmp.model.data_files import save_npz
from zkcmp.model.dataset import TestSet


def ask_once_more(sale: Sale, seed: int, tmp_path: Path) -> None:
    """Request and key material of the same buyer for the same offer, about other images."""
    offer, images = messages.read_offer(sale.message("offer")), samples(seed)
    for name in ("key-material", "delivery"):
        sale.message(name).unlink(missing_ok=True)
    digest = forged_request(sale, images.to_bytes(), threshold=3)
    with Seller.opened(sale.root / "seller") as seller, Buyer.opened(sale.root / "buyer") as buyer:
        path = sale.message("request")
        reading = seller.need(sale.deal).keys().reading
        method = messages.read_request(path, offer, reading).proof_method
        prover = backend(method)
        key = prover.setup(Asked(NETWORK.architecture, images, method), tmp_path / "second")
        messages.write_key_material(
            sale.message("key-material"),
            buyer.identity,
            offer,
            digest,
            prover.parameters_digest(key),
            tmp_path / "second",
        )


@pytest.mark.parametrize("command", ["audit", "prove"])
def test_two_test_sets_for_one_seal(
    sale: Callable[[str], Sale], tmp_path: Path, command: str
) -> None:
    """What it would win: a second bit about the same weights, without a second offer.

    Before the answer, or after it.
    """
    deal = sale("set_up")
    assert deal.run("seller", command).code == 0
    ask_once_more(deal, 3, tmp_path)
    said = refused_without_a_trace(deal, Sale.prove)
    assert "bound to an earlier request" in said


def test_key_material_exchanged_after_the_audit(sale: Callable[[str], Sale]) -> None:
    """What it would win: an honest key passes the audit, a crafted one is proved with."""
    deal = sale("set_up")
    assert deal.run("seller", "audit").code == 0
    deal.message("key-material").write_bytes(
        (deal.root / "other" / "key-material.zkcmp").read_bytes()
    )
    assert deal.prove().code == 0
    assert deal.run("buyer", "verify").code == 0


def shuffled(spent: TestSet, fresh: TestSet) -> TestSet:
    return TestSet(spent.images[::-1].copy(), spent.labels[::-1].copy())


def relabelled(spent: TestSet, fresh: TestSet) -> TestSet:
    return TestSet(spent.images, (spent.labels + 1) % 3)


def mixed(spent: TestSet, fresh: TestSet) -> TestSet:
    images = np.concatenate([spent.images[:1], fresh.images[1:]])
    return TestSet(images, np.concatenate([spent.labels[:1], fresh.labels[1:]]))


@pytest.mark.parametrize("again", [shuffled, relabelled, mixed])
def test_images_that_were_sent_before(
    sale: Callable[[str], Sale], again: Callable[[TestSet, TestSet], TestSet]
) -> None:
    """What the seller would win: an accuracy on images that it could train on."""
    deal = sale("sealed")
    save_npz(deal.root / "samples9.npz", again(samples(2), samples(1)))
    said = refused_without_a_trace(deal, lambda sale: sale.request(9))
    assert "already sent to a seller" in said


def test_a_deal_id_that_was_used_before(sale: Callable[[str], Sale]) -> None:
    """What the seller would win: the buyer's record of coins that it locked, overwritten."""
    deal = sale("locked")
    twin = Sale(deal.root, deal.capsys, folder="twin")
    twin.deal.mkdir()
    offer = messages.read_offer(deal.message("offer"))
    with Seller.opened(deal.root / "seller") as seller:
        terms = {**vars(offer), "commitment": bytes(32), "price_sat": 5000}
        terms["reading_key"] = ReadingKey.generate().public_key
        for name in ("sender", "digest", "architecture"):
            del terms[name]
        messages.write_offer(twin.message("offer"), seller.identity, terms, offer.architecture)
    said = refused_without_a_trace(twin, lambda sale: sale.request(3))
    assert "we have this deal" in said


def test_no_key_serves_two_deals(sale: Callable[[str], Sale]) -> None:
    """What it would win: one public preimage opens two seals, one keystream covers two networks."""
    deal = sale("locked")
    other = Sale(deal.root, deal.capsys, folder="other")
    offers = [messages.read_offer(each.message("offer")) for each in (deal, other)]
    for field in ("deal", "claim_key", "reading_key", "commitment", "ciphertext_digest"):
        assert len({getattr(offer, field) for offer in offers}) == 2, field
    for party in ("seller", "buyer"):
        with (Seller if party == "seller" else Buyer).opened(deal.root / party) as opened:
            keys = [opened.need(each.deal).keys() for each in (deal, other)]
        assert len({key.coin_secret for key in keys}) == 2
        assert len({key.reading.secret for key in keys}) == 2
    ciphertexts = {(each.private("seller") / "ciphertext").read_bytes() for each in (deal, other)}
    assert len(ciphertexts) == 2
