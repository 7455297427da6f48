"""Terms of a deal that are no whole numbers are refused before anything is written."""

from pathlib import Path

import pytest

import zkcmp
from zkcmp.errors import DealError
from zkcmp.model.data_files import digits_onnx


@pytest.mark.parametrize(
    "terms",
    [{"price_sat": 0.0025}, {"price_sat": "250000"}, {"price_sat": 1000, "timeout_blocks": 144.0}],
    ids=["bitcoin", "text", "float"],
)
def test_parts_of_a_satoshi(tmp_path: Path, terms: dict) -> None:
    seller = zkcmp.Seller(tmp_path / "home")
    with pytest.raises(DealError, match="must be a whole number, not "):
        seller.seal(tmp_path / "deal", digits_onnx(), **terms)
    assert not (tmp_path / "deal").exists()
