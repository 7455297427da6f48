"""Well-formed, validly signed lies: each party refuses what the other claims falsely."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deal_stages import NETWORK, PRICE_SAT, Sale, samples
from forged_messages import forged_request, offer_terms, refused_without_a_trace

from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock, lock_outpoint
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import generate_secret_key, public_key
from zkcmp import seal
from zkcmp.cli.dishonest import (
    FORGERIES,
    altered,
    forge_delivery,
    prove_another_network,
    refund_now,
)
from zkcmp.errors import VerificationError
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.messages.identity import Identity, ReadingKey
from zkcmp.exchange.seller import Seller, Terms
from zkcmp.exchange.statement import ciphertext_bytes
from zkcmp.groth16.keys import ProvingKey
from zkcmp.model.architecture import Architecture
from zkcmp.model.data_files import save_npz
from zkcmp.model.dataset import MAX_IMAGES, TestSet
from zkcmp.model.layers import Dense, Flatten, Square
from zkcmp.model.network import Network

_WIDE = [Dense(4, 3, 32, 32), Square(), Dense(3, 3, 32, 32), Square(), Square()]
WRAPPING = Architecture((1, 2, 2), 16, (Flatten(), *_WIDE, Dense(3, 3, 32, 32)))
LARGE = Architecture(
    (1, 2, 2), 4, (Flatten(), Dense(4, 4000, 4, 4), Dense(4000, 4000, 4, 4), Dense(4000, 2, 4, 4))
)


def write_offer(sale: Sale, seller: Identity, offer: Offer, **changed: object) -> None:
    architecture = bytes(changed.pop("architecture", offer.architecture))
    sale.message("offer").unlink()
    terms = offer_terms(offer, **changed)
    messages.write_offer(sale.message("offer"), seller, terms, architecture)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n_blocks": 3}, "number of ciphertext blocks"),
        ({"claim_key": b"\x02" + b"\xff" * 32}, "claim key"),
        ({"reading_key": bytes(32)}, "X25519"),
        ({"timeout_blocks": 5000}, "timeout blocks"),
        ({"timeout_blocks": 36}, "timeout blocks"),
        ({"architecture": b"{}"}, "architecture"),
        ({"architecture": WRAPPING.to_bytes(), "n_blocks": seal.n_blocks(WRAPPING)}, "wrap"),
        ({"architecture": LARGE.to_bytes(), "n_blocks": seal.n_blocks(LARGE)}, "entries; use"),
    ],
)
def test_buyer_refuses_an_offer(
    sale: Callable[[str], Sale], changed: dict[str, object], said: str
) -> None:
    deal = sale("sealed")
    offer = messages.read_offer(deal.message("offer"))
    write_offer(deal, Identity.generate(), offer, **changed)
    assert said in refused_without_a_trace(deal, Sale.request)


def test_seller_refuses_to_seal(sale: Callable[[str], Sale]) -> None:
    deal = sale("ready")
    tensors = [np.zeros(spec.shape, np.int64) for spec in WRAPPING.tensors()]
    before = deal.tree()
    with (
        Seller.opened(deal.root / "seller") as seller,
        pytest.raises(VerificationError, match="wrap"),
    ):
        seller.seal(deal.deal, Network(WRAPPING, tensors), Terms(PRICE_SAT))
    assert deal.tree() == before


def many_images() -> TestSet:
    """As many as a test set may have, and more than any key can prove about."""
    return TestSet(np.zeros((MAX_IMAGES, 1, 2, 2), np.int64), np.zeros(MAX_IMAGES, np.int64))


def test_buyer_refuses_too_many_images_before_they_are_spent(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    save_npz(deal.root / "samples9.npz", many_images())
    said = refused_without_a_trace(deal, lambda sale: sale.request(9, "--mode", "full"))
    assert "entries; use fewer images" in said
    assert deal.request().code == 0


def huge_pixels() -> bytes:
    honest = samples(1)
    return TestSet(honest.images * 1000, honest.labels).to_bytes()


def bad_labels() -> bytes:
    honest = samples(1)
    return TestSet(honest.images, honest.labels + 3).to_bytes()


def other_shape() -> bytes:
    honest = samples(1)
    return TestSet(honest.images.reshape(3, 1, 1, 4), honest.labels).to_bytes()


@pytest.mark.parametrize(
    ("test_set", "changed", "said"),
    [
        (huge_pixels(), {}, "pixels"),
        (bad_labels(), {}, "labels"),
        (other_shape(), {}, "shape"),
        (samples(1).to_bytes() + b"\0", {}, "wrong length"),
        (b"", {}, "not a test set"),
        (many_images().to_bytes(), {"method": "full"}, "entries; use fewer images"),
        (samples(1).to_bytes(), {"threshold": 4}, "threshold"),
        (samples(1).to_bytes(), {"method": f"sampled 6/200 {'00' * 32}"}, "reduced fraction"),
        (samples(1).to_bytes(), {"refund_key": b"\x02" + b"\xff" * 32}, "refund key"),
        (samples(1).to_bytes(), {"reading_key": bytes(32)}, "X25519"),
    ],
)
def test_seller_refuses_a_request(
    sale: Callable[[str], Sale], test_set: bytes, changed: dict[str, object], said: str
) -> None:
    deal = sale("set_up")
    forged_request(deal, test_set, **changed)
    assert said in refused_without_a_trace(deal, Sale.prove)


def test_seller_refuses_its_own_key_as_refund_key(sale: Callable[[str], Sale]) -> None:
    deal = sale("set_up")
    claim_key = messages.read_offer(deal.message("offer")).claim_key
    forged_request(deal, samples(1).to_bytes(), refund_key=claim_key)
    assert "refund key" in refused_without_a_trace(deal, Sale.prove)


@pytest.mark.parametrize("typed", [Identity.generate().fingerprint, ""], ids=["another", "empty"])
def test_seller_refuses_another_buyer(sale: Callable[[str], Sale], typed: str) -> None:
    deal = sale("set_up")
    said = refused_without_a_trace(deal, lambda sale: sale.run("seller", "prove", "--buyer", typed))
    assert f"buyer's fingerprint: expected {typed!r}" in said


@pytest.mark.parametrize("typed", [Identity.generate().fingerprint, ""], ids=["another", "empty"])
def test_buyer_refuses_another_seller(sale: Callable[[str], Sale], typed: str) -> None:
    deal = sale("sealed")
    said = refused_without_a_trace(deal, lambda sale: sale.request(1, "--seller", typed))
    assert f"seller's fingerprint: expected {typed!r}" in said


def key_of_another_circuit(path: Path) -> None:
    from circuits.freivalds.statement import build
    from zkcmp.groth16.setup import setup

    setup(build(NETWORK.architecture, samples(2)).r1cs, path)


@pytest.mark.parametrize("damage", ["other circuit", "point", "length", "garbage"])
def test_seller_refuses_key_material(
    sale: Callable[[str], Sale], tmp_path: Path, damage: str
) -> None:
    """Encrypted and signed as it should be, but no proving key for this deal inside."""
    deal = sale("set_up")
    offer = messages.read_offer(deal.message("offer"))
    key = tmp_path / "key"
    with Seller.opened(deal.root / "seller") as seller, Buyer.opened(deal.root / "buyer") as buyer:
        reading = seller.need(deal.deal).keys().reading
        request = messages.read_request(deal.message("request"), offer, reading)
        announced = messages.read_key_material(
            deal.message("key-material"), offer, request, reading, key
        ).verifying_key_digest
        data = key.read_bytes()
        if damage == "other circuit":
            key_of_another_circuit(key)
        elif damage == "point":
            key.write_bytes(data[:-8] + b"\x01" * 8)
        elif damage == "length":
            key.write_bytes(data[:-64])
        else:
            key.write_bytes(hashlib.sha256(b"x").digest() * 100)
        deal.message("key-material").unlink()
        messages.write_key_material(
            deal.message("key-material"), buyer.identity, offer, request.digest, announced, key
        )
    refused_without_a_trace(deal, Sale.prove)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_buyer_refuses_a_forged_delivery(sale: Callable[[str], Sale], forgery: str) -> None:
    deal = sale("proved")
    with (
        Seller.opened(deal.root / "seller") as seller,
        Buyer.opened(deal.root / "buyer") as buyer,
        forge_delivery(seller, buyer, deal.deal, forgery),
    ):
        before = deal.tree()
        with pytest.raises(VerificationError, match=r"hash of the ciphertext|pairing equation"):
            buyer.verify(deal.deal)
        assert deal.tree() == before
    assert deal.run("buyer", "verify").code == 0


def test_buyer_refuses_a_stored_verifying_key_of_another_circuit(
    sale: Callable[[str], Sale], tmp_path: Path
) -> None:
    deal = sale("proved")
    key_of_another_circuit(tmp_path / "key")
    stored = deal.private("buyer") / "verifying.key"
    kept = stored.read_bytes()
    stored.write_bytes(ProvingKey.open(tmp_path / "key").verifying_key.to_bytes())
    said = refused_without_a_trace(deal, lambda sale: sale.run("buyer", "verify"))
    assert "our own verifying key" in said
    stored.write_bytes(kept)
    assert deal.run("buyer", "verify").code == 0


def test_ciphertext_of_another_network_is_another(sale: Callable[[str], Sale]) -> None:
    """What the forgery above rests on: the hash in the offer tells the two apart."""
    preimage = seal.new_preimage()
    one = ciphertext_bytes(seal.encrypt(NETWORK, preimage).ciphertext)
    assert one != ciphertext_bytes(seal.encrypt(altered(NETWORK), preimage).ciphertext)


def test_proof_with_another_network_cannot_be_made(sale: Callable[[str], Sale]) -> None:
    deal = sale("set_up")
    with (
        Seller.opened(deal.root / "seller") as seller,
        pytest.raises(VerificationError, match="ciphertext"),
    ):
        prove_another_network(seller, deal.deal)


def test_early_refund_is_refused_by_the_chain(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    with Buyer.opened(deal.root / "buyer") as buyer, KernelChain(deal.root / "chain") as chain:
        with pytest.raises(SettlementError, match=r"non-final|locked until"):
            refund_now(buyer, deal.deal, chain)
        chain.mine(143, b"\x51")
        refund_now(buyer, deal.deal, chain)


class TestLock:
    """A buyer's lock that differs from what was agreed reveals no key."""

    def lie(self, sale: Sale, **changed: object) -> None:
        """Fund a lock and send a message about it, some of it false."""
        with (
            Buyer.opened(sale.root / "buyer") as buyer,
            KernelChain(sale.root / "chain") as chain,
        ):
            deal = buyer.need(sale.deal)
            offer = deal.offer()
            height = int(changed.get("timeout_height", chain.height() + offer.timeout_blocks))
            honest = Htlc(offer.commitment, offer.claim_key, deal.keys().coin_public, height)
            told = replace(honest, **changed.get("terms", {}))
            paid = replace(honest, **changed.get("paid_terms", changed.get("terms", {})))
            amount_sat = int(changed.get("paid_sat", offer.price_sat))
            coins = chain.find_spendable(buyer.wallet_script)
            secret = (sale.root / "buyer" / "wallet.key").read_bytes()
            tx = build_lock(coins, paid, amount_sat, buyer.wallet_script, secret, 2)
            outpoint = lock_outpoint(tx, paid)
            if changed.get("broadcast", True):
                chain.broadcast(tx)
                chain.mine(1, b"\x51")
            fields = {
                "deal": offer.deal,
                "answers": bytes.fromhex(deal.state.delivery),
                "redeem_script": bytes(told.redeem_script),
                "txid": bytes.fromhex(outpoint.txid),
                "vout": changed.get("vout", outpoint.vout),
                "amount_sat": changed.get("told_sat", offer.price_sat),
                "timeout_height": changed.get("told_height", height),
            }
            messages.write_lock(sale.message("lock"), buyer.identity, fields)

    @pytest.mark.parametrize(
        ("lie", "said"),
        [
            ({"terms": {"hashlock": bytes(32)}}, "redeem script"),
            ({"terms": {"seller_pubkey": public_key(generate_secret_key())}}, "redeem script"),
            ({"terms": {"buyer_pubkey": public_key(generate_secret_key())}}, "redeem script"),
            ({"told_height": 400}, "redeem script"),
            ({"paid_terms": {"hashlock": bytes(32)}}, "script on the chain"),
            ({"paid_sat": PRICE_SAT - 1}, "amount on the chain"),
            ({"told_sat": PRICE_SAT - 1}, "amount in satoshi"),
            ({"vout": 1}, "script on the chain"),
            ({"vout": 7}, "output number"),
            ({"broadcast": False}, "not on the chain yet"),
            ({"timeout_height": 130}, "blocks are left"),
        ],
    )
    def test_refused(self, sale: Callable[[str], Sale], lie: dict[str, object], said: str) -> None:
        deal = sale("verified")
        self.lie(deal, **lie)
        journal = (deal.root / "chain" / "journal").read_bytes()
        result = deal.run("seller", "redeem")
        assert result.refused
        assert said in result.err
        assert (deal.root / "chain" / "journal").read_bytes() == journal
        assert not (deal.private("seller") / "claims").exists()

    def test_honest_one_is_redeemed(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("verified")
        self.lie(deal)
        assert deal.run("seller", "redeem").code == 0


def test_two_deals_with_one_hashlock_are_not_both_paid(sale: Callable[[str], Sale]) -> None:
    """A seller that offers one seal twice would be paid twice for a key published once."""
    deal = sale("locked")
    twin = Sale(deal.root, deal.capsys, folder="twin")
    twin.deal.mkdir()
    with Seller.opened(deal.root / "seller") as seller:
        offer = messages.read_offer(deal.message("offer"))
        reading = ReadingKey.generate().public_key
        terms = offer_terms(offer, deal=bytes(16), reading_key=reading)
        messages.write_offer(twin.message("offer"), seller.identity, terms, offer.architecture)
    assert twin.request(seed=3).code == 0
    with Buyer.opened(deal.root / "buyer") as buyer:
        bought = buyer.need(twin.deal)
        bought.state.delivery = "00" * 32  # as if its delivery had been verified
        bought.save()
    result = twin.run("buyer", "lock")
    assert result.refused
    assert "already locked to this key" in result.err
