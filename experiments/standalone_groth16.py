"""Groth16 over BN254 in one round and in two, from docs/groth16.md alone; see verify_standalone.py.

    e(A,B) = e(α,β)·e(IC,γ)·e(C,δ) [·e(D,δ₀)]         IC = K_0 + Σ z_i·K_i

py_ecc has the fields, the curve and the pairing. Every point is decoded from its one encoding and
is in its group, and not infinity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from py_ecc import optimized_bn128 as bn
from standalone_messages import Reader, expect, sha256
from standalone_statement import R, Transcript

P = bn.field_modulus
Point = tuple[Any, Any, Any]


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
    inputs = [key_g1(reader) for _ in range(n_public + 1)]
    digest = sha256(encoded)
    return VerifyingKey(
        digest, circuit, n_public, n_challenges, alpha, beta, gamma, delta, delta_0, inputs
    )


def at_rest(reader: Reader) -> int:
    """A coordinate from x·2²⁶⁰ mod p."""
    value = reader.number(32)
    expect(value < P, "a coordinate of the verifying key is not canonical")
    return int(value * pow(2, -260, P) % P)


def key_g1(reader: Reader) -> Point:
    """Infinity, (0, 0) at rest, is on no curve and so refused, here and in G2."""
    point = (bn.FQ(at_rest(reader)), bn.FQ(at_rest(reader)), bn.FQ.one())
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


def input_point(key: VerifyingKey, statement: Sequence[int], proof: Proof) -> Point:
    """IC, over the inputs of the statement and the challenges that answer it and D."""
    expect(
        len(statement) + key.n_challenges == key.n_public,
        "the verifying key is for another number of public inputs",
    )
    inputs = [*statement, *challenges(key, statement, proof)]
    combined = key.inputs[0]
    for value, point in zip(inputs, key.inputs[1:], strict=True):
        if value:
            combined = bn.add(combined, bn.multiply(point, value))
    return combined


def check_equation(key: VerifyingKey, statement: Sequence[int], proof: Proof) -> None:
    pairs: list[tuple[Point, Point | None]] = [
        (proof.a, proof.b),
        (bn.neg(key.alpha), key.beta),
        (bn.neg(input_point(key, statement, proof)), key.gamma),
        (bn.neg(proof.c), key.delta),
    ]
    if proof.d is not None:
        pairs.append((bn.neg(proof.d), key.delta_0))
    product = bn.FQ12.one()
    for g1, g2 in pairs:
        product *= bn.pairing(g2, g1, final_exponentiate=False)
    expect(bn.final_exponentiate(product) == bn.FQ12.one(), "the proof does not verify")
