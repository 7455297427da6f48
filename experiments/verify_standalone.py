"""A second verifier for a buyer, written from docs/ alone, that shares no code with the project.

    zkcmp buyer export --deal deal --out files
    python experiments/verify_standalone.py files --seller "FINGERPRINT"

It needs Python, py_ecc for the curve, and the documents formats.md, groth16.md, exchange.md and
settlement.md. It verifies a deal that was proved with Groth16, from these files:

    offer.zkcmp, request.zkcmp, delivery.zkcmp      messages, never decrypted here
    request.json, test_set.bin, verifying.key       the buyer's own
    ciphertext.bin, proof.bin                       what the delivery holds
    lock.zkcmp, lock-transaction.hex                once there is a lock

In this order: encodings, signatures and who answers whom; the architecture, its blocks and that no
accumulator wraps; the test set and the threshold; the digest of the ciphertext in the offer; the
public inputs, recomputed; the pairing equation, in full and sampled

    e(A,B) = e(α,β)·e(IC,γ)·e(C,δ)             IC = K_0 + Σ z_i·K_i

and in freivalds times e(D,δ₀), with challenges hashed from D among the z_i; then that the lock pays
the price to the hash-lock of this very E, to this offer's key and back to ours.

What the caller must see to: that verifying.key, test_set.bin and request.json are the buyer's own;
that the key was made by the buyer, for the circuit of this request (its digest stands in the key,
and only whoever builds the circuit can compare it); that the seller's fingerprint is the seller's;
and that the lock is mined, for nothing here looks at a chain. Ends with 0, or with 2 and one line.
"""

import argparse
import hashlib
import json
import math
import re
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from py_ecc import optimized_bn128 as bn

R = bn.curve_order
P = bn.field_modulus
MAX_FILE_BYTES = 1 << 30
MAX_PROOF_BYTES = 1 << 20

Json = dict[str, Any]
Point = tuple[Any, Any, Any]


class Refused(Exception):
    """What is wrong, in one line."""


def refuse(what: str) -> NoReturn:
    raise Refused(what)


def expect(holds: bool, what: str) -> None:
    if not holds:
        refuse(what)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# --- Ed25519, RFC 8032 section 5.1.7 --------------------------------------------------------------

ED_P = 2**255 - 19
ED_ORDER = 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P
EdPoint = tuple[int, int]


def ed_add(one: EdPoint, other: EdPoint) -> EdPoint:
    """The sum on -x² + y² = 1 + d·x²·y², complete for every pair."""
    (x1, y1), (x2, y2) = one, other
    product = ED_D * x1 * x2 * y1 * y2 % ED_P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, ED_P) % ED_P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, ED_P) % ED_P
    return x, y


def ed_multiply(scalar: int, point: EdPoint) -> EdPoint:
    total = (0, 1)
    for bit in bin(scalar)[2:]:
        total = ed_add(total, total)
        if bit == "1":
            total = ed_add(total, point)
    return total


def ed_decode(data: bytes) -> EdPoint:
    encoded = int.from_bytes(data, "little")
    y, odd = encoded % 2**255, encoded >> 255
    expect(y < ED_P, "a point of a signature is not canonical")
    square = (y * y - 1) * pow(ED_D * y * y + 1, -1, ED_P) % ED_P
    x = pow(square, (ED_P + 3) // 8, ED_P)
    if x * x % ED_P != square:
        x = x * pow(2, (ED_P - 1) // 4, ED_P) % ED_P
    expect(x * x % ED_P == square, "a point of a signature is not on the curve")
    expect(x != 0 or not odd, "a point of a signature is not canonical")
    return (ED_P - x if x % 2 != odd else x), y


ED_BASE = ed_decode((4 * pow(5, -1, ED_P) % ED_P).to_bytes(32, "little"))


def check_signature(public_key: bytes, message: bytes, signature: bytes) -> None:
    """[S]B = R + [H(R ‖ A ‖ message)]A, without the cofactor."""
    a, r = ed_decode(public_key), ed_decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    expect(s < ED_ORDER, "a signature is not canonical")
    hashed = hashlib.sha512(signature[:32] + public_key + message).digest()
    k = int.from_bytes(hashed, "little") % ED_ORDER
    expect(
        ed_multiply(s, ED_BASE) == ed_add(r, ed_multiply(k, a)),
        "the signature is not the sender's",
    )


# --- messages: formats.md, Envelope and Records ---------------------------------------------------

OFFER, REQUEST, DELIVERY, LOCK = 1, 2, 4, 5
FILE_NAMES = {
    OFFER: "offer.zkcmp",
    REQUEST: "request.zkcmp",
    DELIVERY: "delivery.zkcmp",
    LOCK: "lock.zkcmp",
}
OFFER_BYTES = {
    "deal": 16,
    "claim_key": 33,
    "reading_key": 32,
    "commitment": 32,
    "ciphertext_digest": 32,
}
OFFER_NUMBERS = (
    "n_blocks",
    "price_sat",
    "timeout_blocks",
    "confirmations",
    "min_blocks_left",
    "expires_at",
)
ROUTE_BYTES = {"deal": 16, "recipient": 32, "answers": 32, "encapsulated": 32}
LOCK_BYTES = {"deal": 16, "answers": 32, "txid": 32}


@dataclass(frozen=True)
class Message:
    """A message whose signature is its sender's."""

    sender: bytes
    header: Json
    body: bytes
    digest: bytes


class Reader:
    """Takes bytes from the front and refuses to end before the end."""

    def __init__(self, data: bytes, what: str):
        self.data, self.at, self.what = data, 0, what

    def take(self, n_bytes: int) -> bytes:
        expect(self.at + n_bytes <= len(self.data), f"{self.what} is cut short")
        self.at += n_bytes
        return self.data[self.at - n_bytes : self.at]

    def number(self, n_bytes: int, order: Any = "little") -> int:
        return int.from_bytes(self.take(n_bytes), order)

    def end(self) -> None:
        expect(self.at == len(self.data), f"{self.what} has bytes behind its end")


def read_message(data: bytes, kind: int) -> Message:
    what = FILE_NAMES[kind]
    reader = Reader(data, what)
    expect(reader.take(5) == b"ZKCMP", f"{what} is no message of a deal")
    expect(reader.number(1) == kind, f"{what} is a message of another kind")
    expect(reader.number(2, "big") == 1, f"{what} is of another version")
    sender = reader.take(32)
    header_bytes = reader.number(4, "big")
    expect(header_bytes <= 1 << 14, f"the header of {what} is too long")
    header = canonical_json(reader.take(header_bytes), f"the header of {what}")
    body = reader.take(reader.number(8, "big"))
    signature = reader.take(64)
    reader.end()
    digest = sha256(data[:-64])
    try:
        check_signature(sender, b"zkcmp message signature" + digest, signature)
    except Refused as refused:
        refuse(f"{what}: {refused}")
    return Message(sender, header, body, digest)


def canonical_json(data: bytes, what: str) -> Json:
    try:
        value = json.loads(data.decode("ascii"))
        encoded = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    except (ValueError, RecursionError):
        refuse(f"{what} is not JSON")
    expect(isinstance(value, dict), f"{what} is not a JSON object")
    expect(encoded.encode("ascii") == data, f"{what} is not in its canonical form")
    return dict(value)


def check_fields(record: Json, lengths: dict[str, int], others: Sequence[str], what: str) -> None:
    """Exactly these fields; those of `lengths` lower-case hexadecimal of so many bytes."""
    expect(set(record) == {*lengths, *others}, f"{what} has other fields than it should")
    for name, n_bytes in lengths.items():
        text = record[name]
        fits = isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{2 * n_bytes}}}", text)
        expect(bool(fits), f"{name} of {what} is not {n_bytes} bytes in hexadecimal")


def is_number(value: Any) -> bool:
    return type(value) is int and value >= 0


def fingerprint(public_key: bytes) -> str:
    text = sha256(b"zkcmp identity" + public_key).hex()[:32]
    return " ".join(text[at : at + 4] for at in range(0, 32, 4))


# --- architecture: formats.md, Architecture and Seal ----------------------------------------------

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
        expect(1 <= bits <= 253, "a tensor's width is not from 1 to 253 bits")
        self.n_blocks += -(-n_weights // (253 // bits))

    def grow(self, largest: int, what: str) -> None:
        expect(2 * largest < R, f"the accumulators of {what} can wrap")
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
    expect(fits and bool(layers), "the architecture has no layers")
    shapes = Shapes(shape, 2**input_bits - 1)
    for index, layer in enumerate(layers):
        kind = layer.get("kind")
        expect(isinstance(kind, str) and kind in LAYER_FIELDS, f"layer {index} is of no known kind")
        what = f"{kind}{index}"
        expect(set(layer) == LAYER_FIELDS[kind], f"{what} has other fields than it should")
        getattr(shapes, kind)(layer, what)
    expect(layers[-1]["kind"] == "dense", "the last layer is not dense")
    spread = 2 * shapes.largest
    expect(spread + (1 << spread.bit_length()) <= R, "the margins between logits can wrap")
    return Architecture(encoded, shape, input_bits, shapes.shape[0], shapes.n_blocks)


# --- test set and ciphertext ----------------------------------------------------------------------


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


# --- transcripts and public inputs ----------------------------------------------------------------


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


# --- Groth16 over BN254 ---------------------------------------------------------------------------

INFINITY_1: Point = (bn.FQ.one(), bn.FQ.one(), bn.FQ.zero())


@dataclass(frozen=True)
class VerifyingKey:
    digest: bytes
    circuit: bytes
    n_public: int
    n_challenges: int
    alpha: Point
    beta: Point
    gamma: Point
    delta: Point
    delta_0: Point | None
    inputs: list[Point]


@dataclass(frozen=True)
class Proof:
    a: Point
    b: Point
    c: Point
    d: Point | None
    d_encoded: bytes


def read_verifying_key(encoded: bytes, rounds: int) -> VerifyingKey:
    reader = Reader(encoded, "the verifying key")
    expect(reader.take(8) == b"zkcmp-vk", "verifying.key is no verifying key")
    expect(reader.number(4) == rounds, "the verifying key is for another number of rounds")
    circuit, n_public = reader.take(32), reader.number(4)
    n_challenges = reader.number(4) if rounds == 2 else 0
    expect(rounds == 1 or 1 <= n_challenges <= n_public, "the key has no challenges")
    alpha = key_g1(reader)
    beta, gamma, delta = (key_g2(reader) for _ in range(3))
    delta_0 = key_g2(reader) if rounds == 2 else None
    expect(len(encoded) - reader.at == 64 * (n_public + 1), "the key is of another length")
    inputs = [key_g1(reader, allow_infinity=True) for _ in range(n_public + 1)]
    return VerifyingKey(
        *(sha256(encoded), circuit, n_public, n_challenges),
        *(alpha, beta, gamma, delta, delta_0, inputs),
    )


def at_rest(reader: Reader) -> int:
    """A coordinate from x·2²⁶⁰ mod p."""
    value = reader.number(32)
    expect(value < P, "a coordinate of the verifying key is not canonical")
    return int(value * pow(2, -260, P) % P)


def key_g1(reader: Reader, allow_infinity: bool = False) -> Point:
    x, y = at_rest(reader), at_rest(reader)
    if (x, y) == (0, 0):
        expect(allow_infinity, "an element of the verifying key is infinity")
        return INFINITY_1
    point = (bn.FQ(x), bn.FQ(y), bn.FQ.one())
    expect(bn.is_on_curve(point, bn.b), "a point of the verifying key is not on the curve")
    return point


def key_g2(reader: Reader) -> Point:
    x, y = (bn.FQ2([at_rest(reader), at_rest(reader)]) for _ in range(2))
    return in_g2((x, y, bn.FQ2.one()), "the verifying key")


def in_g2(point: Point, what: str) -> Point:
    """The twist has other points than those of G2: order r has to be checked."""
    expect(bn.is_on_curve(point, bn.b2), f"a point of {what} is not on the curve")
    expect(bn.is_inf(bn.multiply(point, R)), f"a point of {what} is not in the subgroup")
    return point


def read_proof(encoded: bytes, rounds: int) -> Proof:
    expect(len(encoded) == {1: 128, 2: 160}[rounds], "the proof is of another length")
    a, b, c, d = (encoded[i:j] for i, j in ((0, 32), (32, 96), (96, 128), (128, 160)))
    return Proof(
        decompress_g1(a), decompress_g2(b), decompress_g1(c), decompress_g1(d) if d else None, d
    )


def split_sign(data: bytes) -> tuple[bool, bytes]:
    """Whether y is the larger one, and the bytes without the two top bits. No infinity."""
    flag = data[0] >> 6
    expect(flag in (2, 3), "an element of the proof is infinity, or of no known form")
    return flag == 3, bytes([data[0] & 0x3F]) + data[1:]


def coordinate(data: bytes) -> int:
    value = int.from_bytes(data, "big")
    expect(value < P, "a coordinate of the proof is not canonical")
    return value


def decompress_g1(data: bytes) -> Point:
    larger, rest = split_sign(data)
    x = coordinate(rest)
    y = root(x**3 + 3)
    return (bn.FQ(x), bn.FQ(P - y if (y > P // 2) != larger else y), bn.FQ.one())


def decompress_g2(data: bytes) -> Point:
    larger, rest = split_sign(data)
    c1, c0 = coordinate(rest[:32]), coordinate(rest[32:])
    x = bn.FQ2([c0, c1])
    y = root_2(x * x * x + bn.b2)
    y0, y1 = (int(c) for c in y.coeffs)
    if ((y1 or y0) > P // 2) != larger:
        y = -y
    return in_g2((x, y, bn.FQ2.one()), "the proof")


def root(square: int) -> int:
    y = pow(square, (P + 1) // 4, P)
    expect((y * y - square) % P == 0, "a point of the proof is not on the curve")
    return int(y)


def root_2(square: Any) -> Any:
    """A root of a + b·u, u² = −1: with n² = a² + b², y0² = (a ± n)/2 and y1 = b/(2·y0)."""
    a, b = (int(c) for c in square.coeffs)
    if b == 0:
        return bn.FQ2([0, root(-a)]) if pow(a, P // 2, P) == P - 1 else bn.FQ2([root(a), 0])
    half, norm = (P + 1) // 2, root(a * a + b * b)
    real = (a + norm) * half % P
    if pow(real, P // 2, P) == P - 1:
        real = (a - norm) * half % P
    y0 = root(real)
    return bn.FQ2([y0, b * half * pow(y0, -1, P) % P])


def challenges(key: VerifyingKey, inputs: Sequence[int], proof: Proof) -> list[int]:
    transcript = Transcript("zkcmp groth16 two rounds v1")
    transcript.absorb("verifying key", key.digest)
    transcript.absorb("public inputs", b"".join(z.to_bytes(32, "little") for z in inputs))
    transcript.absorb("commitment", proof.d_encoded)
    return [transcript.challenge("challenge") for _ in range(key.n_challenges)]


def check_equation(key: VerifyingKey, statement: Sequence[int], proof: Proof) -> None:
    expect(
        len(statement) + key.n_challenges == key.n_public,
        "the verifying key is for another number of public inputs",
    )
    inputs = [*statement, *challenges(key, statement, proof)]
    combined = key.inputs[0]
    for value, point in zip(inputs, key.inputs[1:], strict=True):
        if value:
            combined = bn.add(combined, bn.multiply(point, value))
    pairs = [
        (proof.a, proof.b),
        (bn.neg(key.alpha), key.beta),
        (bn.neg(combined), key.gamma),
        (bn.neg(proof.c), key.delta),
    ]
    if proof.d is not None:
        pairs.append((bn.neg(proof.d), key.delta_0))
    product = bn.FQ12.one()
    for g1, g2 in pairs:
        product *= bn.pairing(g2, g1, final_exponentiate=False)
    expect(bn.final_exponentiate(product) == bn.FQ12.one(), "the proof does not verify")


# --- the lock: formats.md, Hash-lock --------------------------------------------------------------


def push(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def push_number(value: int) -> bytes:
    """The minimal push of a height."""
    if 1 <= value <= 16:
        return bytes([0x50 + value])
    return push(value.to_bytes(value.bit_length() // 8 + 1, "little"))


def hash_lock(commitment: bytes, claim_key: bytes, timeout: int, refund_key: bytes) -> bytes:
    claim = b"\x82" + push(b"\x20") + b"\x88\xa8" + push(commitment) + b"\x88" + push(claim_key)
    refund = push_number(timeout) + b"\xb1\x75" + push(refund_key)
    return b"\x63" + claim + b"\x67" + refund + b"\x68\xac"


def read_transaction(data: bytes) -> tuple[str, list[tuple[int, bytes]]]:
    """The id, in the order explorers print, and amount and script of every output."""
    reader = Reader(data, "the lock transaction")
    version = reader.take(4)
    segwit = data[4:6] == b"\0\1"
    if segwit:
        reader.take(2)
    start = reader.at
    n_inputs = compact(reader)
    for _ in range(n_inputs):
        reader.take(36)
        reader.take(compact(reader))
        reader.take(4)
    outputs = [(reader.number(8), reader.take(compact(reader))) for _ in range(compact(reader))]
    signed = data[start : reader.at]
    for _ in range(n_inputs if segwit else 0):
        for _ in range(compact(reader)):
            reader.take(compact(reader))
    lock_time = reader.take(4)
    reader.end()
    return sha256(sha256(version + signed + lock_time))[::-1].hex(), outputs


def compact(reader: Reader) -> int:
    first = reader.number(1)
    if first < 0xFD:
        return first
    width = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
    value = reader.number(width)
    expect(value >= {2: 0xFD, 4: 1 << 16, 8: 1 << 32}[width], "a length is not minimal")
    return value


def check_lock(
    offer: Message, request: Message, delivery: Message, lock: Message, refund_key: bytes, tx: bytes
) -> str:
    """The outpoint that pays the price to the hash-lock of the offer's E."""
    terms, record = offer.header, lock.header
    check_fields(record, LOCK_BYTES, ("redeem_script", *LOCK_NUMBERS), "lock.zkcmp")
    expect(all(is_number(record[name]) for name in LOCK_NUMBERS), "a number of lock.zkcmp is none")
    expect(lock.sender == request.sender, "lock.zkcmp is not from the buyer of this deal")
    expect(record["deal"] == terms["deal"], "lock.zkcmp is of another deal")
    expect(record["answers"] == delivery.digest.hex(), "lock.zkcmp answers another delivery")
    expect(not lock.body, "lock.zkcmp has a body")
    timeout = record["timeout_height"]
    expect(1 <= timeout < 500_000_000, "the timeout is no height")
    script = hash_lock(
        bytes.fromhex(terms["commitment"]), bytes.fromhex(terms["claim_key"]), timeout, refund_key
    )
    expect(record["redeem_script"] == script.hex(), "the script is not the hash-lock of this deal")
    expect(record["amount_sat"] == terms["price_sat"], "the lock names another amount")
    txid, outputs = read_transaction(tx)
    expect(record["txid"] == txid, "the transaction is not the one of lock.zkcmp")
    expect(record["vout"] < len(outputs), "the transaction has no such output")
    amount, paid_to = outputs[record["vout"]]
    expect(paid_to == b"\0" + push(sha256(script)), "the output pays to another script")
    expect(amount == terms["price_sat"], "the output pays another amount")
    return f"{txid}:{record['vout']}"


LOCK_NUMBERS = ("vout", "amount_sat", "timeout_height")


# --- a deal ---------------------------------------------------------------------------------------


def read_file(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        expect(path.stat().st_size <= MAX_FILE_BYTES, f"{name} is too large")
        return path.read_bytes()
    except OSError as error:
        refuse(f"cannot read {path}: {error.strerror}")


def read_offer(folder: Path) -> Message:
    offer = read_message(read_file(folder, "offer.zkcmp"), OFFER)
    check_fields(offer.header, OFFER_BYTES, (*OFFER_NUMBERS, "chain"), "offer.zkcmp")
    for name in OFFER_NUMBERS:
        expect(is_number(offer.header[name]), f"{name} of offer.zkcmp is no number")
    known = ("regtest", "signet", "testnet", "main")
    expect(offer.header["chain"] in known, "offer.zkcmp names no known chain")
    return offer


def check_route(message: Message, name: str, recipient: bytes, offer: Message) -> None:
    check_fields(message.header, ROUTE_BYTES, (), name)
    expect(message.header["deal"] == offer.header["deal"], f"{name} is of another deal")
    expect(message.header["recipient"] == recipient.hex(), f"{name} is for somebody else")


def read_asked(folder: Path) -> tuple[int, str, bytes]:
    """The threshold, the method line and the refund key: the buyer's own words."""
    try:
        asked = json.loads(read_file(folder, "request.json"))
    except ValueError:
        refuse("request.json is not JSON")
    expect(isinstance(asked, dict), "request.json is not a JSON object")
    check_fields(asked, {"refund_key": 33}, ("threshold", "method"), "request.json")
    expect(is_number(asked["threshold"]), "the threshold of request.json is no number")
    expect(isinstance(asked["method"], str), "the method of request.json is no line")
    return asked["threshold"], asked["method"], bytes.fromhex(asked["refund_key"])


def check_seller(offer: Message, typed: str | None) -> None:
    if typed is None:
        return
    wanted = "".join(typed.split()).replace("-", "").lower()
    expect(wanted == fingerprint(offer.sender).replace(" ", ""), "the offer is another seller's")


def verify_deal(
    folder: Path, seller: str | None = None, say: Callable[[str], None] = lambda line: None
) -> None:
    """Raise Refused unless the files of `folder` show what the module's docstring says."""
    offer = read_offer(folder)
    check_seller(offer, seller)
    request = read_message(read_file(folder, "request.zkcmp"), REQUEST)
    check_route(request, "request.zkcmp", offer.sender, offer)
    expect(request.header["answers"] == offer.digest.hex(), "request.zkcmp answers another offer")
    delivery = read_message(read_file(folder, "delivery.zkcmp"), DELIVERY)
    check_route(delivery, "delivery.zkcmp", request.sender, offer)
    expect(delivery.sender == offer.sender, "delivery.zkcmp is not from the seller of this deal")
    say(f"seller     {fingerprint(offer.sender)}   (compare by another channel)")

    threshold, method, refund_key = read_asked(folder)
    rounds = rounds_of(method)
    architecture = read_architecture(offer.body)
    expect(
        offer.header["n_blocks"] == architecture.n_blocks,
        "the offer names another number of blocks than its architecture needs",
    )
    test_set = read_test_set(read_file(folder, "test_set.bin"), architecture)
    n_images = len(test_set.labels)
    expect(1 <= threshold <= n_images, "the threshold is not from 1 to the number of images")
    ciphertext = read_file(folder, "ciphertext.bin")
    expect(
        sha256(ciphertext).hex() == offer.header["ciphertext_digest"],
        "the ciphertext is not the one of the offer",
    )
    key = read_verifying_key(read_file(folder, "verifying.key"), rounds)
    statement = Statement(
        architecture,
        read_ciphertext(ciphertext, architecture),
        ciphertext,
        bytes.fromhex(offer.header["commitment"]),
        test_set,
        threshold,
        method,
        request.digest,
        key.digest,
    )
    proof = read_proof(read_file(folder, "proof.bin"), rounds)
    check_equation(key, statement.public_inputs(), proof)
    say(f"method     {method}")
    if method.startswith("sampled"):
        say("verified   the equation; this mode does NOT show that any image is right")
    else:
        say(f"verified   the sealed network gets at least {threshold} of {n_images} images right,")
        say(f"           and its key is the preimage of {offer.header['commitment']}")
    say(f"key        circuit {key.circuit.hex()}")
    say("           sound only if you made verifying.key yourself, for the circuit of this request")

    if not (folder / "lock.zkcmp").exists():
        say("lock       none yet")
        return
    lock = read_message(read_file(folder, "lock.zkcmp"), LOCK)
    transaction = read_hex(folder, "lock-transaction.hex")
    outpoint = check_lock(offer, request, delivery, lock, refund_key, transaction)
    say(f"lock       {offer.header['price_sat']} sat for that preimage, {outpoint}")
    say("           whether it is mined, a node tells")


def read_hex(folder: Path, name: str) -> bytes:
    try:
        return bytes.fromhex(read_file(folder, name).decode("ascii"))
    except ValueError:
        refuse(f"{name} is not hexadecimal")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify an exported deal from the documents alone")
    parser.add_argument("folder", type=Path, help="what `zkcmp buyer export` wrote")
    parser.add_argument("--seller", help="refuse an offer of any other fingerprint")
    options = parser.parse_args(arguments)
    try:
        verify_deal(options.folder, options.seller, print)
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
