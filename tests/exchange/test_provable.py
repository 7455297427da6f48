"""A network is offered when some sound method can prove it, not only the dearest."""

from pathlib import Path

import numpy as np
import pytest

from circuits.full.size import check_size
from zkcmp.errors import VerificationError
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.costs.proof_size import check_proof_size, check_provable
from zkcmp.exchange.method import FREIVALDS, FULL, HYRAX
from zkcmp.exchange.seller import Seller, Terms
from zkcmp.model.architecture import Architecture
from zkcmp.model.layers import Conv, Dense, Flatten, Square
from zkcmp.model.network import Network

# 151 million products an image: more than any key of mode full has rows, few weights
LARGE = Architecture(
    (1, 64, 64),
    4,
    (
        Conv(1, 64, (3, 3), (1, 1), (1, 1, 1, 1), 2, 4),
        Square(),
        Conv(64, 64, (3, 3), (1, 1), (1, 1, 1, 1), 2, 8),
        Square(),
        Conv(64, 4, (8, 8), (8, 8), (0, 0, 0, 0), 2, 8),
        Flatten(),
        Dense(256, 2, 2, 4),
    ),
)
HOPELESS = Architecture(
    (1, 1 << 10, 1 << 10),
    4,
    (
        Conv(1, 16, (3, 3), (1, 1), (1, 1, 1, 1), 2, 4),
        Conv(16, 1, (1, 1), (1 << 10, 1 << 10), (0, 0, 0, 0), 2, 4),
        Flatten(),
        Dense(1, 2, 2, 4),
    ),
)


def test_a_network_too_large_for_full_can_be_sealed_and_asked_for_with_libra(
    tmp_path: Path,
) -> None:
    with pytest.raises(VerificationError, match="at most"):
        check_size(LARGE, 1)
    rng = np.random.default_rng(1)
    network = Network(LARGE, [rng.integers(s.low, s.high + 1, s.shape) for s in LARGE.tensors()])
    with Seller.opened(tmp_path / "seller") as seller:
        offer = seller.seal(tmp_path / "deal", network, Terms(price_sat=100_000))
    with Buyer.opened(tmp_path / "buyer") as buyer:
        assert buyer.inspect(tmp_path / "deal").architecture == offer.architecture
    check_proof_size(LARGE, 1, HYRAX)
    with pytest.raises(VerificationError, match="use fewer images or a smaller network"):
        check_proof_size(LARGE, 1, FULL)


def test_one_that_no_method_can_prove_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkcmp.exchange.costs.proof_size.MAX_TENSOR_ENTRIES", 1 << 20)
    monkeypatch.setattr("circuits.size.MAX_DOMAIN", 1 << 20)
    with pytest.raises(VerificationError, match="smaller network"):
        check_provable(HOPELESS)
    with pytest.raises(VerificationError):
        check_proof_size(HOPELESS, 1, FREIVALDS)
