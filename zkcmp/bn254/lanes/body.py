"""The two lane bodies: LLVM IR for field arithmetic on 8 × 5 limbs of 52 bits, or 1 × 256 bits.

A *lane value* holds `lanes` residues modulo a 254-bit prime p in Montgomery form x·R mod p.

    ifma      8 lanes, five <8 x i64> vectors of 52-bit limbs, R = 2^260, products by vpmadd52
    portable  1 lane, one i256, R = 2^256, products of 64-bit limbs through i128

Values are kept lazily: a value with bound K is an integer in [0, K·p), limbs normalised. The bound
is known at compile time (it is part of the numba type, see arithmetic.py), so every operation below
can be told the smallest reduction that keeps it exact:

    mul   needs K·L·p < R, which makes (K·p·L·p + R·p)/R < 2p, so the result has bound 2
    add   K + L          sub   x − y + L·p, bound K + L          neg   K·p − x, bound K

The body is chosen once, at import: `ZKCMP_LANES=ifma|portable` overrides what the CPU suggests.
"""

import os
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.registry import cpu_target

from zkcmp.errors import SettingError

I1, I64, I128, I256 = (ir.IntType(n) for n in (1, 64, 128, 256))
Builder = Any
Value = Any


def _halvings(bound: int) -> list[int]:
    """Multiples of p to subtract when not negative, bringing [0, bound·p) below 2p."""
    steps, k = [], 2
    while k < bound:
        steps.append(k)
        k *= 2
    return steps[::-1]


class IfmaBody:
    """Eight lanes on AVX-512 IFMA."""

    name, lanes, limbs, bits = "ifma", 8, 5, 52
    radix_bits = 260
    mask = (1 << 52) - 1
    vector = ir.VectorType(I64, 8)
    value_type = ir.ArrayType(vector, 5)
    mask_type = ir.VectorType(I1, 8)
    # the largest K·L of a product and the largest bound a value may have
    product_bound = bound_limit = 84
    has_mul_fq2 = True

    def splat(self, x: int) -> Value:
        return ir.Constant(self.vector, [x] * 8)

    def unpack(self, b: Builder, x: Value) -> list[Value]:
        return [b.extract_value(x, k) for k in range(5)]

    def pack(self, b: Builder, limbs: list[Value]) -> Value:
        out = ir.Constant(self.value_type, ir.Undefined)
        for k, x in enumerate(limbs):
            out = b.insert_value(out, x, k)
        return out

    def _limbs(self, x: int) -> list[Value]:
        return [self.splat((x >> (52 * k)) & self.mask) for k in range(5)]

    def constant(self, b: Builder, x: int) -> Value:
        return self.pack(b, self._limbs(x))

    def _carry(self, b: Builder, limbs: list[Value], signed: bool = False) -> list[Value]:
        """Propagate carries (borrows when signed); the top limb keeps what is left over."""
        shift = b.ashr if signed else b.lshr
        out, carry = [], None
        for k, x in enumerate(limbs):
            v = x if carry is None else b.add(x, carry)
            if k < 4:
                carry, v = shift(v, self.splat(52)), b.and_(v, self.splat(self.mask))
            out.append(v)
        return out

    def _madd(self, b: Builder, half: str, acc: Value, x: Value, y: Value) -> Value:
        fn = cgutils.get_or_insert_function(
            b.module,
            ir.FunctionType(self.vector, [self.vector] * 3),
            f"llvm.x86.avx512.vpmadd52{half}.uq.512",
        )
        return b.call(fn, [acc, x, y])

    def mul(self, b: Builder, p: int, x: Value, y: Value) -> Value:
        """Montgomery product: the ten columns of x·y, then a reduction limb by limb.

        A column takes at most 20 half products of 52 bits and a carry before it is normalised.
        """
        return self._redc(b, p, self._columns(b, x, y, [self.splat(0)] * 10))

    def _columns(self, b: Builder, x: Value, y: Value, t: list[Value]) -> list[Value]:
        """t + x·y in ten columns, carries not propagated."""
        xs, ys, t = self.unpack(b, x), self.unpack(b, y), list(t)
        for i in range(5):
            for j in range(5):
                t[i + j] = self._madd(b, "l", t[i + j], xs[i], ys[j])
                t[i + j + 1] = self._madd(b, "h", t[i + j + 1], xs[i], ys[j])
        return t

    def mul_fq2(
        self, b: Builder, p: int, x: list[Value], y: list[Value], bound: int
    ) -> list[Value]:
        """(x0 + x1·u)(y0 + y1·u), u² = −1; a coefficient of x times one of y is at most bound·p².

        Karatsuba's three products and two reductions instead of three: of x0·y0 − x1·y1 + bound·p²
        and of (x0 + x1)(y0 + y1) − x0·y0 − x1·y1, both from 0 to 2·bound·p², 2·bound ≤ 84. Columns
        are negative in between.
        """
        first = self._columns(b, x[0], y[0], [self.splat(0)] * 10)
        second = self._columns(b, x[1], y[1], [self.splat(0)] * 10)
        shift = [self.splat(bound * p * p >> (52 * k) & self.mask) for k in range(10)]
        both = list(zip(first, second, shift, strict=True))
        real = self._redc(b, p, [b.add(b.sub(u, v), c) for u, v, c in both], signed=True)
        negated = [b.sub(self.splat(0), b.add(u, v)) for u, v, _ in both]
        cross = self._columns(b, self.add(b, *x), self.add(b, *y), negated)
        return [real, self._redc(b, p, cross, signed=True)]

    def sqr(self, b: Builder, p: int, x: Value) -> Value:
        """Montgomery square: products of different limbs once, doubled."""
        xs = self.unpack(b, x)
        t = [self.splat(0)] * 10
        for i in range(5):
            for j in range(i + 1, 5):
                t[i + j] = self._madd(b, "l", t[i + j], xs[i], xs[j])
                t[i + j + 1] = self._madd(b, "h", t[i + j + 1], xs[i], xs[j])
        t = [b.add(c, c) for c in t]
        for i in range(5):
            t[2 * i] = self._madd(b, "l", t[2 * i], xs[i], xs[i])
            t[2 * i + 1] = self._madd(b, "h", t[2 * i + 1], xs[i], xs[i])
        return self._redc(b, p, t)

    def _redc(self, b: Builder, p: int, t: list[Value], signed: bool = False) -> Value:
        """t·2^−260 mod p for ten columns: five times, add the multiple of p that clears a limb.

        The first three multiples are of m = 2^52·m' − 1, a multiple of p too, so the limb t_i is
        itself the factor: t_i + t_i·m = 2^52·t_i·m'. They add less than 2^156·m < 2^462 in all,
        for which K·L ≤ 84 < 2^260/p leaves room. With p, the low half of the first product is known
        to clear the limb, so only its carry is computed. `signed`: columns may be negative, their
        sum is not.
        """
        mask, shift = self.splat(self.mask), self.splat(52)
        down = b.ashr if signed else b.lshr
        k = -pow(p, -1, 1 << 52) % (1 << 52)
        for i in range(3):
            q = b.and_(t[i], mask)
            t[i + 1] = b.add(t[i + 1], down(t[i], shift))
            for j, limb in enumerate(self._limbs((k * p + 1) >> 52)):
                t[i + j + 1] = self._madd(b, "l", t[i + j + 1], q, limb)
                t[i + j + 2] = self._madd(b, "h", t[i + j + 2], q, limb)
        for i in (3, 4):
            q = self._madd(b, "l", self.splat(0), t[i], self.splat(k))
            carry = down(b.add(t[i], mask), shift)
            for j, limb in enumerate(self._limbs(p)):
                if j:
                    t[i + j] = self._madd(b, "l", t[i + j], q, limb)
                t[i + j + 1] = self._madd(b, "h", t[i + j + 1], q, limb)
            t[i + 1] = b.add(t[i + 1], carry)
        return self.pack(b, self._carry(b, t[5:], signed))

    def add(self, b: Builder, x: Value, y: Value) -> Value:
        pairs = zip(self.unpack(b, x), self.unpack(b, y), strict=True)
        return self.pack(b, self._carry(b, [b.add(u, v) for u, v in pairs]))

    def combine(self, b: Builder, plus: list[Value], minus: list[Value], multiple: int) -> Value:
        """Σ plus − Σ minus + multiple, with one propagation of carries."""
        return self.pack(b, self._carry(b, self._sum(b, plus, minus, multiple), signed=True))

    def combine_to_2p(
        self, b: Builder, p: int, plus: list[Value], minus: list[Value], multiple: int
    ) -> Value:
        """The same, below 84p, reduced to [0, 2p).

        The quotient by p is estimated from the top limb t, within 1 of ⌊x/2^208⌋, as
        q = ⌊t·⌊2^260/p⌋/2^52⌋. Rounding the factor down loses less than 0.65 up to x = 2^260 and
        outweighs an overestimated t, so x/p − 1.7 < q ≤ x/p; q·(2^260 − p) is added modulo 2^260.
        """
        limbs = self._sum(b, plus, minus, multiple)
        top = b.add(limbs[4], b.ashr(limbs[3], self.splat(52)))
        top = b.select(b.icmp_signed("<", top, self.splat(0)), self.splat(0), top)
        q = self._madd(b, "h", self.splat(0), top, self.splat((1 << 260) // p))
        for k, c in enumerate(self._limbs((1 << 260) - p)):
            limbs[k] = self._madd(b, "l", limbs[k], q, c)
            if k < 4:
                limbs[k + 1] = self._madd(b, "h", limbs[k + 1], q, c)
        limbs = self._carry(b, limbs, signed=True)
        limbs[4] = b.and_(limbs[4], self.splat(self.mask))
        return self.pack(b, limbs)

    def _sum(self, b: Builder, plus: list[Value], minus: list[Value], multiple: int) -> list[Value]:
        """Limb by limb, carries not propagated."""
        limbs = self._limbs(multiple)
        for x in plus:
            limbs = [b.add(u, v) for u, v in zip(limbs, self.unpack(b, x), strict=True)]
        for x in minus:
            limbs = [b.sub(u, v) for u, v in zip(limbs, self.unpack(b, x), strict=True)]
        return limbs

    def subtract_if_not_below(self, b: Builder, x: Value, multiple: int) -> Value:
        xs = self.unpack(b, x)
        pairs = zip(xs, self._limbs(multiple), strict=True)
        d = self._carry(b, [b.sub(u, c) for u, c in pairs], signed=True)
        negative = b.icmp_signed("<", d[4], self.splat(0))
        pairs = zip(xs, d, strict=True)
        return self.pack(b, [b.select(negative, u, v) for u, v in pairs])

    def select(self, b: Builder, mask: Value, x: Value, y: Value) -> Value:
        pairs = zip(self.unpack(b, x), self.unpack(b, y), strict=True)
        return self.pack(b, [b.select(mask, u, v) for u, v in pairs])

    def negate_where(self, b: Builder, mask: Value, x: Value, multiple: int) -> Value:
        """multiple − x in the lanes of the mask, x in the others."""
        limbs = []
        for limb, c in zip(self.unpack(b, x), self._limbs(multiple), strict=True):
            limbs.append(b.select(mask, b.sub(c, limb), limb))
        return self.pack(b, self._carry(b, limbs, signed=True))

    def equals_zero(self, b: Builder, x: Value) -> Value:
        """Mask of lanes whose limbs are all zero (the integer 0, not a multiple of p)."""
        limbs = self.unpack(b, x)
        acc = limbs[0]
        for limb in limbs[1:]:
            acc = b.or_(acc, limb)
        return b.icmp_unsigned("==", acc, self.splat(0))

    def any(self, b: Builder, mask: Value) -> Value:
        return b.icmp_unsigned("!=", b.bitcast(mask, ir.IntType(8)), ir.IntType(8)(0))

    def words_to_value(self, b: Builder, words: list[Value]) -> Value:
        """Four vectors of 64-bit words, each lane a 256-bit integer, to 52-bit limbs."""
        w0, w1, w2, w3 = words
        shift = self.splat
        raw = [
            w0,
            b.or_(b.lshr(w0, shift(52)), b.shl(w1, shift(12))),
            b.or_(b.lshr(w1, shift(40)), b.shl(w2, shift(24))),
            b.or_(b.lshr(w2, shift(28)), b.shl(w3, shift(36))),
        ]
        limbs = [b.and_(x, shift(self.mask)) for x in raw]
        return self.pack(b, [*limbs, b.lshr(w3, shift(16))])

    def value_to_words(self, b: Builder, x: Value) -> list[Value]:
        """The inverse, for values below 2^256."""
        l0, l1, l2, l3, l4 = self.unpack(b, x)
        s = self.splat
        return [
            b.or_(l0, b.shl(l1, s(52))),
            b.or_(b.lshr(l1, s(12)), b.shl(l2, s(40))),
            b.or_(b.lshr(l2, s(24)), b.shl(l3, s(28))),
            b.or_(b.lshr(l3, s(36)), b.shl(l4, s(16))),
        ]


class PortableBody:
    """One lane on any 64-bit machine."""

    name, lanes, limbs, bits = "portable", 1, 4, 64
    radix_bits = 256
    value_type = I256
    mask_type = I1
    vector = I64
    # 2^256 / p is 5.29
    product_bound = bound_limit = 5
    has_mul_fq2 = False

    def splat(self, x: int) -> Value:
        return I64(x)

    def unpack(self, b: Builder, x: Value) -> list[Value]:
        return [b.trunc(b.lshr(x, I256(64 * k)) if k else x, I64) for k in range(4)]

    def pack(self, b: Builder, limbs: list[Value]) -> Value:
        out = b.zext(limbs[0], I256)
        for k in range(1, 4):
            out = b.or_(out, b.shl(b.zext(limbs[k], I256), I256(64 * k)))
        return out

    def constant(self, b: Builder, x: int) -> Value:
        return I256(x)

    def mul(self, b: Builder, p: int, x: Value, y: Value) -> Value:
        """Montgomery product (CIOS); after each step the running sum is below x + p, five words."""
        p_limbs = [(p >> (64 * k)) & (2**64 - 1) for k in range(4)]
        minus_p_inverse = I64(-pow(p, -1, 1 << 64) % (1 << 64))
        wide = [b.zext(v, I128) for v in self.unpack(b, x)]
        zero = I64(0)
        t = [zero] * 5
        for yi in self.unpack(b, y):
            yw = b.zext(yi, I128)
            t, top = self._row(b, t, wide, yw)
            m = b.zext(b.mul(t[0], minus_p_inverse), I128)
            t, over = self._row(b, t, [I128(q) for q in p_limbs], m)
            t = [*t[1:], b.add(top, over)]
        return self.pack(b, t[:4])

    def sqr(self, b: Builder, p: int, x: Value) -> Value:
        return self.mul(b, p, x, x)

    def _row(
        self, b: Builder, t: list[Value], xs: list[Value], y: Value
    ) -> tuple[list[Value], Value]:
        """t + xs·y on five words; returns the five low words and the carry out of them."""
        out, carry = [], I128(0)
        for j in range(4):
            s = b.add(b.add(b.mul(xs[j], y), b.zext(t[j], I128)), carry)
            out.append(b.trunc(s, I64))
            carry = b.lshr(s, I128(64))
        s = b.add(b.zext(t[4], I128), carry)
        return [*out, b.trunc(s, I64)], b.trunc(b.lshr(s, I128(64)), I64)

    def add(self, b: Builder, x: Value, y: Value) -> Value:
        return b.add(x, y)

    def combine(self, b: Builder, plus: list[Value], minus: list[Value], multiple: int) -> Value:
        out = I256(multiple)
        for x in plus:
            out = b.add(out, x)
        for x in minus:
            out = b.sub(out, x)
        return out

    def combine_to_2p(
        self, b: Builder, p: int, plus: list[Value], minus: list[Value], multiple: int
    ) -> Value:
        x = self.combine(b, plus, minus, multiple)
        for k in _halvings(self.bound_limit):
            x = self.subtract_if_not_below(b, x, k * p)
        return x

    def subtract_if_not_below(self, b: Builder, x: Value, multiple: int) -> Value:
        d = b.sub(x, I256(multiple))
        return b.select(b.icmp_unsigned("<", x, I256(multiple)), x, d)

    def select(self, b: Builder, mask: Value, x: Value, y: Value) -> Value:
        return b.select(mask, x, y)

    def negate_where(self, b: Builder, mask: Value, x: Value, multiple: int) -> Value:
        return b.select(mask, b.sub(I256(multiple), x), x)

    def equals_zero(self, b: Builder, x: Value) -> Value:
        return b.icmp_unsigned("==", x, I256(0))

    def any(self, b: Builder, mask: Value) -> Value:
        return mask

    def words_to_value(self, b: Builder, words: list[Value]) -> Value:
        return self.pack(b, words)

    def value_to_words(self, b: Builder, x: Value) -> list[Value]:
        return self.unpack(b, x)


def reduce_to_2p(body: Any, b: Builder, p: int, x: Value, bound: int) -> Value:
    """[0, bound·p) to [0, 2p)."""
    if len(_halvings(bound)) > 1:
        return body.combine_to_2p(b, p, [x], [], 0)
    for k in _halvings(bound):
        x = body.subtract_if_not_below(b, x, k * p)
    return x


def reduce_to_p(body: Any, b: Builder, p: int, x: Value, bound: int) -> Value:
    """[0, bound·p) to the canonical [0, p)."""
    x = reduce_to_2p(body, b, p, x, bound)
    return body.subtract_if_not_below(b, x, p) if bound > 1 else x


def _choose() -> Any:
    wanted = os.environ.get("ZKCMP_LANES", "auto")
    if wanted not in ("auto", "ifma", "portable"):
        raise SettingError(f"ZKCMP_LANES is {wanted!r}; use ifma, portable or auto")
    # what numba compiles for: the CPU, unless NUMBA_CPU_NAME or NUMBA_ENABLE_AVX asks for less
    features = cpu_target.target_context.codegen().magic_tuple()[2].split(",")
    has_ifma = all(f"+{f}" in features for f in ("avx512f", "avx512dq", "avx512vl", "avx512ifma"))
    if wanted == "ifma" and not has_ifma:
        raise SettingError("ZKCMP_LANES=ifma, but there is no AVX-512 IFMA here; unset it")
    return IfmaBody() if has_ifma and wanted != "portable" else PortableBody()


BODY = _choose()
LANES: int = BODY.lanes
LIMBS: int = BODY.limbs
