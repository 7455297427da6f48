"""A network that could not be written after the payment is refused before a sample is spent."""

from pathlib import Path

import numpy as np
import pytest

from zkcmp.errors import VerificationError
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.costs.proof_size import check_provable
from zkcmp.exchange.seller import Seller, Terms
from zkcmp.model.architecture import Architecture
from zkcmp.model.export_size import MAX_EXPORT_BYTES, export_bytes
from zkcmp.model.layers import Conv, Dense, Flatten, SumPool
from zkcmp.model.network import Network
from zkcmp.model.onnx.export import export_onnx

SUMS = SumPool((3, 3), (1, 1))
# ten weights, and 66 million positions in each of five layers: protobuf cannot write their file
ENDLESS = Architecture(
    (1, 2700, 2700),
    1,
    (*(SUMS,) * 5, SumPool((1, 1), (2689, 2689)), Flatten(), Dense(4, 2, 2, 2)),
)
SMALL = Architecture(
    (2, 9, 8),
    8,
    (
        Conv(2, 4, (3, 2), (1, 1), (1, 0, 1, 0), 62, 62, groups=2),
        SumPool((2, 3), (1, 2)),
        Flatten(),
        Dense(4 * 8 * 3, 2, 9, 20),
    ),
)


def network_of(architecture: Architecture) -> Network:
    rng = np.random.default_rng(1)
    specs = architecture.tensors()
    return Network(architecture, [rng.integers(s.low, s.high + 1, s.shape) for s in specs])


def test_is_refused_before_it_is_offered_or_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_provable(ENDLESS)
    terms = Terms(price_sat=100_000)
    with Seller.opened(tmp_path / "seller") as seller:
        with pytest.raises(VerificationError, match="offer: size of the ONNX file"):
            seller.seal(tmp_path / "deal", network_of(ENDLESS), terms)
        assert not (tmp_path / "deal").exists()
        with monkeypatch.context() as patch:  # a seller whose program has no such check
            patch.setattr("zkcmp.exchange.checks.MAX_EXPORT_BYTES", 1 << 40)
            seller.seal(tmp_path / "deal", network_of(ENDLESS), terms)
    with (
        Buyer.opened(tmp_path / "buyer") as buyer,
        pytest.raises(VerificationError, match=r"size of the ONNX file.*ask for another offer"),
    ):
        buyer.inspect(tmp_path / "deal")


def test_no_file_is_larger() -> None:
    assert export_bytes(ENDLESS) > MAX_EXPORT_BYTES
    limit = export_bytes(SMALL)
    assert len(export_onnx(network_of(SMALL))) <= limit < MAX_EXPORT_BYTES
    positions = 2 * 3 * 2 * 9 * 7 + 2 * 3 * 4 * 8 * 3
    assert limit >= 8 * (SMALL.n_weights + positions)
