"""Fq¹² as a tower over Fq², in formulas that fq2_program.py records for the kernel.

    Fq⁶ = Fq²[v]/(v³ − ξ), ξ = 9 + u          [a0, a1, a2]     = a0 + a1·v + a2·v²
    Fq¹² = Fq⁶[w]/(w² − v)                    [x0, x1, …, x5]  = Σ xₖ·w^k

so the Fq⁶ halves of an Fq¹² element are its even and its odd coefficients. Sources: Karatsuba as in
Devegili, Ó hÉigeartaigh, Scott, Dahab (2006); squaring in the cyclotomic subgroup, Granger and
Scott (2010).
"""

from zkcmp.bn254.pairing.fq2_program import Formula, Value
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.bn254.reference import Fq2Element, fq2_pow

Fq6 = list[Value]
Fq12 = list[Value]


def _join(even: Fq6, odd: Fq6) -> Fq12:
    return [x for pair in zip(even, odd, strict=True) for x in pair]


def fq6_add(x: Fq6, y: Fq6) -> Fq6:
    return [a + b for a, b in zip(x, y, strict=True)]


def fq6_sub(x: Fq6, y: Fq6) -> Fq6:
    return [a - b for a, b in zip(x, y, strict=True)]


def fq6_times_v(x: Fq6) -> Fq6:
    return [x[2].times_xi(), x[0], x[1]]


def fq6_mul(x: Fq6, y: Fq6) -> Fq6:
    """Karatsuba: six products."""
    t0, t1, t2 = (a * b for a, b in zip(x, y, strict=True))
    c0 = ((x[1] + x[2]) * (y[1] + y[2]) - (t1 + t2)).times_xi() + t0
    c1 = (x[0] + x[1]) * (y[0] + y[1]) - (t0 + t1) + t2.times_xi()
    c2 = (x[0] + x[2]) * (y[0] + y[2]) - (t0 + t2) + t1
    return [c0, c1, c2]


def fq6_mul_by_01(x: Fq6, y0: Value, y1: Value) -> Fq6:
    """x·(y0 + y1·v): five products."""
    t0, t1 = x[0] * y0, x[1] * y1
    c0 = ((x[1] + x[2]) * y1 - t1).times_xi() + t0
    c1 = (x[0] + x[1]) * (y0 + y1) - (t0 + t1)
    c2 = x[2] * y0 + t1
    return [c0, c1, c2]


def fq6_inverse(x: Fq6) -> Fq6:
    """1/x; 0 gives 0."""
    c0 = x[0].square() - (x[1] * x[2]).times_xi()
    c1 = x[2].square().times_xi() - x[0] * x[1]
    c2 = x[1].square() - x[0] * x[2]
    norm = (x[2] * c1 + x[1] * c2).times_xi() + x[0] * c0
    scale = norm.inverse()
    return [c * scale for c in (c0, c1, c2)]


def fq12_mul(x: Fq12, y: Fq12) -> Fq12:
    a, b, c, d = x[0::2], x[1::2], y[0::2], y[1::2]
    ac, bd = fq6_mul(a, c), fq6_mul(b, d)
    cross = fq6_mul(fq6_add(a, b), fq6_add(c, d))
    return _join(fq6_add(ac, fq6_times_v(bd)), fq6_sub(cross, fq6_add(ac, bd)))


def fq12_square(x: Fq12) -> Fq12:
    """(a + b·w)²: even part (a + b)(a + v·b) − ab − v·ab, odd part 2ab."""
    a, b = x[0::2], x[1::2]
    ab = fq6_mul(a, b)
    even = fq6_mul(fq6_add(a, b), fq6_add(a, fq6_times_v(b)))
    even = fq6_sub(even, fq6_add(ab, fq6_times_v(ab)))
    return _join(even, fq6_add(ab, ab))


def fq12_mul_by_line(x: Fq12, line: list[Value]) -> Fq12:
    """x·(l0 + l1·w + l3·w³), thirteen products; line = [l0, l1, l3]."""
    l0, l1, l3 = line
    a, b = x[0::2], x[1::2]
    al = [c * l0 for c in a]
    bl = fq6_mul_by_01(b, l1, l3)
    cross = fq6_mul_by_01(fq6_add(a, b), l0 + l1, l3)
    return _join(fq6_add(al, fq6_times_v(bl)), fq6_sub(cross, fq6_add(al, bl)))


def fq12_conjugate(x: Fq12) -> Fq12:
    """x^(p⁶): the inverse of an element of the cyclotomic subgroup."""
    return _join(x[0::2], [-c for c in x[1::2]])


def fq12_inverse(x: Fq12) -> Fq12:
    """(a − b·w)/(a² − v·b²); 0 gives 0."""
    a, b = x[0::2], x[1::2]
    scale = fq6_inverse(fq6_sub(fq6_mul(a, a), fq6_times_v(fq6_mul(b, b))))
    even, odd = fq6_mul(a, scale), fq6_mul(b, scale)
    return _join(even, [-c for c in odd])


def fq12_cyclotomic_square(x: Fq12) -> Fq12:
    """x² for x of order dividing p⁴ − p² + 1, by three squarings in Fq⁴."""

    def fq4_square(a: Value, b: Value) -> tuple[Value, Value]:
        """(a + b·s)², s² = ξ: (a² + ξb², 2ab)."""
        aa, bb = a.square(), b.square()
        return bb.times_xi() + aa, (a + b).square() - (aa + bb)

    def plus(t: Value, c: Value) -> Value:
        """3t + 2c."""
        return (t + c).double() + t

    def minus(t: Value, c: Value) -> Value:
        """3t − 2c."""
        return (t - c).double() + t

    t0, s0 = fq4_square(x[0], x[3])
    t1, s1 = fq4_square(x[1], x[4])
    t2, s2 = fq4_square(x[2], x[5])
    return [
        minus(t0, x[0]),
        plus(s2.times_xi(), x[1]),
        minus(t1, x[2]),
        plus(s0, x[3]),
        minus(t2, x[4]),
        plus(s1, x[5]),
    ]


def frobenius_constants(power: int) -> list[Fq2Element]:
    """ξ^(k(p^power − 1)/6) for k = 0 … 5: what w^k is multiplied by under x → x^(p^power)."""
    return [fq2_pow((9, 1), k * (FQ_MODULUS**power - 1) // 6) for k in range(6)]


def _frobenius(odd: bool) -> Formula:
    def formula(x: Fq12, constants: list[Value]) -> Fq12:
        values = [c.conjugate() for c in x] if odd else x
        return [values[0], *(c * g for c, g in zip(values[1:], constants[1:], strict=True))]

    return formula


# x^(p^power), with the frobenius_constants of that power
fq12_frobenius_odd = _frobenius(odd=True)
fq12_frobenius_even = _frobenius(odd=False)
