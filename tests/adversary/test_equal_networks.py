"""What a buyer sees of two networks of one architecture that are equally right: no difference.

Networks whose weights are all zero, or all the largest of their width, are where something would
show first: a sum that is infinity, an entry that is left out, a value without its blinder, a
witness that the circuit does not take. A proof that fails for some weights only is an answer, too.
"""

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from deal_stages import ARCHITECTURE, NETWORK

from zkcmp import api
from zkcmp.exchange.messages.contents import read_offer
from zkcmp.exchange.method import Method
from zkcmp.exchange.proofs import Asked, DealStatement, backend
from zkcmp.exchange.seller import Seller, Terms
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network

ELEMENT_BYTES = 32
HEAD_BYTES = {"freivalds": 0, "full": 0, "libra hyrax": 19, "libra zkvpd": 18}
"""What a proof begins with that is no element: magic, version, lengths."""


def filled(of_width: Callable[[int], int]) -> Network:
    """Every weight the same number, which depends on its width."""
    tensors = [np.full(t.shape, of_width(t.bits), np.int64) for t in ARCHITECTURE.tensors()]
    return Network(ARCHITECTURE, tensors)


NETWORKS = {
    "ordinary": NETWORK,
    "zeros": filled(lambda bits: 0),
    "largest": filled(lambda bits: (1 << (bits - 1)) - 1),
}
_DRAWN = np.random.default_rng(3).integers(0, 16, (200, 1, 2, 2))
IMAGES = _DRAWN[NETWORK.predict(_DRAWN) == 0][:3]
LABELS = np.zeros(3, np.int64)


@dataclass
class Keys:
    """The key material of one method for the images, and what verifies with it."""

    asked: Asked
    path: Path | None
    verifying: bytes | None

    @property
    def head_bytes(self) -> int:
        return HEAD_BYTES[self.asked.method.line]

    def _statement(self, sealed: api.Sealed) -> DealStatement:
        public, context = sealed.public, bytes(32)
        digest = backend(self.asked.method).parameters_digest(self.verifying)
        return DealStatement(self.asked, public.ciphertext, public.commitment, 3, context, digest)

    def prove(self, sealed: api.Sealed) -> bytes:
        prover, statement = backend(self.asked.method), self._statement(sealed)
        return prover.prove(statement, sealed.network, sealed.preimage, self.path)

    def verify(self, sealed: api.Sealed, proof: bytes) -> None:
        backend(self.asked.method).verify(self._statement(sealed), self.verifying, proof)


@pytest.fixture(scope="module", params=HEAD_BYTES)
def keys(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Keys:
    asked = Asked(ARCHITECTURE, TestSet(IMAGES, LABELS), Method.from_line(request.param))
    if not asked.method.has_key_material:
        return Keys(asked, None, None)
    path = tmp_path_factory.mktemp("keys") / "proving.key"
    return Keys(asked, path, backend(asked.method).setup(asked, path))


def test_all_are_proved_alike(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Always a proof, of one length, with as much randomness."""
    drawn: Counter[int] = Counter()
    randbelow = secrets.randbelow

    def counted(bound: int) -> int:
        drawn[bound] += 1
        return randbelow(bound)

    monkeypatch.setattr(secrets, "randbelow", counted)
    seen = set()
    for network in NETWORKS.values():
        assert (network.predict(IMAGES) == LABELS).all()
        sealed = api.seal(network)
        drawn.clear()
        proof = keys.prove(sealed)
        seen.add((len(proof), drawn[max(drawn)], sealed.public.ciphertext.shape))
        keys.verify(sealed, proof)
    assert len(seen) == 1


def test_no_element_is_without_its_blinder(keys: Keys) -> None:
    """With zeros for weights and nothing else to tell two proofs apart, they share no element."""
    sealed, found = api.seal(NETWORKS["zeros"]), set[bytes]()
    for _ in range(2):
        body = keys.prove(sealed)[keys.head_bytes :]
        elements = [body[i : i + ELEMENT_BYTES] for i in range(0, len(body), ELEMENT_BYTES)]
        assert len(set(elements)) == len(elements)
        assert found.isdisjoint(elements)
        found |= set(elements)


def test_the_offers_differ_in_what_is_drawn_only(tmp_path: Path) -> None:
    """The ciphertext's digest depends on the weights, and is hidden by the key until the claim."""
    drawn = {"digest", "deal", "claim_key", "reading_key", "commitment", "ciphertext_digest"}
    offers, sizes = [], set()
    with Seller.opened(tmp_path / "seller") as seller:
        for name, network in NETWORKS.items():
            folder = tmp_path / name
            seller.seal(folder, network, Terms(100_000))
            path = folder / "offer.zkcmp"
            sizes.add(path.stat().st_size)
            offers.append({k: v for k, v in vars(read_offer(path)).items() if k not in drawn})
    for offer in offers:
        assert offer.pop("expires_at")
    assert all(offer == offers[0] for offer in offers)
    assert len(sizes) == 1
