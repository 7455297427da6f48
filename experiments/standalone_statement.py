"""What the proof says, from docs/formats.md alone; see verify_standalone.py.

From the offer's architecture come the number of blocks and the bounds that nothing wraps; from it,
the ciphertext, the buyer's test set, T and the request come the context and the public inputs:

    inputs = context (2), E (2), ℓ blocks, T [, every pixel, every label as one 1 among zeros]
"""

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from standalone_messages import (
    Json,
    Reader,
    canonical_json,
    expect,
    is_number,
    refuse,
    sha256,
)

R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""The order of BN254's groups."""


# architecture: formats.md, Architecture and Seal

LAYER_FIELDS = {
    "conv": {
        *("kind", "in_channels", "out_channels", "kernel", "stride", "padding", "groups"),
        *("dilation", "weight_bits", "bias_bits"),
    },
    "dense": {"kind", "in_features", "out_features", "weight_bits", "bias_bits"},
    "sumpool": {"kind", "kernel", "stride"},
    "square": {"kind"},
    "flatten": {"kind"},
}
ARCHITECTURE_FIELDS = {"format", "input_shape", "input_bits", "layers", "normalisation"}


@dataclass(frozen=True)
class Architecture:
    """What the checks need of it: the input, m, and how many blocks its weights fill."""

    encoded: bytes
    input_shape: tuple[int, ...]
    input_bits: int
    n_classes: int
    n_blocks: int


class Shapes:
    """Follows the shape, the largest absolute value and the blocks from layer to layer."""

    def __init__(self, shape: tuple[int, ...], largest: int):
        self.shape, self.largest, self.n_blocks = shape, largest, 0

    def tensor(self, n_weights: int, bits: int) -> None:
        expect(1 <= bits <= 62, "a tensor's width is not from 1 to 62 bits")
        expect(n_weights <= 1 << 24, "a tensor is too large")
        self.n_blocks += -(-n_weights // (253 // bits))

    def grow(self, largest: int, what: str) -> None:
        expect(largest < R // 2, f"the accumulators of {what} can wrap")
        self.largest = largest

    def linear(self, n_terms: int, layer: Json, what: str) -> None:
        weight, bias = (1 << (layer[name] - 1) for name in ("weight_bits", "bias_bits"))
        self.grow(n_terms * self.largest * weight + bias, what)

    def conv(self, layer: Json, what: str) -> None:
        numbers(layer, ("in_channels", "out_channels", "groups", "weight_bits", "bias_bits"), what)
        kernel, stride, dilation = (
            numbers_of(layer, name, 2, what) for name in ("kernel", "stride", "dilation")
        )
        padding = numbers_of(layer, "padding", 4, what, least=0)
        channels, out, groups = layer["in_channels"], layer["out_channels"], layer["groups"]
        expect(len(self.shape) == 3 and self.shape[0] == channels, f"{what} does not fit its input")
        expect(channels % groups == out % groups == 0, f"the groups of {what} do not divide")
        sides = tuple(
            (self.shape[1 + a] + padding[a] + padding[2 + a] - dilation[a] * (kernel[a] - 1) - 1)
            // stride[a]
            + 1
            for a in (0, 1)
        )
        expect(min(sides) >= 1, f"the kernel of {what} is larger than its input")
        n_terms = channels // groups * math.prod(kernel)
        self.tensor(out * n_terms, layer["weight_bits"])
        self.tensor(out, layer["bias_bits"])
        self.linear(n_terms, layer, what)
        self.shape = (out, *sides)

    def dense(self, layer: Json, what: str) -> None:
        numbers(layer, ("in_features", "out_features", "weight_bits", "bias_bits"), what)
        n_in, n_out = layer["in_features"], layer["out_features"]
        expect(self.shape == (n_in,), f"{what} does not fit its input")
        self.tensor(n_in * n_out, layer["weight_bits"])
        self.tensor(n_out, layer["bias_bits"])
        self.linear(n_in, layer, what)
        self.shape = (n_out,)

    def sumpool(self, layer: Json, what: str) -> None:
        kernel, stride = (numbers_of(layer, name, 2, what) for name in ("kernel", "stride"))
        expect(len(self.shape) == 3, f"{what} does not fit its input")
        sides = tuple((self.shape[1 + a] - kernel[a]) // stride[a] + 1 for a in (0, 1))
        expect(min(sides) >= 1, f"the windows of {what} are larger than its input")
        self.grow(math.prod(kernel) * self.largest, what)
        self.shape = (self.shape[0], *sides)

    def square(self, layer: Json, what: str) -> None:
        self.grow(self.largest**2, what)

    def flatten(self, layer: Json, what: str) -> None:
        self.shape = (math.prod(self.shape),)


def numbers(layer: Json, names: Sequence[str], what: str) -> None:
    for name in names:
        expect(is_number(layer[name]) and layer[name] >= 1, f"{name} of {what} is out of range")


def numbers_of(layer: Json, name: str, n: int, what: str, least: int = 1) -> list[int]:
    value = layer[name]
    fits = isinstance(value, list) and len(value) == n
    fits = fits and all(is_number(x) and x >= least for x in value)
    expect(fits, f"{name} of {what} is out of range")
    return list(value)


def read_architecture(encoded: bytes) -> Architecture:
    expect(len(encoded) <= 1 << 16, "the architecture is too long")
    record = canonical_json(encoded, "the architecture")
    expect(set(record) == ARCHITECTURE_FIELDS, "the architecture has other fields than it should")
    expect(record["format"] == "zkcmp-architecture-2", "the architecture is of another format")
    shape = tuple(numbers_of(record, "input_shape", 3, "the architecture"))
    input_bits = record["input_bits"]
    fits = is_number(input_bits) and 1 <= input_bits <= 16
    expect(fits, "input_bits of the architecture is out of range")
    layers = record["layers"]
    fits = isinstance(layers, list) and all(isinstance(layer, dict) for layer in layers)
    expect(fits and 1 <= len(layers) <= 64, "the architecture has not 1 to 64 layers")
    normalisation = record["normalisation"]
    fits = isinstance(normalisation, dict) and set(normalisation) == {"offset", "scale"}
    expect(fits, "the normalisation has other fields than it should")
    shapes = Shapes(shape, 2**input_bits - 1)
    for index, layer in enumerate(layers):
        kind = layer.get("kind")
        expect(isinstance(kind, str) and kind in LAYER_FIELDS, f"layer {index} is of no known kind")
        what = f"{kind}{index}"
        expect(set(layer) == LAYER_FIELDS[kind], f"{what} has other fields than it should")
        getattr(shapes, kind)(layer, what)
    expect(layers[-1]["kind"] == "dense", "the last layer is not dense")
    expect(shapes.shape[0] >= 2, "there are not at least two logits")
    spread = 2 * shapes.largest
    expect(spread + (1 << spread.bit_length()) < R, "the margins between logits can wrap")
    return Architecture(encoded, shape, input_bits, shapes.shape[0], shapes.n_blocks)


# test set and ciphertext


@dataclass(frozen=True)
class TestSet:
    """Pixels image by image, row-major."""

    __test__ = False

    encoded: bytes
    pixels: list[int]
    labels: list[int]


def read_test_set(encoded: bytes, architecture: Architecture) -> TestSet:
    reader = Reader(encoded, "the test set")
    expect(reader.take(12) == b"zkcmp-tests\n", "test_set.bin is no test set")
    expect(reader.number(2) == 1, "the test set is of another version")
    n_images = reader.number(4)
    shape = tuple(reader.number(4) for _ in range(3))
    expect(shape == architecture.input_shape, "the images are of another shape than the network's")
    width = reader.number(1)
    expect(width in (1, 2), "a pixel is not of 1 or 2 bytes")
    pixels = little_endian(reader.take(n_images * math.prod(shape) * width), width)
    labels = little_endian(reader.take(2 * n_images), 2)
    reader.end()
    expect(n_images >= 1, "the test set is empty")
    expect((width == 2) == (max(pixels) > 255), "the pixels are not in their shortest form")
    expect(max(pixels) < 1 << architecture.input_bits, "a pixel is out of range")
    expect(max(labels) < architecture.n_classes, "a label is out of range")
    return TestSet(encoded, pixels, labels)


def little_endian(data: bytes, width: int) -> list[int]:
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]


def read_ciphertext(encoded: bytes, architecture: Architecture) -> list[int]:
    expect(len(encoded) == 32 * architecture.n_blocks, "the ciphertext is not of so many blocks")
    blocks = little_endian(encoded, 32)
    expect(all(block < R for block in blocks), "a block of the ciphertext is not canonical")
    return blocks


# transcripts and public inputs


class Transcript:
    """formats.md, Transcripts."""

    def __init__(self, domain: str):
        self.frames = b""
        self._frame(0, domain, b"")

    def _frame(self, kind: int, label: str, data: bytes) -> None:
        name = label.encode("ascii")
        lengths = struct.pack("<BI", kind, len(name)), struct.pack("<Q", len(data))
        self.frames += lengths[0] + name + lengths[1] + data

    def absorb(self, label: str, data: bytes) -> None:
        self._frame(1, label, data)

    def challenge(self, label: str) -> int:
        self._frame(2, label, b"")
        state = sha256(self.frames)
        return int.from_bytes(sha256(state + b"\0") + sha256(state + b"\1"), "big") % R

    def digest(self) -> bytes:
        return sha256(self.frames + b"\3")


@dataclass(frozen=True)
class Statement:
    """Everything that the proof is bound to, each from its own source."""

    architecture: Architecture
    blocks: list[int]
    ciphertext: bytes
    commitment: bytes
    test_set: TestSet
    threshold: int
    method: str
    request: bytes
    verifying_key_digest: bytes

    def context(self) -> bytes:
        transcript = Transcript("zkcmp statement")
        transcript.absorb("protocol version", struct.pack(">I", 2))
        transcript.absorb("architecture", self.architecture.encoded)
        transcript.absorb("ciphertext", self.ciphertext)
        transcript.absorb("commitment", self.commitment)
        transcript.absorb("test set", self.test_set.encoded)
        transcript.absorb("threshold", struct.pack(">I", self.threshold))
        transcript.absorb("method", self.method.encode("ascii"))
        transcript.absorb("request", self.request)
        transcript.absorb("parameters", self.verifying_key_digest)
        return transcript.digest()

    def public_inputs(self) -> list[int]:
        inputs = [*halves(self.context()), *halves(self.commitment), *self.blocks, self.threshold]
        if self.method == "freivalds":
            return inputs
        inputs += self.test_set.pixels
        for label in self.test_set.labels:
            inputs += [int(label == each) for each in range(self.architecture.n_classes)]
        return inputs


def halves(digest: bytes) -> tuple[int, int]:
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:], "big")


def rounds_of(method: str) -> int:
    """How many rounds the proof has. Raises Refused for a line that is no method of Groth16."""
    if method == "freivalds":
        return 2
    if method == "full":
        return 1
    sampled = re.fullmatch(r"sampled ([1-9][0-9]*)/([1-9][0-9]*) [0-9a-f]{64}", method)
    if sampled is None:
        refuse("the method is not one of Groth16's; nothing else is verified here")
    share = int(sampled[1]), int(sampled[2])
    expect(share[0] <= share[1] and math.gcd(*share) == 1, "the sample is no reduced fraction")
    return 1
