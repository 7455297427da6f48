"""Affine points in and out of lanes: 64-byte G1 and 128-byte G2 records, and lane permutations.

A G1 array has shape (n, 2, 4), a G2 array (n, 2, 2, 4), dtype uint64, C order: x then y, for G2
each as (c0, c1), every coordinate four little-endian words below 2^256 in the lane body's
Montgomery form. Infinity is all zero. No point of either group has x = 0 (y² = b would give it
order 3), so `is_exact_zero(x)` recognises it.

An *entry* is a uint32: point index in the low 31 bits, the top bit set when the point is to be
negated.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from zkcmp.bn254.lanes.arithmetic import (
    U32,
    Arithmetic,
    Element,
    elements_of,
    mask_type,
    type_of,
    value_of,
)
from zkcmp.bn254.lanes.body import BODY, I64, LANES
from zkcmp.bn254.lanes.memory import address_of
from zkcmp.bn254.params import FQ_MODULUS

I8 = ir.IntType(8)
I32 = U32


def _coordinates(array: Any) -> int:
    """Fq elements in a coordinate: 1 for G1 (n, 2, 4), 2 for G2 (n, 2, 2, 4)."""
    return {3: 1, 4: 2}[array.ndim]


def _base(context: Any, b: Any, array: Any, value: Any) -> Any:
    return address_of(context, b, array, value, [])


def _transpose8(b: Any, rows: list[Any]) -> list[Any]:
    """Transpose an 8×8 matrix of words held in eight vectors."""
    for step in (1, 2, 4):
        low = [(i // step % 2) * 8 + i - (i // step % 2) * step for i in range(8)]
        high = [x + step for x in low]
        out = list(rows)
        for i in range(8):
            if i & step:
                continue
            pair = rows[i], rows[i + step]
            for target, pattern in ((i, low), (i + step, high)):
                mask = ir.Constant(ir.VectorType(I32, 8), pattern)
                out[target] = b.shuffle_vector(*pair, mask)
        rows = out
    return rows


def _records_to_values(b: Any, addresses: list[Any], coordinates: int) -> list[list[Any]]:
    """Load LANES records; per coordinate the list of its element values (bodies' limbs)."""
    result = []
    if LANES == 1:
        for c in range(2 * coordinates):
            words = []
            for k in range(4):
                address = b.gep(addresses[0], [I64(8 * (4 * c + k))])
                words.append(b.load(b.bitcast(address, I64.as_pointer()), align=8))
            result.append(BODY.words_to_value(b, words))
    else:
        for line in range(coordinates):
            rows = []
            for address in addresses:
                pointer = b.gep(address, [I64(64 * line)])
                rows.append(b.load(b.bitcast(pointer, BODY.vector.as_pointer()), align=8))
            columns = _transpose8(b, rows)
            result.append(BODY.words_to_value(b, columns[:4]))
            result.append(BODY.words_to_value(b, columns[4:]))
    return [result[:coordinates], result[coordinates:]]


def _point_type(coordinates: int, bound: int = 2) -> Any:
    element = type_of([Element("Fq", bound)] * coordinates)
    return types.UniTuple(element, 2)


def _pack_point(context: Any, b: Any, ty: Any, xs: list[Element], ys: list[Element]) -> Any:
    return context.make_tuple(b, ty, [value_of(xs, b), value_of(ys, b)])


def _entry(context: Any, b: Any, entries: Any, value: Any, position: Any, lane: int) -> Any:
    address = address_of(context, b, entries, value, [b.add(position, I64(lane))])
    return b.load(b.bitcast(address, I32.as_pointer()), align=4)


def _record_address(b: Any, base: Any, index: Any, coordinates: int) -> Any:
    return b.gep(base, [b.mul(index, I64(64 * coordinates))])


def _load_entries(signed: bool) -> Any:
    def typer(typingctx, points, entries, position):
        coordinates = _coordinates(points)
        result = _point_type(coordinates)

        def codegen(context, b, signature, args):
            base = _base(context, b, points, args[0])
            addresses = []
            for lane in range(LANES):
                entry = _entry(context, b, entries, args[1], args[2], lane)
                index = b.zext(b.and_(entry, I32(0x7FFFFFFF)) if signed else entry, I64)
                addresses.append(_record_address(b, base, index, coordinates))
            x, y = _records_to_values(b, addresses, coordinates)
            if signed:
                negate = _signs(context, b, entries, args[1], args[2])
                y = [BODY.negate_where(b, negate, v, 2 * FQ_MODULUS) for v in y]
            xs, ys = ([Element("Fq", 2, v) for v in c] for c in (x, y))
            return _pack_point(context, b, result, xs, ys)

        return result(points, entries, types.intp), codegen

    return typer


# points of entries[position … position + LANES − 1], y negated where the entry says so; an entry
# that negates must name a finite point
load_entries = intrinsic(_load_entries(signed=True))
# the same for entries that are known not to negate
load_unsigned_entries = intrinsic(_load_entries(signed=False))


def _signs(context: Any, b: Any, entries: Any, value: Any, position: Any) -> Any:
    """The mask of lanes whose entry has its top bit set."""
    address = address_of(context, b, entries, value, [position])
    if LANES == 1:
        entry = b.load(b.bitcast(address, I32.as_pointer()), align=4)
        return b.icmp_signed("<", entry, I32(0))
    vector = ir.VectorType(I32, LANES)
    loaded = b.load(b.bitcast(address, vector.as_pointer()), align=4)
    return b.icmp_signed("<", loaded, ir.Constant(vector, [0] * LANES))


@intrinsic
def prefetch_entries(typingctx, points, entries, position):
    """Ask for the cache lines that `load_entries` will read."""
    coordinates = _coordinates(points)

    def codegen(context, b, signature, args):
        base = _base(context, b, points, args[0])
        fn = cgutils.get_or_insert_function(
            b.module,
            ir.FunctionType(ir.VoidType(), [I8.as_pointer(), I32, I32, I32]),
            "llvm.prefetch.p0",
        )
        for lane in range(LANES):
            entry = _entry(context, b, entries, args[1], args[2], lane)
            index = b.zext(b.and_(entry, I32(0x7FFFFFFF)), I64)
            address = _record_address(b, base, index, coordinates)
            for line in range(coordinates):
                b.call(fn, [b.gep(address, [I64(64 * line)]), I32(0), I32(3), I32(1)])
        return context.get_dummy_value()

    return types.void(points, entries, types.intp), codegen


@intrinsic
def copy_record(typingctx, source, i, target, j):
    """target[j] = source[i], whole lines at a time."""
    coordinates = _coordinates(source)
    line_type = ir.VectorType(I64, 8)

    def codegen(context, b, signature, args):
        places = [
            _record_address(b, _base(context, b, ty, array), index, coordinates)
            for ty, array, index in ((source, *args[:2]), (target, *args[2:]))
        ]
        for line in range(coordinates):
            read, written = (
                b.bitcast(b.gep(place, [I64(64 * line)]), line_type.as_pointer())
                for place in places
            )
            b.store(b.load(read, align=8), written, align=8)
        return context.get_dummy_value()

    return types.void(source, types.intp, target, types.intp), codegen


@intrinsic
def load_points(typingctx, points, i):
    """Points LANES·i … LANES·i + LANES − 1."""
    coordinates = _coordinates(points)
    result = _point_type(coordinates)

    def codegen(context, b, signature, args):
        base = _base(context, b, points, args[0])
        first = b.mul(args[1], I64(LANES))
        addresses = [
            _record_address(b, base, b.add(first, I64(lane)), coordinates) for lane in range(LANES)
        ]
        x, y = _records_to_values(b, addresses, coordinates)
        xs, ys = ([Element("Fq", 2, v) for v in c] for c in (x, y))
        return _pack_point(context, b, result, xs, ys)

    return result(points, types.intp), codegen


@intrinsic
def load_strided(typingctx, points, first, stride):
    """Points first, first + stride, …: one a lane."""
    coordinates = _coordinates(points)
    result = _point_type(coordinates)

    def codegen(context, b, signature, args):
        base = _base(context, b, points, args[0])
        addresses = [
            _record_address(b, base, b.add(args[1], b.mul(args[2], I64(lane))), coordinates)
            for lane in range(LANES)
        ]
        x, y = _records_to_values(b, addresses, coordinates)
        xs, ys = ([Element("Fq", 2, v) for v in c] for c in (x, y))
        return _pack_point(context, b, result, xs, ys)

    return result(points, types.intp, types.intp), codegen


def _store(canonical: bool) -> Any:
    def typer(typingctx, points, i, x, y):
        coordinates = _coordinates(points)

        def codegen(context, b, signature, args):
            arithmetic = Arithmetic(b)
            shrink = arithmetic.canonical if canonical else arithmetic.reduce
            elements = elements_of(x, args[2], b) + elements_of(y, args[3], b)
            words = [BODY.value_to_words(b, shrink(e).value) for e in elements]
            base = _base(context, b, points, args[0])
            first = b.mul(args[1], I64(LANES))
            if LANES == 1:
                address = _record_address(b, base, first, coordinates)
                for k, word in enumerate(w for group in words for w in group):
                    pointer = b.gep(address, [I64(8 * k)])
                    b.store(word, b.bitcast(pointer, I64.as_pointer()), align=8)
                return context.get_dummy_value()
            for line in range(coordinates):
                records = _transpose8(b, words[2 * line] + words[2 * line + 1])
                for lane, record in enumerate(records):
                    address = _record_address(b, base, b.add(first, I64(lane)), coordinates)
                    pointer = b.gep(address, [I64(64 * line)])
                    b.store(record, b.bitcast(pointer, BODY.vector.as_pointer()), align=8)
            return context.get_dummy_value()

        return types.void(points, types.intp, x, y), codegen

    return typer


store_points = intrinsic(_store(canonical=False))
store_points_canonical = intrinsic(_store(canonical=True))


@intrinsic(prefer_literal=True)
def rotate(typingctx, x, k):
    """Lane j becomes lane (j + k) mod LANES; k is a literal."""
    amount = k.literal_value

    def codegen(context, b, signature, args):
        def permute(v):
            if LANES == 1:
                return v
            mask = ir.Constant(ir.VectorType(I32, LANES), [(j + amount) % LANES for j in range(8)])
            limbs = [b.shuffle_vector(limb, limb, mask) for limb in BODY.unpack(b, v)]
            return BODY.pack(b, limbs)

        moved = [Element(e.field, e.bound, permute(e.value)) for e in elements_of(x, args[0], b)]
        return value_of(moved, b)

    return x(x, k), codegen


def lane_bit_mask(bit: int) -> Any:
    """An intrinsic: the mask of lanes whose number has the given bit set."""

    def typer(typingctx):
        def codegen(context, b, signature, args):
            values = [(lane >> bit) & 1 for lane in range(LANES)]
            return ir.Constant(BODY.mask_type, values if LANES > 1 else values[0])

        return mask_type(), codegen

    return intrinsic(typer)
