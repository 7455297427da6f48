"""A labelled test set and its canonical bytes.

    magic | version u16 | n u32 | C u32 | H u32 | W u32 | pixel_bytes u8 | pixels | labels u16

All integers little-endian; pixels in row-major order, one byte each when none exceeds 255, else
two. The caller must still run `check`: well-formed bytes may hold pixels or labels that a given
network does not accept.
"""

import struct
from functools import cached_property
from hashlib import sha256
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.model.architecture import Architecture
from zkcmp.model.layers import Shape

MAGIC = b"zkcmp-tests\n"
VERSION = 1
MAX_IMAGES = 1 << 20
MAX_PIXELS = 1 << 28
_HEADER = struct.Struct("<12sHIIIIB")
_SAMPLE_DOMAIN = b"zkcmp-sample-1"
_FLOAT_HINTS = {
    "pixels": "; write what the camera gave, as np.rint(255 * x).astype(np.uint8)",
    "labels": "; write class numbers, as labels.astype(np.int64)",
}


class TestSet:
    """images int64 (n, C, H, W), labels int64 (n,); both read-only.

    Raises ZkcmpError when the shapes do not fit or a value is outside 16 unsigned bits.
    """

    __test__ = False  # not a test class, whatever its name looks like to pytest

    def __init__(self, images: NDArray[Any], labels: NDArray[Any]):
        images, labels = np.asarray(images), np.asarray(labels)
        if images.ndim != 4 or labels.shape != images.shape[:1] or 0 in images.shape:
            raise ZkcmpError(_misshapen(images.shape, labels.shape))
        if len(images) > MAX_IMAGES or images.size > MAX_PIXELS:
            raise ZkcmpError(f"a test set has at most {MAX_IMAGES} images, {MAX_PIXELS} pixels")
        for name, array in (("pixels", images), ("labels", labels)):
            if array.dtype.kind not in "iu":
                raise ZkcmpError(
                    f"{name} must be integers, not {array.dtype}{_float_hint(name, array)}"
                )
            if int(array.min()) < 0 or int(array.max()) > 0xFFFF:
                raise ZkcmpError(
                    f"{name} must be integers from 0 to 65535, not {int(array.min())} to "
                    f"{int(array.max())}"
                )
        self.images: NDArray[np.int64] = np.array(images, dtype=np.int64, order="C")
        self.labels: NDArray[np.int64] = np.array(labels, dtype=np.int64)
        self.images.setflags(write=False)
        self.labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"TestSet({len(self)} images of {self.images.shape[1:]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TestSet) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.digest)

    def take(self, index: slice | NDArray[Any] | list[int]) -> "TestSet":
        """The chosen samples, in the order given."""
        return TestSet(self.images[index], self.labels[index])

    def check(self, architecture: Architecture) -> None:
        """Raises VerificationError unless every pixel and label is in the network's range."""
        shape = tuple(self.images.shape[1:])
        if shape != architecture.input_shape:
            hint = _shape_hint(architecture.input_shape, shape)
            raise VerificationError("test set image shape", architecture.input_shape, shape, hint)
        largest = int(self.images.max())
        if largest >= 1 << architecture.input_bits:
            allowed = f"0..{(1 << architecture.input_bits) - 1}"
            hint = f"scale them to {allowed}, as in training"
            raise VerificationError("test set pixels", allowed, largest, hint)
        if int(self.labels.max()) >= architecture.n_classes:
            allowed = f"0..{architecture.n_classes - 1}"
            hint = f"the network knows {architecture.n_classes} classes; drop the other samples"
            if int(self.labels.max()) == architecture.n_classes and int(self.labels.min()) > 0:
                hint = "these labels count from 1; subtract 1 from all"
            raise VerificationError("test set labels", allowed, int(self.labels.max()), hint)

    def sample_digests(self) -> list[bytes]:
        """SHA-256 of every image (shape and pixels, not the label), so a relabelled one matches."""
        head = _SAMPLE_DOMAIN + struct.pack("<III", *self.images.shape[1:])
        return [sha256(head + image.astype("<u2").tobytes()).digest() for image in self.images]

    def to_bytes(self) -> bytes:
        """Canonical bytes."""
        pixel_bytes = 1 if int(self.images.max()) <= 0xFF else 2
        header = _HEADER.pack(MAGIC, VERSION, *self.images.shape, pixel_bytes)
        pixels = self.images.astype(f"<u{pixel_bytes}").tobytes()
        return header + pixels + self.labels.astype("<u2").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> "TestSet":
        """Read canonical bytes; raises DecodeError for anything else."""
        if len(data) < _HEADER.size or not data.startswith(MAGIC):
            raise DecodeError("not a test set file")
        _, version, n, channels, height, width, pixel_bytes = _HEADER.unpack_from(data)
        if version != VERSION:
            raise DecodeError(f"test set version {version} is not {VERSION}; update the software")
        shape = (n, channels, height, width)
        if 0 in shape or n > MAX_IMAGES or prod(shape) > MAX_PIXELS or pixel_bytes not in (1, 2):
            raise DecodeError("test set: sizes out of range")
        n_pixel_bytes = prod(shape) * pixel_bytes
        if len(data) != _HEADER.size + n_pixel_bytes + 2 * n:
            raise DecodeError("test set: wrong length")
        pixels = np.frombuffer(data, f"<u{pixel_bytes}", prod(shape), _HEADER.size)
        if pixel_bytes == 2 and int(pixels.max()) <= 0xFF:
            raise DecodeError("test set: two bytes a pixel where one is enough")
        labels = np.frombuffer(data, "<u2", n, _HEADER.size + n_pixel_bytes)
        return cls(pixels.reshape(shape), labels)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return sha256(self.to_bytes()).digest()


def _shape_hint(expected: Shape, got: Shape) -> str:
    """What to do about images of shape `got` where the network reads `expected`, both (C, H, W)."""
    if got[:2] == expected[1:] and got[2] == expected[0]:
        return "put the channels first, as images.transpose(0, 3, 1, 2)"
    if expected[0] == 1 and expected[1:] in (got[1:], got[:2]) and 3 in (got[0], got[2]):
        return "these are colour images and the network reads grey ones; convert them"
    if got[1:] == expected[1:] and (got[0], expected[0]) == (1, 3):
        return "these are grey images and the network reads colour ones"
    if prod(got) == prod(expected):
        reads = f"images.reshape(-1, {', '.join(map(str, expected))})"
        return f"as many values in another order: {reads}, if the network was trained on them so"
    return "scale or crop the images to what the network reads"


def _float_hint(name: str, array: NDArray[Any]) -> str:
    """How to make integers of it; fractions and whole numbers need different things."""
    if array.dtype.kind != "f":
        return ""
    if name == "pixels" and array.max() > 1 and bool((array == np.rint(array)).all()):
        kind = "uint8" if array.max() <= 0xFF else "uint16"
        return f"; they are whole already, so write x.astype(np.{kind})"
    return _FLOAT_HINTS[name]


def _misshapen(images: Shape, labels: Shape) -> str:
    """What is wrong with arrays of these shapes as images and labels."""
    if len(images) != 4 or 0 in images:
        return f"images must have shape (n, C, H, W), none of them 0, not {images}"
    if len(labels) == 2 and labels[0] == images[0]:
        return (
            f"labels must be one class number an image, not of shape {labels}; of one-hot rows "
            "take labels.argmax(axis=1)"
        )
    return f"there are {images[0]} images and labels of shape {labels}; give one label an image"
