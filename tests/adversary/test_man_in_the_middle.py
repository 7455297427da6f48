"""Mallory stands between the parties of one sale and puts her own keys in place of theirs.

To the buyer she is a seller of the seller's seal, to the seller a buyer with the buyer's test set.
Only the comparison of fingerprints keeps the test set from her; the coins are safe without it,
since the request, and so her key, is part of the statement that the seller proves.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import Sale
from forged_messages import offer_terms, refused_without_a_trace
from malicious import verify

from bitcoin_scripts.keys import generate_secret_key, public_key
from zkcmp.errors import ZkcmpError
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.identity import Identity, ReadingKey

HYRAX = ("--backend", "libra", "--commitment", "hyrax")


class Mallory:
    """Her keys, and the two deals that she carries messages between."""

    def __init__(self, deal: Sale, key: Path):
        self.identity, self.reading = Identity.generate(), ReadingKey.generate()
        self.deal, self.key = deal, key
        self.offer = messages.read_offer(deal.message("offer"))
        self.hers = Sale(deal.root, deal.capsys, folder="hers")
        self.hers.deal.mkdir()

    def offer_again(self) -> None:
        """The seller's seal, to be paid to her."""
        terms = offer_terms(
            self.offer,
            reading_key=self.reading.public_key,
            claim_key=public_key(generate_secret_key()),
        )
        path = self.hers.message("offer")
        messages.write_offer(path, self.identity, terms, self.offer.architecture)

    def ask_again(self) -> None:
        """The buyer's request, and its key material, as hers."""
        bogus = messages.read_offer(self.hers.message("offer"))
        request = messages.read_request(self.hers.message("request"), bogus, self.reading)
        record = {
            "reading_key": self.reading.public_key,
            "refund_key": public_key(generate_secret_key()),
            "threshold": request.threshold,
            "method": request.method,
            "nonce": request.nonce,
        }
        self.request = self.answered = messages.write_request(
            self.deal.message("request"), self.identity, self.offer, record, request.test_set
        )
        self.bought, self.bought_answered = request, request.digest
        if request.proof_method.has_key_material:
            material = messages.read_key_material(
                self.hers.message("key-material"), bogus, request, self.reading, self.key
            )
            self.bought_answered = material.digest
            self.answered = messages.write_key_material(
                self.deal.message("key-material"),
                self.identity,
                self.offer,
                self.request,
                material.verifying_key_digest,
                self.key,
            )

    def deliver_again(self) -> None:
        """The seller's ciphertext and proof, to the buyer."""
        delivery = messages.read_delivery(
            self.deal.message("delivery"),
            self.offer,
            self.identity.public_key,
            self.request,
            self.answered,
            self.reading,
        )
        messages.write_delivery(
            self.hers.message("delivery"),
            self.identity,
            messages.read_offer(self.hers.message("offer")),
            self.bought,
            self.bought_answered,
            delivery.parameters_digest,
            delivery.ciphertext,
            delivery.proof,
        )


@pytest.mark.parametrize("options", [(), HYRAX], ids=["groth16", "hyrax"])
def test_a_relayed_proof_convinces_nobody(
    sale: Callable[[str], Sale], tmp_path: Path, options: tuple[str, ...]
) -> None:
    """What it would win: the buyer locks its coins to her key, and she buys with nothing lost."""
    deal = sale("sealed")
    mallory = Mallory(deal, tmp_path / "key")
    mallory.offer_again()
    assert mallory.hers.request(1, *options).code == 0
    assert mallory.hers.run("buyer", "setup").code == 0
    mallory.ask_again()
    assert deal.prove().code == 0, "to the seller she is a buyer like any other"
    mallory.deliver_again()
    said = refused_without_a_trace(mallory.hers, verify)
    assert ("pairing equation" if not options else "proof") in said, said
    assert mallory.hers.run("buyer", "lock").refused


def test_fingerprints_end_it_on_either_side(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    """What it would win: the buyer's test set, and the seller's answer about it."""
    deal = sale("sealed")
    mallory = Mallory(deal, tmp_path / "key")
    mallory.offer_again()
    fingerprints = {
        party: deal.run(party, "status").out.splitlines()[0].split(maxsplit=1)[1]
        for party in ("seller", "buyer")
    }
    said = refused_without_a_trace(
        mallory.hers, lambda hers: hers.request(1, "--seller", fingerprints["seller"])
    )
    assert mallory.identity.fingerprint in said
    assert mallory.hers.request(1).code == 0
    assert mallory.hers.run("buyer", "setup").code == 0
    mallory.ask_again()
    said = refused_without_a_trace(
        deal, lambda deal: deal.run("seller", "prove", "--buyer", fingerprints["buyer"])
    )
    assert mallory.identity.fingerprint in said


def test_a_listener_with_the_key_has_nothing_to_open(sale: Callable[[str], Sale]) -> None:
    """What it would win: the network, from the public key and the messages on their way."""
    deal = sale("redeemed")
    offer = messages.read_offer(deal.message("offer"))
    ciphertext = (deal.private("seller") / "ciphertext").read_bytes()
    for name in ("offer", "request", "key-material", "delivery", "lock"):
        sent = deal.message(name).read_bytes()
        assert not any(ciphertext[i : i + 16] in sent for i in range(0, len(ciphertext), 16)), name
    assert len(ciphertext) == 32 * offer.n_blocks
    listener = ReadingKey.generate()
    with pytest.raises(ZkcmpError):
        messages.read_request(deal.message("request"), offer, listener)
