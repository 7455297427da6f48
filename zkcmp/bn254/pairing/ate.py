"""The optimal ate pairing e: G1 × G2 → GT of BN254, and products of pairings.

    e(P, Q) = (f_{6x+2,Q}(P) · l_{[6x+2]Q, π(Q)}(P) · l_{[6x+2]Q+π(Q), −π²(Q)}(P))^((p¹²−1)/r)

Vercauteren (2010); the value is py_ecc's. Every lane runs the Miller loop of one pair, then the
lanes are multiplied together and share one final exponentiation. Line functions and point steps:
Costello, Lange, Naehrig (2010) in homogeneous coordinates on the D-type twist. Hard part of the
exponent: Scott, Benger, Charlemagne, Dominguez Perez, Kachisa (2009), exactly (p⁴ − p² + 1)/r and
not a multiple of it.

Points are arrays of one affine point, G1 (1, 2, 4) or (2, 4), G2 (1, 2, 2, 4) or (2, 2, 4) uint64,
as the decoders return them. The caller must know that they are on their curves and in the groups of
order r: the decoders check it, nothing here does.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.encoding import one_point
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.pairing import tower
from zkcmp.bn254.pairing.fq2_program import Program, Value, from_lane, to_lanes
from zkcmp.bn254.params import BN_X, TWIST_B
from zkcmp.bn254.reference import Fq2Element, fq12_from_fq2

Pair = tuple[np.ndarray, np.ndarray]

_ONE: list[Fq2Element] = [(1, 0), *[(0, 0)] * 5]


def pairing(g1_point: np.ndarray, g2_point: np.ndarray) -> list[int]:
    """e(P, Q): 12 integers, coefficients of 1, w, …, w¹¹ in Fq[w]/(w¹² − 18w⁶ + 82)."""
    return pairing_product([(g1_point, g2_point)])


def pairing_product(pairs: Sequence[Pair]) -> list[int]:
    """Π e(Pᵢ, Qᵢ), in the basis of `pairing`."""
    return list(fq12_from_fq2(_product(pairs)))


def pairing_product_is_one(pairs: Sequence[Pair]) -> bool:
    """Whether Π e(Pᵢ, Qᵢ) = 1; a pair with infinity in it contributes 1.

    Raises:
        ValueError: a point is not an array of one affine point.
    """
    return _product(pairs) == _ONE


def _product(pairs: Sequence[Pair]) -> list[Fq2Element]:
    finite = []
    for left, right in pairs:
        p = g1.to_affine_ints(one_point(left, (2, 4)))[0]
        q = g2.to_affine_ints(one_point(right, (2, 2, 4)))[0]
        if p is not None and q is not None:
            finite.append([(p[0], 0), (p[1], 0), *q])
    if not finite:
        return list(_ONE)
    groups = [finite[i : i + LANES] for i in range(0, len(finite), LANES)]
    parts = [_fold(_miller_program().run(to_lanes(g)), len(g)) for g in groups]
    product = parts[0]
    for part in parts[1:]:
        product = _multiply(product, part)
    return from_lane(_final_program().run(product), 0)


def _fold(values: np.ndarray, count: int) -> np.ndarray:
    """The product of the first `count` lanes, left in lane 0."""
    while count > 1:
        half = (count + 1) // 2
        moved = _ones().copy()
        moved[:, :, : count - half] = values[:, :, half:count]
        values, count = _multiply(values, moved), half
    return values


@cache
def _ones() -> np.ndarray:
    """1 in every lane."""
    return to_lanes([_ONE] * LANES)


def _multiply(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _product_program().run(np.concatenate([x, y]))


@cache
def _product_program() -> Program:
    program = Program()
    x, y = program.registers(6), program.registers(6)
    program.inputs, program.outputs = x + y, x
    program.call(tower.fq12_mul, x, x, y)
    return program


# --- Miller loop ------------------------------------------------------------------------------


def _signed_digits(n: int) -> list[int]:
    """Non-adjacent form of n > 0, most significant digit first."""
    digits = []
    while n:
        digit = 2 - n % 4 if n % 2 else 0
        digits.append(digit)
        n = (n - digit) // 2
    return digits[::-1]


def _identity(x: list[Value]) -> list[Value]:
    return list(x)


def _conjugates(x: list[Value]) -> list[Value]:
    return [c.conjugate() for c in x]


def _negate(x: list[Value]) -> list[Value]:
    return [-c for c in x]


def _products(x: list[Value], y: list[Value]) -> list[Value]:
    return [a * b for a, b in zip(x, y, strict=True)]


def _times_line(f: list[Value], line: list[Value], point: list[Value]) -> list[Value]:
    """f times the line [c0, c1, c3], evaluated at P: c0·y_P + c1·x_P·w + c3·w³."""
    x_p, y_p = point
    return tower.fq12_mul_by_line(f, [line[0].times_fq(y_p), line[1].times_fq(x_p), line[2]])


def _double_step(
    f: list[Value], t: list[Value], point: list[Value], twist_b3: list[Value]
) -> list[Value]:
    """(f², 2T) with f² times the tangent at T; T = (X : Y : Z).

    With B = Y², E = 3b'Z², F = 3E, H = 2YZ: 2T = (2XY(B − F) : (B + F)² − 12E² : 4BH), and the
    tangent is −H·y_P + 3X²·x_P·w + (E − B)·w³.
    """
    x, y, z = t
    b, c, xy = y.square(), z.square(), x * y
    e = c * twist_b3[0]
    f3 = e.double() + e
    h = (y + z).square() - (b + c)
    xx, ee = x.square(), e.square()
    ee4 = ee.double().double()
    doubled = [
        (xy * (b - f3)).double(),
        (b + f3).square() - (ee4.double() + ee4),
        (b * h).double().double(),
    ]
    line = [-h, xx.double() + xx, e - b]
    return _times_line(tower.fq12_square(f), line, point) + doubled


def _add_step(f: list[Value], t: list[Value], q: list[Value], point: list[Value]) -> list[Value]:
    """(f, T + Q) with f times the chord through T = (X : Y : Z) and the affine Q = (x2, y2).

    With dx = X − x2·Z, dy = Y − y2·Z the chord is dx·y_P − dy·x_P·w + (x2·dy − y2·dx)·w³.
    """
    (x1, y1, z1), (x2, y2) = t, q
    dy, dx = y1 - y2 * z1, x1 - x2 * z1
    c, d = dy.square(), dx.square()
    e, g = dx * d, x1 * d
    h = e + z1 * c - g.double()
    total = [dx * h, (g - h) * dy - y1 * e, e * z1]
    line = [dx, -dy, x2 * dy - dx * y2]
    return _times_line(f, line, point) + total


@cache
def _miller_program() -> Program:
    """Inputs x_P, y_P, x_Q, y_Q; output the Miller value."""
    program = Program()
    point, q = program.registers(2), program.registers(2)
    f, t, minus_q = program.registers(6), program.registers(3), program.registers(2)
    program.inputs, program.outputs = point + q, f
    twist_b3 = program.constants([(3 * TWIST_B[0], 3 * TWIST_B[1])])
    one = program.constants([(1, 0)])
    program.call(_identity, f, program.constants(_ONE))
    program.call(_identity, t, q + one)
    program.call(_identity, minus_q[:1], q[:1])
    program.call(_negate, minus_q[1:], q[1:])
    for digit in _signed_digits(6 * BN_X + 2)[1:]:
        program.call(_double_step, f + t, f, t, point, twist_b3)
        if digit:
            program.call(_add_step, f + t, f, t, q if digit > 0 else minus_q, point)
    # π(x, y) = (x̄·ξ^((p−1)/3), ȳ·ξ^((p−1)/2)); −π²(Q) is π(π(Q)) with y negated
    gamma = tower.frobenius_constants(1)
    twisted = program.constants([gamma[2], gamma[3]])
    image = minus_q
    program.call(_conjugates, image, q)
    program.call(_products, image, image, twisted)
    program.call(_add_step, f + t, f, t, image, point)
    program.call(_conjugates, image, image)
    program.call(_products, image, image, twisted)
    program.call(_negate, image[1:], image[1:])
    program.call(_add_step, f + t, f, t, image, point)
    return program


# --- final exponentiation ---------------------------------------------------------------------


class _Gt:
    """Writes a Program in terms of whole elements of Fq¹²."""

    def __init__(self, program: Program):
        self.program = program
        self.gammas = [program.constants(tower.frobenius_constants(k)) for k in range(4)]

    def new(self) -> list[int]:
        return self.program.registers(6)

    def mul(self, x: list[int], y: list[int]) -> list[int]:
        out = self.new()
        self.program.call(tower.fq12_mul, out, x, y)
        return out

    def square(self, x: list[int]) -> list[int]:
        out = self.new()
        self.program.call(tower.fq12_cyclotomic_square, out, x)
        return out

    def conjugate(self, x: list[int]) -> list[int]:
        out = self.new()
        self.program.call(tower.fq12_conjugate, out, x)
        return out

    def frobenius(self, x: list[int], power: int) -> list[int]:
        out = self.new()
        formula = tower.fq12_frobenius_odd if power % 2 else tower.fq12_frobenius_even
        self.program.call(formula, out, x, self.gammas[power])
        return out

    def power_of_x(self, base: list[int]) -> list[int]:
        """base^x for the curve parameter x, base in the cyclotomic subgroup."""
        out, inverse = self.new(), self.conjugate(base)
        self.program.call(_identity, out, base)
        for digit in _signed_digits(BN_X)[1:]:
            self.program.call(tower.fq12_cyclotomic_square, out, out)
            if digit:
                self.program.call(tower.fq12_mul, out, out, base if digit > 0 else inverse)
        return out


@cache
def _final_program() -> Program:
    """f → f^((p¹² − 1)/r).

    (p⁴ − p² + 1)/r = λ0 + λ1·p + λ2·p² + p³ with λ2 = 6x² + 1, λ1 = −36x³ − 18x² − 12x + 1 and
    λ0 = −36x³ − 30x² − 18x − 2, as the addition chain y0·y1²·y2⁶·y3¹²·y4¹⁸·y5³⁰·y6³⁶.
    """
    program = Program()
    gt = _Gt(program)
    f, inverse = gt.new(), gt.new()
    program.inputs = f
    # easy part: (p⁶ − 1)(p² + 1)
    program.call(tower.fq12_inverse, inverse, f)
    f = gt.mul(gt.conjugate(f), inverse)
    f = gt.mul(gt.frobenius(f, 2), f)
    # hard part
    fx = gt.power_of_x(f)
    fx2 = gt.power_of_x(fx)
    fx3 = gt.power_of_x(fx2)
    y0 = gt.mul(gt.mul(gt.frobenius(f, 1), gt.frobenius(f, 2)), gt.frobenius(f, 3))
    y1 = gt.conjugate(f)
    y2 = gt.frobenius(fx2, 2)
    y3 = gt.conjugate(gt.frobenius(fx, 1))
    y4 = gt.conjugate(gt.mul(fx, gt.frobenius(fx2, 1)))
    y5 = gt.conjugate(fx2)
    y6 = gt.conjugate(gt.mul(fx3, gt.frobenius(fx3, 1)))
    t0 = gt.mul(gt.mul(gt.square(y6), y4), y5)
    t1 = gt.mul(gt.mul(y3, y5), t0)
    t0 = gt.mul(t0, y2)
    t1 = gt.square(gt.mul(gt.square(t1), t0))
    t0, t1 = gt.mul(t1, y1), gt.mul(t1, y0)
    program.outputs = gt.mul(gt.square(t0), t1)
    return program
