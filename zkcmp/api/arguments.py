"""What the Python API takes, made into what the project works with."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.exchange.method import Method
from zkcmp.exchange.statement import parse_threshold
from zkcmp.model.dataset import TestSet

StrPath = str | os.PathLike[str]
Array = NDArray[Any]

_SOUND = ("freivalds", "full", "libra hyrax", "libra zkvpd")


def as_test_set(images: Array, labels: Array) -> TestSet:
    """Images (n, C, H, W), or (n, H, W) of one channel, and labels (n,). Raises ZkcmpError."""
    images = np.asarray(images)
    return TestSet(images[:, None] if images.ndim == 3 else images, labels)


def as_method(name: str) -> Method:
    """A sound method by its name. Raises ZkcmpError."""
    if name not in _SOUND:
        raise ZkcmpError(f"method {name!r} is not one of {', '.join(_SOUND)}")
    return Method.from_line(name)


def as_threshold(accuracy: str | None, threshold: int | None, n_images: int) -> int:
    """How many images must be right, from one of the two. Raises ZkcmpError."""
    if (accuracy is None) == (threshold is None):
        raise ZkcmpError("give one of accuracy, as text like '0.95', and threshold")
    if accuracy is not None:
        if not isinstance(accuracy, str):
            raise ZkcmpError(f"accuracy must be text, so that it is exact: '{accuracy}'")
        return parse_threshold(accuracy, n_images)
    if type(threshold) is not int or not 1 <= threshold <= n_images:
        raise VerificationError("threshold", f"an integer from 1 to {n_images}", threshold)
    return threshold
