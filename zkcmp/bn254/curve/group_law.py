"""The group law in lanes, one source for G1 (over Fq) and G2 (over Fq²).

Projective points (X : Y : Z), x = X/Z, y = Y/Z, infinity (0 : 1 : 0), by the complete formulas for
a = 0 of Renes, Costello and Batina (2015, algorithms 7–9): they hold for every pair of inputs,
equal, opposite or infinite, because neither curve has a point of order 2.

    X3 = (X1Y2 + X2Y1)(Y1Y2 − b₃Z1Z2) − b₃(Y1Z2 + Y2Z1)(X1Z2 + X2Z1)
    Y3 = (Y1Y2 + b₃Z1Z2)(Y1Y2 − b₃Z1Z2) + 3b₃·X1X2(X1Z2 + X2Z1)
    Z3 = (Y1Z2 + Y2Z1)(Y1Y2 + b₃Z1Z2) + 3·X1X2(X1Y2 + X2Y1)           b₃ = 3b
"""

from numba.extending import intrinsic, overload

from zkcmp.bn254.lanes.arithmetic import (
    Element,
    Lanes2Type,
    LanesType,
    add,
    double,
    fq2,
    is_exact_zero,
    is_zero,
    mul,
    multiply,
    neg,
    part0,
    part1,
    reduce,
    same_field_one,
    same_field_zero,
    select,
    sqr,
    sub,
    sub_both,
    sub_reduced,
    unary,
)
from zkcmp.bn254.lanes.body import BODY
from zkcmp.bn254.lanes.inversion import invert_fq
from zkcmp.bn254.lanes.jit import inlined, kernel
from zkcmp.bn254.lanes.points import lane_bit_mask, rotate
from zkcmp.bn254.params import CURVE_B, FQ_MODULUS, FROBENIUS_X, FROBENIUS_Y, TWIST_B

_B3 = 3 * CURVE_B, 0
_TWIST_B3 = tuple(3 * c % FQ_MODULUS for c in TWIST_B)


def _times(constants_g1, constants_g2):
    """Multiply by a curve constant: the first for Fq, the second for Fq²."""

    def operation(a, xs):
        values = constants_g1[:1] if len(xs) == 1 else constants_g2
        factor = []
        for c in values:
            residue = c * (1 << BODY.radix_bits) % FQ_MODULUS
            value = BODY.constant(a.b, residue) if a.b is not None else None
            factor.append(Element("Fq", 1, value))
        return multiply(a, xs, factor)

    return intrinsic(unary(operation))


times_b3 = _times(_B3, _TWIST_B3)
times_b = _times((CURVE_B, 0), TWIST_B)

# ψ(x, y) = (x̄·ξ^((p−1)/3), ȳ·ξ^((p−1)/2)), ξ = 9 + u: the Frobenius map seen on the twist
frobenius_x = _times((0, 0), FROBENIUS_X)
frobenius_y = _times((0, 0), FROBENIUS_Y)


def invert(x):
    """1/x in the field of x; 0 gives 0."""
    raise NotImplementedError("kernels only")


@overload(invert)
def _invert(x):
    if isinstance(x, LanesType):
        return lambda x: invert_fq(x)
    if isinstance(x, Lanes2Type):

        def implementation(x):
            a, b = part0(x), part1(x)
            n = invert_fq(add(sqr(a), sqr(b)))
            return fq2(mul(a, n), mul(neg(b), n))

        return implementation
    return None


@kernel
def add_projective(p, q):
    """P + Q for any two points; P, Q are (X, Y, Z)."""
    x1, y1, z1 = p
    x2, y2, z2 = q
    t0, t1, t2 = mul(x1, x2), mul(y1, y2), mul(z1, z2)
    t3 = sub_both(mul(add(x1, y1), add(x2, y2)), t0, t1)
    t4 = sub_both(mul(add(y1, z1), add(y2, z2)), t1, t2)
    t5 = times_b3(sub_both(mul(add(x1, z1), add(x2, z2)), t0, t2))
    return _finish(t0, t1, times_b3(t2), t3, t4, t5)


@kernel
def add_affine(p, q):
    """P + Q with Q = (x, y) affine and not infinite."""
    x1, y1, z1 = p
    x2, y2 = q
    t0, t1 = mul(x1, x2), mul(y1, y2)
    t3 = sub_both(mul(add(x1, y1), add(x2, y2)), t0, t1)
    t4 = add(mul(y2, z1), y1)
    t5 = times_b3(add(mul(x2, z1), x1))
    return _finish(t0, t1, times_b3(z1), t3, t4, t5)


@inlined
def _finish(t0, t1, t2, t3, t4, t5):
    """The last six products; t2 and t5 already carry b₃."""
    u = reduce(add(double(t0), t0))
    s, m = add(t1, t2), sub(t1, t2)
    x3 = sub_reduced(mul(t3, m), mul(t4, t5))
    y3 = reduce(add(mul(s, m), mul(u, t5)))
    return x3, y3, reduce(add(mul(t4, s), mul(u, t3)))


@kernel
def double_projective(p):
    """2P."""
    x, y, z = p
    t0, t1, t2 = sqr(y), mul(y, z), times_b3(sqr(z))
    z8 = reduce(double(double(double(t0))))
    x3, y3, z3 = mul(t2, z8), add(t0, t2), mul(t1, z8)
    t0 = sub(t0, add(double(t2), t2))
    y3 = add(x3, mul(t0, y3))
    x3 = double(mul(t0, mul(x, y)))
    return reduce(x3), reduce(y3), reduce(z3)


@kernel
def infinity_like(x):
    """(0 : 1 : 0) over the field of x."""
    zero = reduce(same_field_zero(x))
    return zero, reduce(same_field_one(x)), zero


@kernel
def select_point(mask, p, q):
    return (
        reduce(select(mask, p[0], q[0])),
        reduce(select(mask, p[1], q[1])),
        reduce(select(mask, p[2], q[2])),
    )


@kernel
def lift(p):
    """Affine record (x, y) to projective; the all-zero record is infinity."""
    x, y = p
    one = same_field_one(x)
    return select_point(is_exact_zero(x), infinity_like(x), (x, y, one))


@kernel
def to_affine(p):
    """Projective to affine; infinity becomes exactly (0, 0)."""
    x, y, z = p
    inverse = invert(z)
    infinite = is_zero(z)
    zero = same_field_zero(x)
    return (
        reduce(select(infinite, zero, mul(x, inverse))),
        reduce(select(infinite, zero, mul(y, inverse))),
    )


@kernel
def on_curve(x, y):
    """Mask of lanes with y² = x³ + b; the all-zero record is not recognised here."""
    return is_zero(sub(sqr(y), add(mul(sqr(x), x), times_b(same_field_one(x)))))


_bit0, _bit1, _bit2 = (lane_bit_mask(k) for k in range(3))


@kernel
def sum_lanes(p):
    """The sum of the points of all lanes, in every lane."""
    for_4 = (rotate(p[0], 4), rotate(p[1], 4), rotate(p[2], 4))
    p = add_projective(p, for_4)
    for_2 = (rotate(p[0], 2), rotate(p[1], 2), rotate(p[2], 2))
    p = add_projective(p, for_2)
    for_1 = (rotate(p[0], 1), rotate(p[1], 1), rotate(p[2], 1))
    return add_projective(p, for_1)


@kernel
def sum_lanes_weighted(p):
    """Σ lane·P_lane over the eight lanes, in every lane."""
    nothing = infinity_like(p[0])
    acc = sum_lanes(select_point(_bit2(), p, nothing))
    acc = add_projective(double_projective(acc), sum_lanes(select_point(_bit1(), p, nothing)))
    return add_projective(double_projective(acc), sum_lanes(select_point(_bit0(), p, nothing)))
