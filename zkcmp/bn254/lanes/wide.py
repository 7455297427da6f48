"""Sums of products of field elements and 64-bit integers, reduced once at the end.

    Wide = Σ_t x_t·u_t,   x_t < 2r in Montgomery form, 0 ≤ u_t < 2^64, at most MAX_TERMS terms

A product takes 20 half products of 52 bits (5 of 64 in the portable body) where one of two field
elements takes 100, half of them for the reduction. Signed int64 are loaded as u = v + 2^63; the
caller subtracts 2^63·Σ_t x_t. What `reduce_wide` leaves is Σ x_t·u_t/R: integers are not in
Montgomery form, so an x with one factor R more makes it right (rows.py).
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, models, register_model

from zkcmp.bn254.lanes.arithmetic import MODULUS, Arithmetic, Element, LanesType
from zkcmp.bn254.lanes.body import BODY, I64, I128, I256, LANES
from zkcmp.bn254.lanes.memory import address_of

MAX_TERMS = 512  # a column of 64 bits takes four half products a term
OFFSET = 1 << 63
COLUMNS = 7
_FIELD = "Fr"
_WIDE = ir.ArrayType(BODY.vector, COLUMNS)


class WideType(types.Type):
    """LANES sums, columns of 52 (64) bits with carries not propagated."""

    def __init__(self) -> None:
        super().__init__(name=f"Wide({BODY.name})")


class IntegersType(types.Type):
    """LANES integers below 2^64."""

    def __init__(self) -> None:
        super().__init__(name=f"Integers({BODY.name})")

    def can_convert_to(self, typingctx: Any, other: Any) -> Any:
        return Conversion.exact if isinstance(other, IntegersType) else None


wide_type, integers_type = WideType(), IntegersType()


class _WideModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any):
        super().__init__(dmm, fe_type, _WIDE)


class _IntegersModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any):
        super().__init__(dmm, fe_type, BODY.vector)


register_model(WideType)(_WideModel)
register_model(IntegersType)(_IntegersModel)


def _columns(b: Any, wide: Any) -> list[Any]:
    return [b.extract_value(wide, k) for k in range(COLUMNS)]


def _pack(b: Any, columns: list[Any]) -> Any:
    out = ir.Constant(_WIDE, ir.Undefined)
    for k, column in enumerate(columns):
        out = b.insert_value(out, column, k)
    return out


def _splat(x: int) -> Any:
    return BODY.splat(x)


def _zero_wide(typingctx: Any) -> Any:
    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return _pack(b, [_splat(0)] * COLUMNS)

    return wide_type(), codegen


def _add_product(typingctx: Any, wide: Any, x: Any, u: Any) -> Any:
    """wide + x·u; x of bound 2."""
    if not (isinstance(x, LanesType) and x.bound <= 2):
        return None

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        emit = _madd_rows if LANES > 1 else _word_row
        return _pack(b, emit(b, _columns(b, args[0]), args[1], args[2]))

    return wide_type(wide_type, x, integers_type), codegen


def _madd_rows(b: Any, t: list[Any], x: Any, u: Any) -> list[Any]:
    low, high = b.and_(u, _splat(BODY.mask)), b.lshr(u, _splat(BODY.bits))
    for k, limb in enumerate(BODY.unpack(b, x)):
        t[k] = BODY._madd(b, "l", t[k], limb, low)
        t[k + 1] = BODY._madd(b, "h", t[k + 1], limb, low)
        t[k + 1] = BODY._madd(b, "l", t[k + 1], limb, high)
        t[k + 2] = BODY._madd(b, "h", t[k + 2], limb, high)
    return t


def _word_row(b: Any, t: list[Any], x: Any, u: Any) -> list[Any]:
    limbs = [b.zext(word, I128) for word in BODY.unpack(b, x)]
    words, carry = BODY._row(b, t[:5], limbs, b.zext(u, I128))
    return [*words, b.add(t[5], carry), t[6]]


def _reduce_wide(typingctx: Any, wide: Any) -> Any:
    """The sum divided by R, bound 2."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        t = _columns(b, args[0])
        if LANES > 1:
            return BODY._redc(b, MODULUS[_FIELD], [*t, *[_splat(0)] * (10 - COLUMNS)])
        a = Arithmetic(b)  # (low + 2^256·high)/2^256, the first part as a Montgomery product with 1
        low = Element(_FIELD, 6, BODY.pack(b, t[:4]))
        high = b.or_(b.zext(t[4], I256), b.shl(b.zext(t[5], I256), I256(64)))
        product = a.mul(low, Element(_FIELD, 1, I256(1)))
        return a.reduce(a.add(product, Element(_FIELD, 1, high))).value

    return LanesType(_FIELD, 2)(wide_type), codegen


def _load_integers(typingctx: Any, values: Any, row: Any, group: Any) -> Any:
    """v + 2^63 for entries LANES·group … of a row of an int64 (n, width) array."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        first = b.mul(args[2], I64(LANES))
        address = address_of(context, b, values, args[0], [args[1], first])
        raw = b.load(b.bitcast(address, BODY.vector.as_pointer()), align=8)
        return b.xor(raw, _splat(OFFSET))

    return integers_type(values, types.intp, types.intp), codegen


def _wide_pointers(context: Any, b: Any, scratch: Any, value: Any, i: Any) -> list[Any]:
    out = []
    for k in range(COLUMNS):
        address = address_of(context, b, scratch, value, [i, I64(k)])
        out.append(b.bitcast(address, BODY.vector.as_pointer()))
    return out


def _load_wide(typingctx: Any, scratch: Any, i: Any) -> Any:
    """Element i of a scratch array (n, COLUMNS, LANES) uint64."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        pointers = _wide_pointers(context, b, scratch, args[0], args[1])
        return _pack(b, [b.load(pointer, align=8) for pointer in pointers])

    return wide_type(scratch, types.intp), codegen


def _store_wide(typingctx: Any, scratch: Any, i: Any, wide: Any) -> Any:
    """The inverse of load_wide."""

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        pointers = _wide_pointers(context, b, scratch, args[0], args[1])
        for pointer, column in zip(pointers, _columns(b, args[2]), strict=True):
            b.store(column, pointer, align=8)
        return context.get_dummy_value()

    return types.void(scratch, types.intp, wide_type), codegen


zero_wide = intrinsic(_zero_wide)
add_product = intrinsic(_add_product)
reduce_wide = intrinsic(_reduce_wide)
load_integers = intrinsic(_load_integers)
load_wide = intrinsic(_load_wide)
store_wide = intrinsic(_store_wide)
