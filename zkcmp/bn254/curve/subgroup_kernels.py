# mypy: ignore-errors
"""Is a point of the twist in G2? An equation that the points of order r fulfil, and no others.

With x the BN parameter, ψ the Frobenius map seen on the twist and P on the twist, P is in G2 iff

    [x + 1]P + ψ([x]P) + ψ²([x]P) = ψ³([2x]P)         (Dai, Lin, Zhao, Zhou, ePrint 2022/348)

The twist has r·(2p − r) points, and ψ² − tψ + p = 0 on all of them. Modulo that the equation is
f(ψ)P = O with f = a + bψ; times its conjugate, (a² + abt + b²p)P = O. That number and r·(2p − r)
have the greatest common divisor r (the tests compute it), so a P that fulfils the equation has an
order that divides r. On G2, ψ is multiplication by p, and f(p) = 0 mod r.

How it is evaluated. ψ² = ζ: (x, y) → (wx, −y) with w³ = 1, so ζ² − ζ + 1 = 0, and hence
1 + ζ = ζ²(1 − 2ζ). That leaves one addition, and T, a cheap image of [x]P:

    P + ψ(T) = −ψ⁴(T),     T = (1 − 2ζ)[x]P

    1 − 2ζ: (X : Y : Z) → (4Y² − 3X³ : Y(8Y² − 9X³) : √−3·XZ),     √−3 = w² − w

Points are Jacobian, (X : Y : Z) = (X/Z², Y/Z³). The formulas do *not* cover equal, opposite and
infinite points, and need not: each multiplies Z by a factor which is 0 wherever it does not apply,

    2P: 2Y        P + Q, Q = (x, y): xZ² − X        (1 − 2ζ)P: √−3·X

and a Z that is 0 stays 0. So a result with Z ≠ 0 was right at every step. A member of G2 never gets
there: an addition in [x]P is of k·P and ±k′·P with k ≠ ±k′ below 2^64, hence k ≠ ±k′ mod r (the
last one, of ψ(T) and P, is in the tests). A finite P that ends with Z = 0 is not in G2, whatever
its order.

[x]P takes 62 doublings and 12 additions of ±15P or ±17P, which are 16P ± P and have the same Z: on
the curve y² = x³ + bZ⁶ both are affine, and no formula mentions b.
"""

import numpy as np
from numba.extending import intrinsic

from zkcmp.bn254.curve.group_law import frobenius_x, frobenius_y
from zkcmp.bn254.curve.point_kernels import is_infinity_record
from zkcmp.bn254.lanes.arithmetic import (
    Arithmetic,
    add,
    conjugate,
    double,
    elements_of,
    is_zero,
    mask_and,
    mask_not,
    mask_or,
    mask_to_bits,
    mul,
    mul_fq,
    neg,
    reduce,
    residue_constant,
    same_field_one,
    sqr,
    sub_both,
    sub_reduced,
    type_of,
    value_of,
)
from zkcmp.bn254.lanes.body import BODY, LANES
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.points import load_points
from zkcmp.bn254.params import FQ_MODULUS, FROBENIUS_X

# x = Σ_k d_k·2^k with d_k ∈ {0, ±15, ±17}; the most significant first
_DIGITS = (
    "17 0 0 0 0 0 15 0 0 0 0 -15 0 0 17 0 0 0 0 0 15 0 -17 0 0 0 0 0 17 0 0 0 0 0 0 17 0 15 0 0"
    " 0 0 0 17 0 0 0 17 0 0 0 0 0 15 0 0 0 0 17"
)
X_DIGITS = np.array([int(d) for d in _DIGITS.split()], np.int8)

# ψ² multiplies an abscissa by this cube root of unity
OMEGA = sum(c * c for c in FROBENIUS_X) % FQ_MODULUS
SQRT_MINUS_3 = (OMEGA * OMEGA - OMEGA) % FQ_MODULUS

_omega_squared = residue_constant("Fq", OMEGA * OMEGA % FQ_MODULUS)
_sqrt_minus_3 = residue_constant("Fq", SQRT_MINUS_3)


def _weighted_sum(*weights):
    """An intrinsic: Σ weights[k]·operand[k] of two or three operands, bound 2."""

    def operation(a, *operands):
        out = []
        for terms in zip(*operands, strict=True):
            sides = [], []
            for term, weight in zip(terms, weights, strict=True):
                sides[weight < 0].extend(_copies(a, term, abs(weight)))
            out.append(a.combine(*sides, reduced=True))
        return out

    def typed(*operands):
        result = type_of(operation(Arithmetic(), *(elements_of(t, None, None) for t in operands)))

        def codegen(context, b, signature, args):
            values = [elements_of(t, v, b) for t, v in zip(operands, args, strict=True)]
            return value_of(operation(Arithmetic(b), *values), b)

        return result(*operands), codegen

    if len(weights) == 2:
        return intrinsic(lambda typingctx, x, y: typed(x, y))
    return intrinsic(lambda typingctx, x, y, z: typed(x, y, z))


def _copies(a, term, weight):
    """Terms whose sum is weight·term: the term itself, or a multiple where it is too wide."""
    if weight * term.bound <= BODY.bound_limit:
        return [term] * weight
    half = _copies(a, a.reduce(a.add(term, term)), weight // 2)
    return half + [term] * (weight % 2)


_x_minus_4y = _weighted_sum(1, -4)
_x_minus_8y = _weighted_sum(1, -8)
_2x_minus_y = _weighted_sum(2, -1)
_4x_minus_3y = _weighted_sum(4, -3)
_8x_minus_9y = _weighted_sum(8, -9)
_x_minus_2y_minus_z = _weighted_sum(1, -2, -1)


@kernel
def double_jacobian(p):
    """2P; Z3 = 2YZ."""
    x, y, z = p
    xx, yy = sqr(x), reduce(sqr(y))
    yyyy = sqr(yy)
    twice_xyy = sub_both(sqr(add(x, yy)), xx, yyyy)
    slope = reduce(add(add(xx, xx), xx))
    x3 = _x_minus_4y(sqr(slope), twice_xyy)
    y3 = _x_minus_8y(mul(slope, _2x_minus_y(twice_xyy, x3)), yyyy)
    return x3, y3, reduce(double(mul(y, z)))


@kernel
def add_affine_jacobian(p, q):
    """P + Q for an affine Q = (x, y); Z3 = Z·(x·Z² − X)."""
    x1, y1, z1 = p
    x2, y2 = q
    zz = sqr(z1)
    h = sub_reduced(mul(x2, zz), x1)
    slope = sub_reduced(mul(y2, mul(z1, zz)), y1)
    hh = sqr(h)
    hhh, v = mul(h, hh), mul(x1, hh)
    x3 = _x_minus_2y_minus_z(sqr(slope), v, hhh)
    y3 = sub_reduced(mul(slope, sub_reduced(v, x3)), mul(y1, hhh))
    return x3, y3, reduce(mul(z1, h))


@kernel
def _sum_and_difference(p, q):
    """P + Q, P − Q and h = X1 − X2 for P = (X1, Y1), Q = (X2, Y2) of one Z; of both Z3 = Z·h."""
    x1, y1 = p
    x2, y2 = q
    h = sub_reduced(x1, x2)
    hh = sqr(h)
    b, c = mul(x1, hh), mul(x2, hh)
    y1_hhh = mul(y1, sub_reduced(b, c))
    slope = sub_reduced(y1, y2)
    x_sum = sub_both(sqr(slope), b, c)
    y_sum = sub_reduced(mul(slope, sub_reduced(b, x_sum)), y1_hhh)
    slope = reduce(add(y1, y2))
    x_difference = sub_both(sqr(slope), b, c)
    y_difference = sub_reduced(mul(slope, sub_reduced(b, x_difference)), y1_hhh)
    return (x_sum, y_sum), (x_difference, y_difference), h


@kernel
def multiply_by_digits(p, digits):
    """[k]P for an affine P; k = Σ digits[j]·2^(len − 1 − j), digits 0, ±15, ±17, the first 17."""
    x, y = p
    one = reduce(same_field_one(x))
    q = reduce(x), reduce(y), one
    for _ in range(4):
        q = double_jacobian(q)
    z, zz = q[2], sqr(q[2])
    scaled = reduce(mul(x, zz)), reduce(mul(y, mul(z, zz)))
    p17, p15, h = _sum_and_difference((q[0], q[1]), scaled)
    q = p17[0], p17[1], one
    for k in range(1, len(digits)):
        q = double_jacobian(q)
        if digits[k] != 0:
            xq, yq = p17 if abs(digits[k]) == 17 else p15
            if digits[k] < 0:
                yq = reduce(neg(yq))
            q = add_affine_jacobian(q, (xq, yq))
    return q[0], q[1], reduce(mul(q[2], mul(z, h)))


@kernel
def _times_one_minus_two_zeta(p):
    """(1 − 2ζ)P, Z3 = √−3·XZ."""
    x, y, z = p
    yy, xxx = reduce(sqr(y)), reduce(mul(x, sqr(x)))
    x3 = _4x_minus_3y(yy, xxx)
    y3 = reduce(mul(y, _8x_minus_9y(yy, xxx)))
    return x3, y3, reduce(mul_fq(mul(x, z), _sqrt_minus_3()))


@kernel
def _frobenius(p):
    """ψ(P)."""
    return (
        reduce(frobenius_x(conjugate(p[0]))),
        reduce(frobenius_y(conjugate(p[1]))),
        reduce(conjugate(p[2])),
    )


@kernel
def check_subgroup(points, x_digits, good, start, stop):
    """good[j] = 1 when point j, which is on the twist, is in G2; infinity is."""
    for i in range(start, stop):
        x, y = load_points(points, i)
        t = _times_one_minus_two_zeta(multiply_by_digits((x, y), x_digits))
        left = add_affine_jacobian(_frobenius(t), (x, y))
        xl, yl, zl = left
        xr, yr, zr = reduce(mul_fq(t[0], _omega_squared())), t[1], t[2]
        zzl, zzr = reduce(sqr(zl)), reduce(sqr(zr))
        same_x = is_zero(sub_reduced(mul(xl, zzr), mul(xr, zzl)))
        # the right side is −ψ⁴(T): y negated
        same_y = is_zero(add(mul(yl, mul(zzr, zr)), mul(yr, mul(zzl, zl))))
        # zl = 0 when zr is
        member = mask_and(mask_and(same_x, same_y), mask_not(is_zero(zl)))
        bits = mask_to_bits(mask_or(is_infinity_record(x, y), member))
        for lane in range(LANES):
            good[i * LANES + lane] = (bits >> lane) & 1
