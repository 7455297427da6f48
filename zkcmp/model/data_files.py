"""Data sets from files: IDX (MNIST's format, gzipped or not), .npz, and the built-in digits.

    IDX: 0 | 0 | type (8 = unsigned byte) | n_dims | dims u32 big-endian | bytes

MNIST is not part of this project. It is found in a directory given by the caller or named by
the environment variable ZKCMP_DATA, itself or its subdirectory `mnist`, and known by its SHA-256.
"""

import gzip
import os
import zlib
from hashlib import sha256
from importlib.resources import files
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model.array_files import read_npz
from zkcmp.model.dataset import MAX_PIXELS, TestSet

MNIST_SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_HOW_TO_GET_MNIST = (
    "MNIST not found: download {names} (each .gz or unpacked) from any MNIST mirror into one "
    "directory and name it with --data or the environment variable ZKCMP_DATA"
)


def read_file(path: Path) -> bytes:
    """The bytes of a file, unpacked when it is gzip; raises DecodeError past the size limit."""
    try:
        with open(path, "rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else open(path, "rb") as stream:
            data: bytes = stream.read(MAX_PIXELS + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise DecodeError(f"cannot read {path}: {reason}") from None
    if len(data) > MAX_PIXELS:
        raise DecodeError(f"{path} is larger than {MAX_PIXELS} bytes")
    return data


def decode_idx(data: bytes) -> NDArray[np.uint8]:
    """An IDX array of unsigned bytes, its shape as the file says."""
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 4:
        raise DecodeError("not an IDX file of unsigned bytes")
    start = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, start, 4))
    if len(data) < start or len(data) - start != prod(shape):
        raise DecodeError("IDX file: wrong length")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def find_mnist(directory: str | Path | None = None) -> Path:
    """The directory that holds MNIST; raises ZkcmpError that says how to get it."""
    named = directory or os.environ.get("ZKCMP_DATA")
    candidates = [Path(named), Path(named) / "mnist"] if named else []
    for candidate in candidates:
        if all(_mnist_file(candidate, name) for name in MNIST_SHA256):
            return candidate
    raise ZkcmpError(_HOW_TO_GET_MNIST.format(names=", ".join(MNIST_SHA256)))


def load_mnist(
    split: Literal["train", "t10k"] = "t10k", directory: str | Path | None = None
) -> TestSet:
    """60000 (train) or 10000 (t10k) images of shape (1, 28, 28), pixels 0..255."""
    found = find_mnist(directory)
    arrays = []
    for name in (f"{split}-images-idx3-ubyte", f"{split}-labels-idx1-ubyte"):
        path = _mnist_file(found, name)
        if path is None:
            raise ZkcmpError(_HOW_TO_GET_MNIST.format(names=name))
        data = read_file(path)
        if sha256(data).hexdigest() != MNIST_SHA256[name]:
            raise ZkcmpError(f"{path} is not the canonical MNIST file (SHA-256); download it again")
        arrays.append(decode_idx(data))
    return TestSet(arrays[0][:, None], arrays[1])


def _mnist_file(directory: Path, name: str) -> Path | None:
    found = (path for path in (directory / f"{name}.gz", directory / name) if path.is_file())
    return next(found, None)


def load_npz(path: str | Path) -> TestSet:
    """A .npz with arrays `images` (n, C, H, W) or (n, H, W) and `labels` (n,), both integers."""
    images, labels = read_npz(Path(path), ("images", "labels"))
    try:
        return TestSet(images[:, None] if images.ndim == 3 else images, labels)
    except ZkcmpError as error:
        raise DecodeError(f"{path}: {error}") from None


def save_npz(path: str | Path, samples: TestSet) -> None:
    """Write a .npz that `load_npz` reads, pixels as small as they fit."""
    small = np.uint8 if int(samples.images.max()) <= 0xFF else np.uint16
    label_type = np.uint8 if int(samples.labels.max()) <= 0xFF else np.uint16
    np.savez_compressed(
        path, images=samples.images.astype(small), labels=samples.labels.astype(label_type)
    )


def digits_onnx() -> Path:
    """The float digits network that comes with the project (experiments/train_digits.py)."""
    return Path(str(files("zkcmp") / "data" / "digits.onnx"))


def load_digits_test() -> TestSet:
    """The digits test set that comes with the project: images (1, 8, 8), pixels 0..16."""
    return load_npz(Path(str(files("zkcmp") / "data" / "digits_test.npz")))
