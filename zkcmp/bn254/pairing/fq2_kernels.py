# mypy: ignore-errors
"""One small kernel that runs recorded programs over Fq² (fq2_program.py), LANES at a time.

A pairing is 26,000 operations in Fq², far too many to compile as straight code. As data for this
interpreter they cost about a second of compilation, once, and at some 30 ns an operation the
dispatch is lost in the arithmetic.

Memory: `registers` is (n, 2·LIMBS, LANES) uint64, limbs of c0, then limbs of c1, each coefficient
below 2p in Montgomery form. `code` is (m, 4) int64, rows (operation, out, a, b).
"""

from zkcmp.bn254.lanes.arithmetic import (
    add,
    conjugate,
    fq2,
    mul,
    mul_fq,
    neg,
    part0,
    part1,
    reduce,
    residue_constant,
    sqr,
    sub,
)
from zkcmp.bn254.lanes.jit import kernel
from zkcmp.bn254.lanes.memory import load_scratch, store_scratch
from zkcmp.bn254.lanes.power import exponent_bits, power
from zkcmp.bn254.params import FQ_MODULUS

COPY, ADD, SUB, MUL, SQUARE, TIMES_XI, TIMES_FQ, CONJUGATE, NEGATE, INVERSE = range(10)

_nine = residue_constant("Fq", 9)
_EXPONENT = exponent_bits(FQ_MODULUS - 2)


@kernel
def _invert(x):
    """conjugate/(c0² + c1²); 0 gives 0."""
    c0, c1 = part0(x), part1(x)
    scale = power(reduce(add(sqr(c0), sqr(c1))), _EXPONENT)
    return fq2(mul(c0, scale), neg(mul(c1, scale)))


@kernel
def run(code, first, last, schedule, registers):
    """Execute code[first[s]:last[s]] for every s of the schedule in turn."""
    like = fq2(_nine(), _nine())
    for s in schedule:
        for i in range(first[s], last[s]):
            operation, out = code[i, 0], code[i, 1]
            x = load_scratch(registers, code[i, 2], like)
            y = load_scratch(registers, code[i, 3], like)
            if operation == MUL:
                z = reduce(mul(x, y))
            elif operation == ADD:
                z = reduce(add(x, y))
            elif operation == SUB:
                z = reduce(sub(x, y))
            elif operation == SQUARE:
                z = reduce(sqr(x))
            elif operation == TIMES_XI:
                nine_x = mul_fq(x, _nine())
                c0, c1 = part0(nine_x), part1(nine_x)
                z = reduce(fq2(sub(c0, part1(x)), add(c1, part0(x))))
            elif operation == TIMES_FQ:
                z = reduce(mul_fq(x, part0(y)))
            elif operation == CONJUGATE:
                z = reduce(conjugate(x))
            elif operation == NEGATE:
                z = reduce(neg(x))
            elif operation == INVERSE:
                z = reduce(_invert(x))
            else:
                z = x
            store_scratch(registers, out, z)
