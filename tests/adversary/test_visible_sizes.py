"""What the length of a message tells whoever sees the deal folder, and cannot read it."""

from pathlib import Path

import numpy as np
import pytest
from deal_stages import ARCHITECTURE

from zkcmp.exchange.method import Method
from zkcmp.exchange.proofs import Asked, backend
from zkcmp.model.dataset import TestSet

SHAPE = (3, *ARCHITECTURE.input_shape)
FULL = np.full(SHAPE, 7)
ONE_DARK_PIXEL = np.where(np.arange(4).reshape(1, 1, 2, 2) == 1, 0, FULL)


def key_bytes(method: str, images: np.ndarray, labels: list[int], path: Path) -> int:
    asked = Asked(ARCHITECTURE, TestSet(images, np.array(labels)), Method.from_line(method))
    backend(asked.method).setup(asked, path)
    return path.stat().st_size


@pytest.mark.parametrize("method", ["full", "libra zkvpd"])
def test_of_keys_made_for_any_images(method: str, tmp_path: Path) -> None:
    sizes = {
        key_bytes(method, images, labels, tmp_path / "key")
        for images, labels in ((FULL, [0, 0, 0]), (ONE_DARK_PIXEL, [2, 2, 2]))
    }
    assert len(sizes) == 1


def test_of_keys_made_for_these_images(tmp_path: Path) -> None:
    """In mode freivalds, how many inputs are 0 in every image; neither values nor labels."""
    path, method = tmp_path / "key", "freivalds"
    usual = key_bytes(method, FULL, [0, 0, 0], path)
    assert key_bytes(method, FULL + 8, [2, 1, 2], path) == usual
    assert key_bytes(method, ONE_DARK_PIXEL, [0, 0, 0], path) < usual
