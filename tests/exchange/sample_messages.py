"""Five valid messages of one deal, with an opaque architecture, test set and proving key."""

from dataclasses import dataclass
from pathlib import Path

from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Delivery, KeyMaterial, Lock, Offer, Request
from zkcmp.exchange.messages.identity import Identity, ReadingKey

TERMS = {
    "deal": b"\x07" * 16,
    "claim_key": b"\x02" * 33,
    "commitment": b"\x03" * 32,
    "ciphertext_digest": b"\x04" * 32,
    "n_blocks": 2,
    "chain": "regtest",
    "price_sat": 100_000,
    "timeout_blocks": 144,
    "confirmations": 1,
    "min_blocks_left": 36,
    "expires_at": 2_000_000_000,
}


@dataclass
class Sample:
    """A whole deal as files in `folder`, with the keys that read them."""

    folder: Path
    seller: Identity
    buyer: Identity
    seller_reading: ReadingKey
    buyer_reading: ReadingKey
    proving_key: bytes
    offer: Offer
    request: Request
    key_material: KeyMaterial
    delivery: Delivery
    lock: Lock

    def read_offer(self, path: Path) -> Offer:
        return messages.read_offer(path)

    def read_request(self, path: Path) -> Request:
        return messages.read_request(path, self.offer, self.seller_reading)

    def read_key_material(self, path: Path) -> KeyMaterial:
        out = self.folder / "proving.key.out"
        return messages.read_key_material(path, self.offer, self.request, self.seller_reading, out)

    def read_delivery(self, path: Path) -> Delivery:
        return messages.read_delivery(
            path,
            self.offer,
            self.buyer.public_key,
            self.request.digest,
            self.key_material.digest,
            self.buyer_reading,
        )

    def read_lock(self, path: Path) -> Lock:
        return messages.read_lock(
            path, self.offer.deal, self.buyer.public_key, self.delivery.digest
        )


def build_sample(folder: Path, deal: bytes = TERMS["deal"], key_bytes: int = 3000) -> Sample:
    """Write and read back one deal."""
    seller, buyer = Identity.generate(), Identity.generate()
    seller_reading, buyer_reading = ReadingKey.generate(), ReadingKey.generate()
    proving_key = bytes(i % 251 for i in range(key_bytes))
    (folder / "proving.key").write_bytes(proving_key)
    terms = {**TERMS, "deal": deal, "reading_key": seller_reading.public_key}
    messages.write_offer(folder / "offer", seller, terms, b"an architecture")
    offer = messages.read_offer(folder / "offer")
    record = {
        "reading_key": buyer_reading.public_key,
        "refund_key": b"\x02" * 33,
        "threshold": 2,
        "method": "full",
        "nonce": b"\x05" * 16,
    }
    messages.write_request(folder / "request", buyer, offer, record, b"a test set")
    request = messages.read_request(folder / "request", offer, seller_reading)
    messages.write_key_material(
        folder / "key_material", buyer, offer, request.digest, b"\x06" * 32, folder / "proving.key"
    )
    key_material = messages.read_key_material(
        folder / "key_material", offer, request, seller_reading, folder / "proving.key.out"
    )
    messages.write_delivery(
        folder / "delivery",
        seller,
        offer,
        request,
        key_material.digest,
        b"\x06" * 32,
        b"\x09" * 64,
        b"\x08" * 128,
    )
    delivery = messages.read_delivery(
        folder / "delivery",
        offer,
        buyer.public_key,
        request.digest,
        key_material.digest,
        buyer_reading,
    )
    fields = {
        "deal": deal,
        "answers": delivery.digest,
        "redeem_script": b"\x51",
        "txid": b"\x0a" * 32,
        "vout": 0,
        "amount_sat": 100_000,
        "timeout_height": 300,
    }
    messages.write_lock(folder / "lock", buyer, fields)
    lock = messages.read_lock(folder / "lock", deal, buyer.public_key, delivery.digest)
    return Sample(
        folder,
        seller,
        buyer,
        seller_reading,
        buyer_reading,
        proving_key,
        offer,
        request,
        key_material,
        delivery,
        lock,
    )
