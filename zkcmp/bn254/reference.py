"""BN254 in plain Python integers: the oracle every kernel is tested against, and single points.

    G1  points (x, y) of y² = x³ + 3, x and y in Fq (ints)
    G2  points (x, y) of y² = x³ + 3/(9+u), x and y in Fq² (pairs (c0, c1) = c0 + c1·u)
    GT  elements of Fq¹² = Fq[w]/(w¹² − 18w⁶ + 82): tuples of 12 ints, coefficient of w^k at k

Infinity is None. The basis of Fq¹² is py_ecc's; w⁶ = 9 + u, so c0 + c1·u is (c0 − 9·c1) + c1·w⁶,
and the tower Fq² → Fq⁶ → Fq¹² of tower.py has v = w². Written for reading: nothing here is
constant-time, and only `mul` tries to be fast (Jacobian coordinates), because decoders check
subgroups with it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from zkcmp.bn254.params import (
    BN_X,
    CURVE_B,
    FQ_MODULUS,
    FR_GENERATOR,
    FR_MODULUS,
    G1_GENERATOR,
    G2_GENERATOR,
    TWIST_B,
)

P, R = FQ_MODULUS, FR_MODULUS

Fq2Element = tuple[int, int]
Fq12Element = tuple[int, ...]
Coordinate = TypeVar("Coordinate")


# --- Fq and Fq² -------------------------------------------------------------------------------


def fq_sqrt(x: int) -> int | None:
    """A square root mod p (p ≡ 3 mod 4), or None."""
    y = pow(x, (P + 1) // 4, P)
    return y if y * y % P == x % P else None


def fq2_add(x: Fq2Element, y: Fq2Element) -> Fq2Element:
    return (x[0] + y[0]) % P, (x[1] + y[1]) % P


def fq2_sub(x: Fq2Element, y: Fq2Element) -> Fq2Element:
    return (x[0] - y[0]) % P, (x[1] - y[1]) % P


def fq2_neg(x: Fq2Element) -> Fq2Element:
    return -x[0] % P, -x[1] % P


def fq2_conjugate(x: Fq2Element) -> Fq2Element:
    """x^p."""
    return x[0], -x[1] % P


def fq2_mul(x: Fq2Element, y: Fq2Element) -> Fq2Element:
    return (x[0] * y[0] - x[1] * y[1]) % P, (x[0] * y[1] + x[1] * y[0]) % P


def fq2_inverse(x: Fq2Element) -> Fq2Element:
    """1/x; 0 gives 0."""
    norm = (x[0] * x[0] + x[1] * x[1]) % P
    inverse = pow(norm, -1, P) if norm else 0
    return x[0] * inverse % P, -x[1] * inverse % P


def fq2_pow(x: Fq2Element, exponent: int) -> Fq2Element:
    y = (1, 0)
    for bit in bin(exponent)[2:]:
        y = fq2_mul(y, y)
        if bit == "1":
            y = fq2_mul(y, x)
    return y


def fq2_sqrt(x: Fq2Element) -> Fq2Element | None:
    """A square root, or None: from |x| = √(c0² + c1²), y0² = (c0 ± |x|)/2, y1 = c1/(2·y0)."""
    c0, c1 = x[0] % P, x[1] % P
    if c1 == 0:
        real = fq_sqrt(c0)
        return (real, 0) if real is not None else (0, fq_sqrt(-c0 % P) or 0)
    norm = fq_sqrt((c0 * c0 + c1 * c1) % P)
    if norm is None:
        return None
    half = (P + 1) // 2
    y0 = fq_sqrt((c0 + norm) * half % P)
    if y0 is None:
        y0 = fq_sqrt((c0 - norm) * half % P)
    if not y0:
        return None
    y = y0, c1 * pow(2 * y0, -1, P) % P
    return y if fq2_mul(y, y) == (c0, c1) else None


# --- G1 and G2 --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Group(Generic[Coordinate]):
    """y² = x³ + b over a field given by its operations; points are (x, y) or None."""

    name: str
    zero: Coordinate
    one: Coordinate
    b: Coordinate
    generator: tuple[Coordinate, Coordinate]
    f_add: Callable[[Coordinate, Coordinate], Coordinate]
    f_sub: Callable[[Coordinate, Coordinate], Coordinate]
    f_mul: Callable[[Coordinate, Coordinate], Coordinate]
    f_inverse: Callable[[Coordinate], Coordinate]

    def is_on_curve(self, point: Any) -> bool:
        if point is None:
            return True
        x, y = point
        cube = self.f_mul(self.f_mul(x, x), x)
        return self.f_mul(y, y) == self.f_add(cube, self.b)

    def in_subgroup(self, point: Any) -> bool:
        """Whether r·P is infinity (for a point on the curve)."""
        return self._affine(self._mul_jacobian(point, R)) is None

    def neg(self, point: Any) -> Any:
        return None if point is None else (point[0], self.f_sub(self.zero, point[1]))

    def double(self, point: Any) -> Any:
        return self.add(point, point)

    def add(self, left: Any, right: Any) -> Any:
        """P + Q by the chord or the tangent."""
        if left is None or right is None:
            return right if left is None else left
        (x1, y1), (x2, y2) = left, right
        if x1 != x2:
            slope = self.f_mul(self.f_sub(y2, y1), self.f_inverse(self.f_sub(x2, x1)))
        elif y1 == y2 and y1 != self.zero:
            square = self.f_mul(x1, x1)
            numerator = self.f_add(self.f_add(square, square), square)
            slope = self.f_mul(numerator, self.f_inverse(self.f_add(y1, y1)))
        else:
            return None
        x3 = self.f_sub(self.f_sub(self.f_mul(slope, slope), x1), x2)
        return x3, self.f_sub(self.f_mul(slope, self.f_sub(x1, x3)), y1)

    def mul(self, point: Any, scalar: int) -> Any:
        """scalar·P for a point of order r and an integer of any sign."""
        return self._affine(self._mul_jacobian(point, scalar % R))

    def sum(self, points: Iterable[Any]) -> Any:
        total = None
        for point in points:
            total = self.add(total, point)
        return total

    def msm(self, bases: Sequence[Any], scalars: Sequence[int]) -> Any:
        """Σ scalarᵢ·Pᵢ, term by term."""
        return self.sum(self.mul(p, k) for p, k in zip(bases, scalars, strict=True))

    # Jacobian (X, Y, Z) is the point (X/Z², Y/Z³); Z = 0 is infinity. hyperelliptic.org/EFD,
    # dbl-2009-l and madd-2007-bl.

    def _double_jacobian(self, point: Any) -> Any:
        x, y, z = point
        mul, add, sub = self.f_mul, self.f_add, self.f_sub
        a, b = mul(x, x), mul(y, y)
        c, xb = mul(b, b), add(x, b)
        d = sub(sub(mul(xb, xb), a), c)
        d, e = add(d, d), add(add(a, a), a)
        x3 = sub(mul(e, e), add(d, d))
        c8 = add(c, c)
        c8 = add(c8, c8)
        c8 = add(c8, c8)
        yz = mul(y, z)
        return x3, sub(mul(e, sub(d, x3)), c8), add(yz, yz)

    def _add_mixed(self, point: Any, affine: Any) -> Any:
        x1, y1, z1 = point
        if z1 == self.zero:
            return (*affine, self.one)
        mul, add, sub = self.f_mul, self.f_add, self.f_sub
        z1z1 = mul(z1, z1)
        h = sub(mul(affine[0], z1z1), x1)
        s = sub(mul(mul(affine[1], z1), z1z1), y1)
        if h == self.zero:
            return self._double_jacobian(point) if s == self.zero else (self.one, self.one, h)
        r, hh = add(s, s), mul(h, h)
        i = add(add(hh, hh), add(hh, hh))
        j, v = mul(h, i), mul(x1, i)
        x3 = sub(sub(mul(r, r), j), add(v, v))
        y1j = mul(y1, j)
        zh = mul(z1, h)
        return x3, sub(mul(r, sub(v, x3)), add(y1j, y1j)), add(zh, zh)

    def _mul_jacobian(self, point: Any, scalar: int) -> Any:
        total = (self.one, self.one, self.zero)
        if point is None:
            return total
        for bit in bin(scalar)[2:]:
            total = self._double_jacobian(total)
            if bit == "1":
                total = self._add_mixed(total, point)
        return total

    def _affine(self, point: Any) -> Any:
        x, y, z = point
        if z == self.zero:
            return None
        inverse = self.f_inverse(z)
        square = self.f_mul(inverse, inverse)
        return self.f_mul(x, square), self.f_mul(y, self.f_mul(square, inverse))


G1: Group[int] = Group(
    "G1",
    0,
    1,
    CURVE_B,
    G1_GENERATOR,
    lambda x, y: (x + y) % P,
    lambda x, y: (x - y) % P,
    lambda x, y: x * y % P,
    lambda x: pow(x, -1, P),
)
G2: Group[Fq2Element] = Group(
    "G2", (0, 0), (1, 0), TWIST_B, G2_GENERATOR, fq2_add, fq2_sub, fq2_mul, fq2_inverse
)


# --- NTT --------------------------------------------------------------------------------------


def root_of_unity(n: int) -> int:
    """The primitive n-th root 5^((r−1)/n) in Fr, n a power of two up to 2^28."""
    return pow(FR_GENERATOR, (R - 1) // n, R)


def ntt(values: Sequence[int], shift: int = 1) -> list[int]:
    """out[k] = Σ values[j]·(shift·ωᵏ)^j: the polynomial on the coset shift·⟨ω⟩, by definition."""
    root = root_of_unity(len(values))
    points = [shift * pow(root, k, R) % R for k in range(len(values))]
    return [sum(c * pow(x, j, R) for j, c in enumerate(values)) % R for x in points]


def intt(values: Sequence[int], shift: int = 1) -> list[int]:
    """The inverse of ntt: coefficients from values on shift·⟨ω⟩."""
    n = len(values)
    inverse_root, scale = pow(root_of_unity(n), -1, R), pow(n, -1, R)
    back = pow(shift, -1, R)
    return [
        sum(v * pow(inverse_root, j * k, R) for k, v in enumerate(values))
        * scale
        * pow(back, j, R)
        % R
        for j in range(n)
    ]


# --- Fq¹² and the pairing ---------------------------------------------------------------------

FQ12_ONE: Fq12Element = (1, *[0] * 11)


def fq12_from_fq2(coefficients: Sequence[Fq2Element]) -> Fq12Element:
    """Σ cₖ·w^k for six elements of Fq², in the basis 1, w, …, w¹¹."""
    low = [(c0 - 9 * c1) % P for c0, c1 in coefficients]
    return (*low, *(c1 % P for _, c1 in coefficients))


def fq12_to_fq2(x: Fq12Element) -> list[Fq2Element]:
    """The inverse of fq12_from_fq2."""
    return [((x[k] + 9 * x[k + 6]) % P, x[k + 6]) for k in range(6)]


def fq12_mul(x: Fq12Element, y: Fq12Element) -> Fq12Element:
    c = [0] * 23
    for i, xi in enumerate(x):
        if xi:
            for j, yj in enumerate(y):
                c[i + j] += xi * yj
    for k in range(22, 11, -1):
        c[k - 6] += 18 * c[k]
        c[k - 12] -= 82 * c[k]
    return tuple(v % P for v in c[:12])


def fq12_pow(x: Fq12Element, exponent: int) -> Fq12Element:
    y = FQ12_ONE
    for bit in bin(exponent)[2:]:
        y = fq12_mul(y, y)
        if bit == "1":
            y = fq12_mul(y, x)
    return y


def _line(left: Any, right: Any, point: tuple[int, int]) -> Fq12Element:
    """The chord (or tangent) through two points of E', untwisted by (x·w², y·w³), at P of G1.

    With slope λ on E': y_P − λ·x_P·w + (λ·x − y)·w³.
    """
    (x1, y1), (x2, y2) = left, right
    if left == right:
        square = fq2_mul(x1, x1)
        numerator, denominator = fq2_mul(square, (3, 0)), fq2_add(y1, y1)
    else:
        numerator, denominator = fq2_sub(y2, y1), fq2_sub(x2, x1)
    slope = fq2_mul(numerator, fq2_inverse(denominator))
    zero = (0, 0)
    w1 = fq2_mul(slope, (-point[0] % P, 0))
    w3 = fq2_sub(fq2_mul(slope, x1), y1)
    return fq12_from_fq2([(point[1], 0), w1, zero, w3, zero, zero])


def g2_frobenius(point: Any) -> Any:
    """π(Q) = (x̄·ξ^((p−1)/3), ȳ·ξ^((p−1)/2)), ξ = 9 + u: the p-power map seen on the twist."""
    if point is None:
        return None
    x, y = (fq2_conjugate(c) for c in point)
    xi = (9, 1)
    return fq2_mul(x, fq2_pow(xi, (P - 1) // 3)), fq2_mul(y, fq2_pow(xi, (P - 1) // 2))


def miller_loop(g1: Any, g2: Any) -> Fq12Element:
    """f_{6x+2,Q}(P)·l_{[6x+2]Q,π(Q)}(P)·l_{[6x+2]Q+π(Q),−π²(Q)}(P) (Vercauteren 2010)."""
    if g1 is None or g2 is None:
        return FQ12_ONE
    f, t = FQ12_ONE, g2
    for bit in bin(6 * BN_X + 2)[3:]:
        f = fq12_mul(fq12_mul(f, f), _line(t, t, g1))
        t = G2.add(t, t)
        if bit == "1":
            f = fq12_mul(f, _line(t, g2, g1))
            t = G2.add(t, g2)
    first = g2_frobenius(g2)
    second = G2.neg(g2_frobenius(first))
    f = fq12_mul(f, _line(t, first, g1))
    return fq12_mul(f, _line(G2.add(t, first), second, g1))


def pairing_product(pairs: Iterable[tuple[Any, Any]]) -> Fq12Element:
    """Π e(Pᵢ, Qᵢ), the final exponent (p¹² − 1)/r taken literally."""
    f = FQ12_ONE
    for g1, g2 in pairs:
        f = fq12_mul(f, miller_loop(g1, g2))
    return fq12_pow(f, (P**12 - 1) // R)


def pairing(g1: Any, g2: Any) -> Fq12Element:
    """e(P, Q), equal to py_ecc's value."""
    return pairing_product([(g1, g2)])
