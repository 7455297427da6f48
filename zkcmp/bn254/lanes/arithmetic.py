"""The lane type: field arithmetic inside numba kernels, written once for both bodies.

A kernel computes on opaque values of type `Lanes(field, bound)`: LANES residues at once, each an
integer below bound·p in Montgomery form (body.py). Elements of Fq² are `Lanes2(bound)`, pairs of
those; `mul`, `sqr`, `add`, `sub`, `neg`, `double`, `select`, … take either. Bounds are tracked by
the type system: an operation whose inputs are too large for it reduces them first, so no kernel can
overflow. In a loop, give a carried value a fixed bound with `reduce`.

memory.py and points.py bring lanes from and to memory.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typeconv import Conversion
from numba.extending import intrinsic, lower_cast, models, register_model

from zkcmp.bn254.lanes.body import BODY, I64, LANES, reduce_to_2p, reduce_to_p
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS

MODULUS = {"Fr": FR_MODULUS, "Fq": FQ_MODULUS}
U32 = ir.IntType(32)


class LanesType(types.Type):
    """LANES elements of `field`, each below bound·p."""

    def __init__(self, field: str, bound: int):
        self.field, self.bound = field, bound
        super().__init__(name=f"Lanes({field}, {BODY.name}, {bound}p)")

    def unify(self, typingctx, other):
        if isinstance(other, LanesType) and other.field == self.field:
            return LanesType(self.field, max(self.bound, other.bound))
        return None

    def can_convert_to(self, typingctx, other):
        if isinstance(other, LanesType) and other.field == self.field:
            return Conversion.safe if self.bound <= other.bound else None
        return None


class Lanes2Type(types.Type):
    """LANES elements of Fq² = Fq[u]/(u² + 1), both coefficients below bound·p."""

    field = "Fq2"

    def __init__(self, bound: int):
        self.bound = bound
        super().__init__(name=f"Lanes2({BODY.name}, {bound}p)")

    def unify(self, typingctx, other):
        return Lanes2Type(max(self.bound, other.bound)) if isinstance(other, Lanes2Type) else None

    def can_convert_to(self, typingctx, other):
        if isinstance(other, Lanes2Type):
            return Conversion.safe if self.bound <= other.bound else None
        return None


class MaskType(types.Type):
    """One truth value a lane."""

    def __init__(self):
        super().__init__(name=f"Mask({BODY.name})")


mask_type = MaskType()
PAIR_TYPE = ir.LiteralStructType([BODY.value_type, BODY.value_type])


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, BODY.value_type)


@register_model(Lanes2Type)
class _Lanes2Model(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, PAIR_TYPE)


@register_model(MaskType)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, BODY.mask_type)


@lower_cast(LanesType, LanesType)
@lower_cast(Lanes2Type, Lanes2Type)
def _widen(context, builder, fromty, toty, val):
    return val


class Element:
    """An element while code is generated: bound and LLVM value (None while only typing)."""

    def __init__(self, field: str, bound: int, value: Any = None):
        self.field, self.bound, self.value = field, bound, value

    @property
    def p(self) -> int:
        return MODULUS[self.field]


class Arithmetic:
    """Operations on elements with bounds; with builder None it computes bounds only."""

    def __init__(self, builder: Any = None):
        self.b = builder

    def _new(self, field: str, bound: int, make: Callable[[], Any]) -> Element:
        return Element(field, bound, make() if self.b is not None else None)

    def reduce(self, x: Element) -> Element:
        """Bound 2, also for what is smaller already: a loop's carried value keeps one type."""
        if x.bound <= 2:
            return Element(x.field, 2, x.value)
        return self._new(x.field, 2, lambda: reduce_to_2p(BODY, self.b, x.p, x.value, x.bound))

    def canonical(self, x: Element) -> Element:
        return self._new(x.field, 1, lambda: reduce_to_p(BODY, self.b, x.p, x.value, x.bound))

    def _fit(self, x: Element, y: Element, fits: Callable[[int, int], bool]):
        """Reduce the larger operand, then the other, until the operation is exact."""
        while not fits(x.bound, y.bound):
            if x.bound >= y.bound:
                x = self.reduce(x)
            else:
                y = self.reduce(y)
        return x, y

    def mul(self, x: Element, y: Element) -> Element:
        x, y = self._fit(x, y, lambda k, m: k * m <= BODY.product_bound)
        return self._new(x.field, 2, lambda: BODY.mul(self.b, x.p, x.value, y.value))

    def mul_fq2(self, xs: list[Element], ys: list[Element]) -> list[Element]:
        """The product in Fq², where the body has one."""
        bound_x, bound_y = (max(e.bound for e in z) for z in (xs, ys))
        if 2 * bound_x * bound_y > BODY.product_bound:
            if bound_x >= bound_y:
                return self.mul_fq2([self.reduce(x) for x in xs], ys)
            return self.mul_fq2(xs, [self.reduce(y) for y in ys])
        values: list[Any] = [None, None]
        if self.b is not None:
            operands = [x.value for x in xs], [y.value for y in ys]
            values = BODY.mul_fq2(self.b, xs[0].p, *operands, bound_x * bound_y)
        return [Element(xs[0].field, 2, v) for v in values]

    def sqr(self, x: Element) -> Element:
        if x.bound * x.bound > BODY.product_bound:
            x = self.reduce(x)
        return self._new(x.field, 2, lambda: BODY.sqr(self.b, x.p, x.value))

    def combine(self, plus: list[Element], minus: list[Element], reduced: bool = False) -> Element:
        """Σ plus − Σ minus, carried once; reduced to bound 2 in the same pass where asked."""
        terms = [*plus, *minus]
        while sum(t.bound for t in terms) > BODY.bound_limit:
            widest = max(range(len(terms)), key=lambda k: terms[k].bound)
            if terms[widest].bound <= 2:
                return self._combine_in_two(terms, len(plus), reduced)
            terms[widest] = self.reduce(terms[widest])
        field, p = terms[0].field, terms[0].p
        bound = sum(t.bound for t in terms)
        multiple = p * sum(t.bound for t in terms[len(plus) :])

        def make():
            values = [t.value for t in terms]
            sides = values[: len(plus)], values[len(plus) :]
            if reduced:
                return BODY.combine_to_2p(self.b, p, *sides, multiple)
            return BODY.combine(self.b, *sides, multiple)

        return self._new(field, 2 if reduced else bound, make)

    def _combine_in_two(self, terms: list[Element], n_plus: int, reduced: bool) -> Element:
        """Where not even reduced terms fit together: the last one on its own."""
        head, last = terms[:-1], terms[-1]
        if n_plus == len(terms):
            rest = self.combine(head, [], reduced=True)
            return self.combine([rest, last], [], reduced)
        rest = self.combine(head[:n_plus], head[n_plus:], reduced=True)
        return self.combine([rest], [last], reduced)

    def add(self, x: Element, y: Element) -> Element:
        return self.combine([x, y], [])

    def sub(self, x: Element, y: Element) -> Element:
        return self.combine([x], [y])

    def neg(self, x: Element) -> Element:
        if x.bound > BODY.bound_limit:
            x = self.reduce(x)

        def make():
            # 0 stays 0: bound·p − 0 would not be below bound·p
            zero = BODY.constant(self.b, 0)
            difference = BODY.combine(self.b, [], [x.value], x.bound * x.p)
            return BODY.select(self.b, BODY.equals_zero(self.b, x.value), zero, difference)

        return self._new(x.field, x.bound, make)

    def select(self, mask: Any, x: Element, y: Element) -> Element:
        return self._new(
            x.field, max(x.bound, y.bound), lambda: BODY.select(self.b, mask, x.value, y.value)
        )

    def is_zero(self, x: Element) -> Any:
        return BODY.equals_zero(self.b, self.canonical(x).value)


def elements_of(ty: Any, value: Any, b: Any) -> list[Element]:
    """The one or two Fq/Fr elements of a lane value."""
    if isinstance(ty, Lanes2Type):
        parts = [b.extract_value(value, k) for k in range(2)] if b is not None else [None, None]
        return [Element("Fq", ty.bound, v) for v in parts]
    return [Element(ty.field, ty.bound, value)]


def type_of(elements: list[Element]) -> Any:
    bound = max(e.bound for e in elements)
    return Lanes2Type(bound) if len(elements) == 2 else LanesType(elements[0].field, bound)


def value_of(elements: list[Element], b: Any) -> Any:
    if len(elements) == 1:
        return elements[0].value
    pair = ir.Constant(PAIR_TYPE, ir.Undefined)
    for k, e in enumerate(elements):
        pair = b.insert_value(pair, e.value, k)
    return pair


def _is_lanes(ty: Any) -> bool:
    return isinstance(ty, (LanesType, Lanes2Type))


def unary(operation: Callable[..., list[Element]]) -> Any:
    def typer(typingctx, x):
        if not _is_lanes(x):
            return None
        result = type_of(operation(Arithmetic(), elements_of(x, None, None)))

        def codegen(context, b, signature, args):
            return value_of(operation(Arithmetic(b), elements_of(x, args[0], b)), b)

        return result(x), codegen

    return typer


def _binary(operation: Callable[..., list[Element]]) -> Any:
    def typer(typingctx, x, y):
        if not (_is_lanes(x) and _is_lanes(y) and x.field == y.field):
            return None
        nothing = None
        result = type_of(
            operation(Arithmetic(), elements_of(x, nothing, None), elements_of(y, nothing, None))
        )

        def codegen(context, b, signature, args):
            xs, ys = elements_of(x, args[0], b), elements_of(y, args[1], b)
            return value_of(operation(Arithmetic(b), xs, ys), b)

        return result(x, y), codegen

    return typer


def multiply(a: Arithmetic, xs: list[Element], ys: list[Element]) -> list[Element]:
    """Fq², Karatsuba: c0 = x0·y0 − x1·y1, c1 = (x0 + x1)(y0 + y1) − x0·y0 − x1·y1."""
    if len(xs) == 1:
        return [a.mul(xs[0], ys[0])]
    if BODY.has_mul_fq2:
        return a.mul_fq2(xs, ys)
    v0, v1 = a.mul(xs[0], ys[0]), a.mul(xs[1], ys[1])
    cross = a.mul(a.add(xs[0], xs[1]), a.add(ys[0], ys[1]))
    return [a.sub(v0, v1), a.combine([cross], [v0, v1])]


def _sqr(a: Arithmetic, xs: list[Element]) -> list[Element]:
    """Fq²: c0 = (x0 + x1)(x0 − x1), c1 = 2·x0·x1."""
    if len(xs) == 1:
        return [a.sqr(xs[0])]
    product = a.mul(xs[0], xs[1])
    return [a.mul(a.add(xs[0], xs[1]), a.sub(xs[0], xs[1])), a.add(product, product)]


mul = intrinsic(_binary(multiply))
sqr = intrinsic(unary(_sqr))
add = intrinsic(_binary(lambda a, xs, ys: [a.add(x, y) for x, y in zip(xs, ys, strict=True)]))
sub = intrinsic(_binary(lambda a, xs, ys: [a.sub(x, y) for x, y in zip(xs, ys, strict=True)]))
sub_reduced = intrinsic(
    _binary(lambda a, xs, ys: [a.combine([x], [y], True) for x, y in zip(xs, ys, strict=True)])
)
neg = intrinsic(unary(lambda a, xs: [a.neg(x) for x in xs]))
double = intrinsic(unary(lambda a, xs: [a.add(x, x) for x in xs]))
reduce = intrinsic(unary(lambda a, xs: [a.reduce(x) for x in xs]))
canonical = intrinsic(unary(lambda a, xs: [a.canonical(x) for x in xs]))
conjugate = intrinsic(unary(lambda a, xs: [xs[0], a.neg(xs[1])]))


@intrinsic
def mul_fq(typingctx, x, y):
    """Fq² element x times Fq element y."""
    if not (isinstance(x, Lanes2Type) and isinstance(y, LanesType)):
        return None

    def operation(a, xs, ys):
        return [a.mul(xs[0], ys[0]), a.mul(xs[1], ys[0])]

    result = type_of(
        operation(Arithmetic(), elements_of(x, None, None), elements_of(y, None, None))
    )

    def codegen(context, b, signature, args):
        xs, ys = elements_of(x, args[0], b), elements_of(y, args[1], b)
        return value_of(operation(Arithmetic(b), xs, ys), b)

    return result(x, y), codegen


@intrinsic
def sub_both(typingctx, x, y, z):
    """x − y − z, bound 2."""

    def operation(a, *operands):
        return [a.combine([u], [v, w], True) for u, v, w in zip(*operands, strict=True)]

    result = type_of(operation(Arithmetic(), *(elements_of(t, None, None) for t in (x, y, z))))

    def codegen(context, b, signature, args):
        operands = [elements_of(t, v, b) for t, v in zip((x, y, z), args, strict=True)]
        return value_of(operation(Arithmetic(b), *operands), b)

    return result(x, y, z), codegen


@intrinsic
def fq2(typingctx, c0, c1):
    """The Fq² element c0 + c1·u."""
    result = Lanes2Type(max(c0.bound, c1.bound))

    def codegen(context, b, signature, args):
        return value_of(elements_of(c0, args[0], b) + elements_of(c1, args[1], b), b)

    return result(c0, c1), codegen


def _part(k: int) -> Any:
    def typer(typingctx, x):
        def codegen(context, b, signature, args):
            return b.extract_value(args[0], k)

        return LanesType("Fq", x.bound)(x), codegen

    return typer


part0 = intrinsic(_part(0))
part1 = intrinsic(_part(1))


@intrinsic
def select(typingctx, mask, x, y):
    """Per lane, x where the mask holds, else y."""
    both = list(zip(elements_of(x, None, None), elements_of(y, None, None), strict=True))
    result = type_of([Arithmetic().select(None, p, q) for p, q in both])

    def codegen(context, b, signature, args):
        xs, ys = elements_of(x, args[1], b), elements_of(y, args[2], b)
        chosen = [Arithmetic(b).select(args[0], p, q) for p, q in zip(xs, ys, strict=True)]
        return value_of(chosen, b)

    return result(mask, x, y), codegen


def _and_all(b: Any, masks: list[Any]) -> Any:
    out = masks[0]
    for m in masks[1:]:
        out = b.and_(out, m)
    return out


@intrinsic
def is_zero(typingctx, x):
    """Mask of lanes that are 0 mod p."""

    def codegen(context, b, signature, args):
        return _and_all(b, [Arithmetic(b).is_zero(e) for e in elements_of(x, args[0], b)])

    return mask_type(x), codegen


@intrinsic
def is_exact_zero(typingctx, x):
    """Mask of lanes stored as the integer 0: how infinity is marked; cheaper than is_zero."""

    def codegen(context, b, signature, args):
        return _and_all(b, [BODY.equals_zero(b, e.value) for e in elements_of(x, args[0], b)])

    return mask_type(x), codegen


def _mask_binary(emit: Callable[[Any, Any, Any], Any]) -> Any:
    def typer(typingctx, x, y):
        def codegen(context, b, signature, args):
            return emit(b, *args)

        return mask_type(x, y), codegen

    return typer


mask_or = intrinsic(_mask_binary(lambda b, x, y: b.or_(x, y)))
mask_and = intrinsic(_mask_binary(lambda b, x, y: b.and_(x, y)))


@intrinsic
def mask_not(typingctx, x):
    def codegen(context, b, signature, args):
        return b.not_(args[0])

    return mask_type(x), codegen


@intrinsic
def any_lane(typingctx, mask):
    """Whether the mask holds in some lane."""

    def codegen(context, b, signature, args):
        return BODY.any(b, args[0])

    return types.boolean(mask), codegen


@intrinsic
def mask_to_bits(typingctx, mask):
    """The mask as an integer, bit j for lane j."""

    def codegen(context, b, signature, args):
        return b.zext(b.bitcast(args[0], ir.IntType(LANES)), I64)

    return types.int64(mask), codegen


@intrinsic
def same_field_zero(typingctx, x):
    """0 in the field of x."""
    result = Lanes2Type(1) if isinstance(x, Lanes2Type) else LanesType(x.field, 1)

    def codegen(context, b, signature, args):
        zeros = [Element(e.field, 1, BODY.constant(b, 0)) for e in elements_of(x, args[0], b)]
        return value_of(zeros, b)

    return result(x), codegen


@intrinsic
def same_field_one(typingctx, x):
    """1 in the field of x."""
    result = Lanes2Type(1) if isinstance(x, Lanes2Type) else LanesType(x.field, 1)

    def codegen(context, b, signature, args):
        values = []
        for k, e in enumerate(elements_of(x, args[0], b)):
            one = (1 << BODY.radix_bits) % e.p if k == 0 else 0
            values.append(Element(e.field, 1, BODY.constant(b, one)))
        return value_of(values, b)

    return result(x), codegen


def integer_constant(field: str, value: int) -> Any:
    """An intrinsic that returns the same raw integer in every lane (Montgomery form is yours)."""

    def typer(typingctx):
        def codegen(context, b, signature, args):
            return BODY.constant(b, value)

        return LanesType(field, value // MODULUS[field] + 1)(), codegen

    return intrinsic(typer)


def residue_constant(field: str, value: int) -> Any:
    """An intrinsic that returns the residue `value` in Montgomery form in every lane."""
    return integer_constant(field, value * (1 << BODY.radix_bits) % MODULUS[field])
