"""Lanes to and from memory.

    load_fr, store_fr, …    SoA arrays (LIMBS, n) uint64, Montgomery form, group i = lanes LANES·i…
    broadcast_fr, gather_fr one column in every lane; columns by an index array
    load_scratch, kept      (n, limbs, LANES) arrays private to a kernel
    load_words, store_words (n, 4) uint64 little-endian integers below 2^256

What lies in an array is below 2p unless the function's name or docstring says otherwise. Points
have a file of their own, points.py.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from zkcmp.bn254.lanes.arithmetic import (
    MODULUS,
    U32,
    Arithmetic,
    Element,
    LanesType,
    elements_of,
    type_of,
    value_of,
)
from zkcmp.bn254.lanes.body import BODY, I64, LANES, LIMBS


def address_of(context: Any, b: Any, array_type: Any, array: Any, indices: list[Any]) -> Any:
    """Byte address of an element, by the array's strides."""
    a = context.make_array(array_type)(context, b, array)
    offset = I64(0)
    for axis, index in enumerate(indices):
        if array_type.layout == "C" and axis == array_type.ndim - 1:
            stride = I64(array_type.dtype.bitwidth // 8)
        else:
            stride = b.extract_value(a.strides, axis)
        offset = b.add(offset, b.mul(index, stride))
    return b.gep(b.bitcast(a.data, ir.IntType(8).as_pointer()), [offset])


def _vector_pointer(b: Any, address: Any) -> Any:
    return b.bitcast(address, BODY.vector.as_pointer())


def _load_soa(field: str, bound: int = 2) -> Any:
    def typer(typingctx, array, i):
        def codegen(context, b, signature, args):
            first = b.mul(args[1], I64(LANES))
            limbs = []
            for k in range(LIMBS):
                address = address_of(context, b, array, args[0], [I64(k), first])
                limbs.append(b.load(_vector_pointer(b, address), align=8))
            return BODY.pack(b, limbs)

        return LanesType(field, bound)(array, types.intp), codegen

    return typer


load_fr = intrinsic(_load_soa("Fr"))
load_fq = intrinsic(_load_soa("Fq"))


def load_fr_below(bound: int) -> Any:
    """load_fr for an array whose elements are below bound·r, not 2r."""
    return intrinsic(_load_soa("Fr", bound))


def _multiples_below(bound: int, start: int) -> list[int]:
    """bound, 2·bound, 4·bound, … below start, largest first: subtracting them ends below bound."""
    steps = []
    while bound < start:
        steps.append(bound)
        bound *= 2
    return steps[::-1]


def store_fr_below(bound: int) -> Any:
    """store_fr that reduces only as far as below bound·r."""

    def typer(typingctx, array, i, x):
        def codegen(context, b, signature, args):
            value = args[2]
            for k in _multiples_below(bound, x.bound):
                value = BODY.subtract_if_not_below(b, value, k * MODULUS["Fr"])
            first = b.mul(args[1], I64(LANES))
            for k, limb in enumerate(BODY.unpack(b, value)):
                address = address_of(context, b, array, args[0], [I64(k), first])
                b.store(limb, _vector_pointer(b, address), align=8)
            return context.get_dummy_value()

        return types.void(array, types.intp, x), codegen

    return intrinsic(typer)


def broadcast_fr_below(bound: int) -> Any:
    """broadcast_fr for an array whose elements are below bound·r, not 2r."""
    return intrinsic(_broadcast("Fr", bound))


def load_fr_pattern(pattern: list[int], bound: int) -> Any:
    """An intrinsic (array, j): lane l is element j + pattern[l] (< j + LANES), below bound·r."""

    def typer(typingctx, array, j):
        def codegen(context, b, signature, args):
            limbs = []
            for k in range(LIMBS):
                address = address_of(context, b, array, args[0], [I64(k), args[1]])
                limbs.append(b.load(_vector_pointer(b, address), align=8))
            if LANES > 1 and pattern != list(range(LANES)):
                mask = ir.Constant(ir.VectorType(U32, LANES), pattern)
                limbs = [b.shuffle_vector(limb, limb, mask) for limb in limbs]
            return BODY.pack(b, limbs)

        return LanesType("Fr", bound)(array, types.intp), codegen

    return intrinsic(typer)


def pick_lanes(pattern: list[int]) -> Any:
    """An intrinsic (x, y): lane l is lane pattern[l] of x followed by y. Only where LANES > 1."""

    def typer(typingctx, x, y):
        def codegen(context, b, signature, args):
            mask = ir.Constant(ir.VectorType(U32, LANES), pattern)
            pairs = zip(BODY.unpack(b, args[0]), BODY.unpack(b, args[1]), strict=True)
            return BODY.pack(b, [b.shuffle_vector(u, v, mask) for u, v in pairs])

        return LanesType(x.field, max(x.bound, y.bound))(x, y), codegen

    return intrinsic(typer)


def _broadcast(field: str, bound: int = 2) -> Any:
    def typer(typingctx, array, j):
        def codegen(context, b, signature, args):
            limbs = []
            for k in range(LIMBS):
                address = address_of(context, b, array, args[0], [I64(k), args[1]])
                x = b.load(b.bitcast(address, I64.as_pointer()), align=8)
                limbs.append(_splat_value(b, x))
            return BODY.pack(b, limbs)

        return LanesType(field, bound)(array, types.intp), codegen

    return typer


def _splat_value(b: Any, x: Any) -> Any:
    if LANES == 1:
        return x
    zero = ir.Constant(BODY.vector, ir.Undefined)
    first = b.insert_element(zero, x, U32(0))
    return b.shuffle_vector(first, zero, ir.Constant(ir.VectorType(U32, LANES), [0] * LANES))


broadcast_fr = intrinsic(_broadcast("Fr"))
broadcast_fq = intrinsic(_broadcast("Fq"))


def _gather(field: str) -> Any:
    """Elements array[:, index[LANES·i + lane]]."""

    def typer(typingctx, array, index, i):
        def codegen(context, b, signature, args):
            position = b.mul(args[2], I64(LANES))
            columns = []
            for lane in range(LANES):
                address = address_of(context, b, index, args[1], [b.add(position, I64(lane))])
                kind = ir.IntType(index.dtype.bitwidth)
                raw = b.load(b.bitcast(address, kind.as_pointer()), align=kind.width // 8)
                columns.append(b.zext(raw, I64) if kind.width < 64 else raw)
            limbs = []
            for k in range(LIMBS):
                row = ir.Constant(BODY.vector, ir.Undefined) if LANES > 1 else None
                for lane, column in enumerate(columns):
                    address = address_of(context, b, array, args[0], [I64(k), column])
                    x = b.load(b.bitcast(address, I64.as_pointer()), align=8)
                    row = b.insert_element(row, x, U32(lane)) if LANES > 1 else x
                limbs.append(row)
            return BODY.pack(b, limbs)

        return LanesType(field, 2)(array, index, types.intp), codegen

    return typer


gather_fr = intrinsic(_gather("Fr"))


def _store_soa(typingctx, array, i, x):
    def codegen(context, b, signature, args):
        value = Arithmetic(b).reduce(Element(x.field, x.bound, args[2])).value
        first = b.mul(args[1], I64(LANES))
        for k, limb in enumerate(BODY.unpack(b, value)):
            address = address_of(context, b, array, args[0], [I64(k), first])
            b.store(limb, _vector_pointer(b, address), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, x), codegen


# one body serves both names; the field is that of the value
store_fr = intrinsic(_store_soa)
store_fq = store_fr


def _scratch_rows(context: Any, b: Any, scratch: Any, value: Any, i: Any) -> Iterator[Any]:
    """Pointers to the rows of element i, one after another: rows are LANES words."""
    address = address_of(context, b, scratch, value, [i])
    for row in itertools.count():
        yield _vector_pointer(b, b.gep(address, [I64(8 * LANES * row)]))


def _load_scratch(as_is: bool) -> Any:
    def typer(typingctx, scratch, i, like):
        fields = [Element(e.field, e.bound if as_is else 2) for e in elements_of(like, None, None)]

        def codegen(context, b, signature, args):
            loaded = []
            rows = _scratch_rows(context, b, scratch, args[0], args[1])
            for e in fields:
                limbs = [b.load(next(rows), align=8) for _ in range(LIMBS)]
                loaded.append(Element(e.field, e.bound, BODY.pack(b, limbs)))
            return value_of(loaded, b)

        return type_of(fields)(scratch, types.intp, like), codegen

    return typer


def _store_scratch(as_is: bool) -> Any:
    def typer(typingctx, scratch, i, x):
        def codegen(context, b, signature, args):
            rows = _scratch_rows(context, b, scratch, args[0], args[1])
            for e in elements_of(x, args[2], b):
                value = e.value if as_is else Arithmetic(b).reduce(e).value
                for limb in BODY.unpack(b, value):
                    b.store(limb, next(rows), align=8)
            return context.get_dummy_value()

        return types.void(scratch, types.intp, x), codegen

    return typer


# element i of a scratch array (n, limbs, LANES); its field is that of `like`
load_scratch, store_scratch = intrinsic(_load_scratch(False)), intrinsic(_store_scratch(False))
# the same without reduction: what was kept has the bound of what it is loaded like
kept, keep = intrinsic(_load_scratch(True)), intrinsic(_store_scratch(True))


def _load_words(field: str) -> Any:
    """Records LANES·i… of an (n, 4) array as integers: bound 2^256/p, not in Montgomery form."""
    bound = 6  # 2^256 < 5.3p

    def typer(typingctx, array, i):
        def codegen(context, b, signature, args):
            first = b.mul(args[1], I64(LANES))
            words = []
            for k in range(4):
                row = ir.Constant(BODY.vector, ir.Undefined) if LANES > 1 else None
                for lane in range(LANES):
                    record = b.add(first, I64(lane))
                    address = address_of(context, b, array, args[0], [record, I64(k)])
                    x = b.load(b.bitcast(address, I64.as_pointer()), align=8)
                    row = b.insert_element(row, x, U32(lane)) if LANES > 1 else x
                words.append(row)
            return BODY.words_to_value(b, words)

        return LanesType(field, bound)(array, types.intp), codegen

    return typer


load_words_fr = intrinsic(_load_words("Fr"))
load_words_fq = intrinsic(_load_words("Fq"))


@intrinsic
def store_words(typingctx, array, i, x):
    """Write canonical integers x (already out of Montgomery form) to records LANES·i…"""

    def codegen(context, b, signature, args):
        value = Arithmetic(b).canonical(Element(x.field, x.bound, args[2])).value
        first = b.mul(args[1], I64(LANES))
        for k, word in enumerate(BODY.value_to_words(b, value)):
            for lane in range(LANES):
                record = b.add(first, I64(lane))
                address = address_of(context, b, array, args[0], [record, I64(k)])
                limb = b.extract_element(word, U32(lane)) if LANES > 1 else word
                b.store(limb, b.bitcast(address, I64.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, x), codegen
