"""Recorded programs over Fq² equal the plain Fq¹², lane by lane."""

import random

import numpy as np
import pytest

from zkcmp.bn254 import reference
from zkcmp.bn254.lanes.body import BODY, LANES, LIMBS
from zkcmp.bn254.pairing import tower
from zkcmp.bn254.pairing.fq2_program import Program, from_lane, to_lanes
from zkcmp.bn254.params import FQ_MODULUS as P

SOURCE = random.Random(5)
Element = tuple[int, int]
FINITE = (P**12 - 1) // (P**4 - P**2 + 1)


def _edge_element() -> Element:
    values = [0, 1, P - 1, P - 2, (1 << 52) - 1, 1 << 208, SOURCE.randrange(P)]
    return SOURCE.choice(values), SOURCE.choice(values)


def _random_fq12(k: int) -> list[Element]:
    if k % 3 == 0:
        return [_edge_element() for _ in range(6)]
    return [(SOURCE.randrange(P), SOURCE.randrange(P)) for _ in range(6)]


def _run(formula, rows: list[list[list[Element]]], n_out: int) -> list[list[Element]]:
    """formula on every row of arguments, LANES at a time."""
    program = Program()
    arguments = [program.registers(len(a)) for a in rows[0]]
    program.inputs = [r for a in arguments for r in a]
    program.outputs = program.registers(n_out)
    program.call(formula, program.outputs, *arguments)
    results = []
    for start in range(0, len(rows), LANES):
        group = rows[start : start + LANES]
        out = program.run(to_lanes([[x for a in row for x in a] for row in group]))
        results += [from_lane(out, lane) for lane in range(len(group))]
    return results


def _fq12(x: list[Element]) -> tuple[int, ...]:
    return reference.fq12_from_fq2(x)


def _compare(formula, arity: int, expected) -> None:
    zero, one = [(0, 0)] * 6, [(1, 0), *[(0, 0)] * 5]
    rows = [[_random_fq12(k + j) for j in range(arity)] for k in range(21)]
    rows += [[zero] * arity, [one] * arity, [[(P - 1, P - 1)] * 6] * arity]
    for row, got in zip(rows, _run(formula, rows, 6), strict=True):
        assert _fq12(got) == expected(*(_fq12(x) for x in row))


def test_mul_and_square() -> None:
    _compare(tower.fq12_mul, 2, reference.fq12_mul)
    _compare(tower.fq12_square, 1, lambda x: reference.fq12_mul(x, x))


def test_conjugate_is_the_sixth_frobenius() -> None:
    # Σ xₖ·w^k → Σ xₖ·(−w)^k
    _compare(tower.fq12_conjugate, 1, lambda x: tuple(c * (-1) ** k % P for k, c in enumerate(x)))
    x = _fq12(_random_fq12(1))
    assert reference.fq12_pow(x, P**6) == tuple(c * (-1) ** k % P for k, c in enumerate(x))


def test_inverse() -> None:
    rows = [[_random_fq12(k)] for k in range(10)] + [[[(0, 0)] * 6], [[(1, 0), *[(0, 0)] * 5]]]
    rows += [[[(0, 0)] * k + [(0, 1)] + [(0, 0)] * (5 - k)] for k in range(6)]
    for (x,), got in zip(rows, _run(tower.fq12_inverse, rows, 6), strict=True):
        product = reference.fq12_mul(_fq12(x), _fq12(got))
        assert product == (reference.FQ12_ONE if any(_fq12(x)) else (0,) * 12)


@pytest.mark.parametrize("power", [1, 2, 3])
def test_frobenius(power: int) -> None:
    formula = tower.fq12_frobenius_odd if power % 2 else tower.fq12_frobenius_even
    constants = tower.frobenius_constants(power)
    rows = [[_random_fq12(k), constants] for k in range(4)]
    for (x, _), got in zip(rows, _run(formula, rows, 6), strict=True):
        assert _fq12(got) == reference.fq12_pow(_fq12(x), P**power)


def test_cyclotomic_square() -> None:
    rows = [[[(1, 0), *[(0, 0)] * 5]]]
    for k in range(2):
        x = reference.fq12_pow(_fq12(_random_fq12(k + 1)), FINITE)
        rows.append([reference.fq12_to_fq2(x)])
    for (x,), got in zip(rows, _run(tower.fq12_cyclotomic_square, rows, 6), strict=True):
        assert _fq12(got) == reference.fq12_mul(_fq12(x), _fq12(x))


def test_line_product() -> None:
    rows = [[_random_fq12(k), _random_fq12(k)[:3]] for k in range(12)]
    for (x, line), got in zip(rows, _run(tower.fq12_mul_by_line, rows, 6), strict=True):
        zero = (0, 0)
        sparse = [line[0], line[1], zero, line[2], zero, zero]
        assert _fq12(got) == reference.fq12_mul(_fq12(x), _fq12(sparse))


# --- the recorder itself ----------------------------------------------------------------------


def test_outputs_may_overlap_inputs_and_each_other() -> None:
    """A permutation of registers with arithmetic in between: nothing is overwritten too early."""
    program = Program()
    a, b, c = program.registers(3)
    program.inputs = program.outputs = [a, b, c]
    program.call(lambda x: [x[1], x[2], x[0]], [a, b, c], [a, b, c])
    program.call(lambda x: [x[0] + x[1], x[0] - x[1], x[1]], [b, a, c], [a, b])
    program.call(lambda x: [x[0] * x[1], x[0], x[0]], [a, b, c], [c, a])
    x = [(SOURCE.randrange(P), SOURCE.randrange(P)) for _ in range(3)]
    got = from_lane(program.run(to_lanes([x])), 0)
    difference = reference.fq2_sub(x[1], x[2])
    assert got == [reference.fq2_mul(x[2], difference), x[2], x[2]]


def test_one_result_in_two_registers() -> None:
    program = Program()
    a, b = program.registers(2)
    program.inputs = program.outputs = [a, b]

    def formula(x):
        total = x[0] + x[1]
        return [total, total]

    program.call(formula, [a, b], [a, b])
    assert from_lane(program.run(to_lanes([[(1, 2), (3, 4)]])), 0) == [(4, 6), (4, 6)]


def test_random_straight_line_programs() -> None:
    """Random formulas, in place, against the same formula on integers."""
    for seed in range(30):
        source = random.Random(seed)
        steps = [
            (source.choice("+-*sxcn"), source.randrange(4 + k), source.randrange(4 + k))
            for k in range(40)
        ]
        chosen = [source.randrange(44) for _ in range(4)]

        def formula(x, steps=steps, chosen=chosen):
            values = list(x)
            for name, i, j in steps:
                p, q = values[i], values[j]
                values.append(
                    {
                        "+": lambda p=p, q=q: p + q,
                        "-": lambda p=p, q=q: p - q,
                        "*": lambda p=p, q=q: p * q,
                        "s": lambda p=p: p.square(),
                        "x": lambda p=p: p.times_xi(),
                        "c": lambda p=p: p.conjugate(),
                        "n": lambda p=p: -p,
                    }[name]()
                )
            return [values[k] for k in chosen]

        program = Program()
        registers = program.registers(4)
        program.inputs = program.outputs = registers
        program.call(formula, registers, registers)
        x = [_edge_element() for _ in range(4)]
        got = from_lane(program.run(to_lanes([x] * LANES)), LANES - 1)
        values = list(x)
        for name, i, j in steps:
            p, q = values[i], values[j]
            values.append(
                {
                    "+": reference.fq2_add(p, q),
                    "-": reference.fq2_sub(p, q),
                    "*": reference.fq2_mul(p, q),
                    "s": reference.fq2_mul(p, p),
                    "x": reference.fq2_mul(p, (9, 1)),
                    "c": reference.fq2_conjugate(p),
                    "n": reference.fq2_neg(p),
                }[name]
            )
        assert got == [values[k] for k in chosen], seed


def test_zero_in_every_form() -> None:
    """p in memory is 0 as well: its negative and its inverse are 0, and 0 itself stays 0."""
    program = Program()
    a, b = program.registers(2)
    program.inputs = program.outputs = [a, b]
    program.call(lambda x: [-x[0], x[1].inverse()], [a, b], [a, b])
    zeros = to_lanes([[(0, 0), (0, 0)]] * LANES)
    assert not program.run(zeros).any()
    limbs = [(P >> (BODY.bits * k)) & ((1 << BODY.bits) - 1) for k in range(LIMBS)]
    forms = zeros + np.array(limbs * 2, np.uint64)[None, :, None]
    for lane in range(LANES):
        assert from_lane(program.run(forms), lane) == [(0, 0), (0, 0)]
