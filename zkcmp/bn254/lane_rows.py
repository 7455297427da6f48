"""Rows of a matrix in lanes, whether it holds small integers or field elements.

    int64 (n, width), C order     LANES entries of a row as raw integers: v, or r − |v| when v < 0
    uint64 (LIMBS, n·width)       LANES field elements in Montgomery form, row after row

Raw integers are not in Montgomery form: a product with an element x·R in that form is the plain
residue v·x, so that a factor that carries one more R makes it right (rows.py).
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from zkcmp.bn254.body import BODY, I64, LANES, LIMBS
from zkcmp.bn254.lane_memory import address_of
from zkcmp.bn254.lanes import MODULUS, LanesType


def _load_entries(typingctx: Any, values: Any, width: Any, row: Any, group: Any) -> Any:
    """Entries LANES·group … of a row of `values`; `width` is a multiple of LANES."""
    is_integer = values.dtype == types.int64

    def codegen(context: Any, b: Any, signature: Any, args: Any) -> Any:
        array, per_row, j, i = args
        first = b.mul(i, I64(LANES))
        if is_integer:
            address = address_of(context, b, values, array, [j, first])
            return _integers(b, b.load(b.bitcast(address, BODY.vector.as_pointer()), align=8))
        first = b.add(b.mul(j, per_row), first)
        limbs = []
        for k in range(LIMBS):
            address = address_of(context, b, values, array, [I64(k), first])
            limbs.append(b.load(b.bitcast(address, BODY.vector.as_pointer()), align=8))
        return BODY.pack(b, limbs)

    result = LanesType("Fr", 1 if is_integer else 2)
    return result(values, types.intp, types.intp, types.intp), codegen


def _integers(b: Any, raw: Any) -> Any:
    zero = ir.Constant(BODY.vector, [0] * LANES) if LANES > 1 else I64(0)
    negative = b.icmp_signed("<", raw, zero)
    magnitude = b.select(negative, b.sub(zero, raw), raw)  # of −2^63 too, as unsigned
    value = BODY.words_to_value(b, [magnitude, zero, zero, zero])
    return BODY.negate_where(b, negative, value, MODULUS["Fr"])


load_entries = intrinsic(_load_entries)
