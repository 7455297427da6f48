"""Sums over points and scalars as an opponent would choose them.

All points are small multiples of one, so equal, opposite and infinite operands meet in every round
and at every level, and a sum that loses, repeats or confuses one of them is another multiple of the
generator: Σ s_j·(k_j·G) = (Σ s_j·k_j)·G.
"""

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_subgroup import multiple, point_of_order, twist_points

from zkcmp.bn254 import reference
from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.point_arrays import is_infinity, to_kernel_form
from zkcmp.bn254.field.fr import FrVector, ints_to_words, words_to_ints
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.msm import bucket_sums
from zkcmp.bn254.msm import pippenger as engine
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.pippenger import msm, msm_tables
from zkcmp.bn254.msm.row_msm import FixedBases, msm_rows
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.overlap import overlapped

GROUPS: dict[str, tuple[Any, Any]] = {"g1": (g1, reference.G1), "g2": (g2, reference.G2)}
LARGEST = 31
POOLS = {
    "one point": [1],
    "opposite": [1, -1],
    "opposite and infinite": [0, 1, -1],
    "sums of each other": [1, 2, 3, -3, -6],
    "doubles of each other": [1, 2, 4, 8, 16, -31],
    "with one infinite": [5, -5, 10, -10, 0],
    "all small ones": list(range(-8, 9)),
    "only infinity": [0],
}
SCALARS: dict[str, Callable[[random.Random, int, int], int]] = {
    "up to so many bits": lambda rng, bits, _: rng.getrandbits(bits),
    "of both signs": lambda rng, bits, _: rng.getrandbits(bits) - (1 << (bits - 1)),
    "few": lambda rng, bits, _: rng.choice([1, -1]) * (0x1234567 << bits >> rng.choice([0, 3, 9])),
    "powers of two": lambda _rng, _bits, j: 1 << (j % 254),
    "edges": lambda rng, bits, _: rng.choice([0, 1, -1, R // 2, R // 2 + 1, 1 << bits, R, R + 1]),
}
SIZES = [1, 2, 7, 8, 9, 17, 1023, 1024, 1025, 4095, 4096, 4097, 9000]


@pytest.fixture(scope="module")
def multiples() -> dict[str, np.ndarray]:
    """k·G of both groups for |k| ≤ LARGEST, at place k + LARGEST."""
    logs = FrVector.from_int64(np.arange(-LARGEST, LARGEST + 1))
    return {group: fixed_base_mul(group, logs) for group in ("g1", "g2")}


def expect(group: str, point: np.ndarray, logarithm: int) -> None:
    module, curve = GROUPS[group]
    assert module.to_affine_ints(point) == [curve.mul(curve.generator, logarithm % R)]


@pytest.mark.parametrize("seed", range(80))
def test_special_pairs_everywhere(
    seed: int, multiples: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One table, or tables of both groups whose infinite points are the same, or others."""
    rng = random.Random(seed)
    monkeypatch.setenv("ZKCMP_THREADS", rng.choice(["1", "2", "3", "7"]))
    n, bits = SIZES[seed % len(SIZES)], rng.choice([1, 2, 4, 8, 12, 16, 64, 253])
    kind = list(SCALARS)[seed % len(SCALARS)]
    scalars = [SCALARS[kind](rng, bits, j) for j in range(n)]
    groups = rng.choice([["g1"], ["g1"], ["g2"], ["g1", "g2"], ["g2", "g1", "g1"]])
    pool = POOLS[list(POOLS)[seed % len(POOLS)]]
    logs = [np.array(rng.choices(pool, k=n)) for _ in groups]
    if len(logs) > 1 and rng.randrange(2):
        logs[1] = 2 * logs[0] % 32
    tables = [multiples[group][row + LARGEST] for group, row in zip(groups, logs, strict=True)]
    found = msm_tables(tables, FrVector.from_ints(scalars))
    for group, row, point in zip(groups, logs, found, strict=True):
        expect(group, point, sum(s * k for s, k in zip(scalars, row.tolist(), strict=True)))


@pytest.mark.parametrize("threads", ["1", "3"])
@pytest.mark.parametrize(("group", "log"), [("g1", 20), ("g2", 19)])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_where_a_chunk_of_points_ends(
    group: str,
    log: int,
    more: int,
    threads: str,
    multiples: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last point, alone in its chunk or not, is in the sum once."""
    monkeypatch.setenv("ZKCMP_THREADS", threads)
    assert multiples[group][0].nbytes << log == engine._CHUNK_BYTES
    monkeypatch.setattr(engine, "_CHUNK_BYTES", engine._CHUNK_BYTES >> 9)
    rng = np.random.default_rng(log)
    for chunks in (1, 2, 3):
        n = (chunks << (log - 9)) + more
        logs, scalars = rng.choice([-2, -1, 1, 2, 3], n), rng.choice([-3, -1, 1, 2, 3], n)
        for last in (1, -1, 7, 1 << 40):
            scalars[-1] = last
            found = msm(multiples[group][logs + LARGEST], FrVector.from_int64(scalars))
            expect(group, found, int((logs * scalars).sum()))


@pytest.mark.parametrize(("group", "n"), [("g1", (1 << 20) + 1), ("g2", (1 << 19) + 1)])
def test_a_point_more_than_a_chunk(group: str, n: int, multiples: dict[str, np.ndarray]) -> None:
    rng = np.random.default_rng(n)
    logs, scalars = rng.choice([-1, 1, 2], n), rng.choice([-1, 1], n)
    found = msm(multiples[group][logs + LARGEST], FrVector.from_int64(scalars))
    expect(group, found, int((logs * scalars).sum()))


@pytest.mark.parametrize("place", [0, 1, 8, 1000, 4999])
@pytest.mark.parametrize("group", ["g1", "g2"])
def test_every_point_counts(group: str, place: int, multiples: dict[str, np.ndarray]) -> None:
    """Another point in one place changes a sum in which all others cancel, by just that."""
    n = 5000
    logs, scalars = np.tile([3, -3], n // 2), np.full(n, 1 << 30)
    logs[place] += 5
    found = msm(multiples[group][logs + LARGEST], FrVector.from_int64(scalars))
    expect(group, found, 5 << 30)


@pytest.mark.parametrize("group", ["g1", "g2"])
@pytest.mark.parametrize("n", [9, 1100, 5000])
def test_coordinates_between_p_and_2p(
    group: str, n: int, multiples: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sums are kept below 2p only: equal points need not have equal words."""
    rng = random.Random(n)
    kernel_form = engine.to_kernel_form
    monkeypatch.setattr(engine, "to_kernel_form", lambda points: lifted(kernel_form(points), rng))
    logs = np.array(rng.choices([0, 1, -1, 2, -2, 7], k=n))
    for bits in (1, 8, 253):
        scalars = [rng.choice([1, -1]) * rng.getrandbits(bits) for _ in range(n)]
        found = msm(multiples[group][logs + LARGEST], FrVector.from_ints(scalars))
        expect(group, found, sum(s * k for s, k in zip(scalars, logs.tolist(), strict=True)))


@pytest.mark.parametrize("group", ["g1", "g2"])
@pytest.mark.parametrize("segment", [1, 4, 64])
def test_buckets_between_p_and_2p(
    group: str, segment: int, multiples: dict[str, np.ndarray]
) -> None:
    rng = random.Random(segment)
    logs = np.array(rng.choices([0, 0, 1, -1, 2, 31], k=segment * LANES))
    table = lifted(to_kernel_form(multiples[group][logs + LARGEST]), rng)
    out = np.zeros((LANES, *table.shape[1:]), np.uint64)
    bucket_sums.weighted_bucket_sum(table, out)
    total = engine._horner(out[:1], 0)
    found = engine.from_kernel_form(total)
    expect(group, found, sum((b + 1) * k for b, k in enumerate(logs.tolist())))


def lifted(points: np.ndarray, rng: random.Random) -> np.ndarray:
    """The same points, p added to some coordinates of those that are finite."""
    values, infinite = words_to_ints(points), is_infinity(points)
    each = len(values) // len(points)
    more = [0 if infinite[j // each] else rng.choice([0, FQ_MODULUS]) for j in range(len(values))]
    words = ints_to_words([v + m for v, m in zip(values, more, strict=True)])
    return words.reshape(points.shape)


@pytest.mark.parametrize("n", [1, 9, 60, 1030, 5000])
def test_points_of_the_twist_outside_g2(n: int) -> None:
    """The formulas hold on the whole twist; a scalar s > r/2 counts as s − r there.

    So a component outside G2 is in the sum as it is in the points, and whoever looks at the sum
    only, as the prover does under a .zkey, sees it.
    """
    small, other = point_of_order(10069), twist_points()[0]
    generator = reference.G2.generator
    points = [
        *(small, reference.G2.neg(small), multiple(small, 2), other),
        *(generator, reference.G2.add(small, generator), None),
    ]
    rng = random.Random(n)
    for scalar in (
        lambda: rng.randrange(R),
        lambda: rng.randrange(-3, 4),
        lambda: rng.choice([R // 2, R // 2 + 1, R - 1]),
    ):
        which, scalars = rng.choices(range(len(points)), k=n), [scalar() % R for _ in range(n)]
        weights = [0] * len(points)
        for place, s in zip(which, scalars, strict=True):
            weights[place] += s if s <= R // 2 else s - R
        terms = [multiple(p, w) for p, w in zip(points, weights, strict=True) if p is not None]
        found = msm(g2.from_affine_ints(points)[which], FrVector.from_ints(scalars))
        assert g2.to_affine_ints(found) == [reference.G2.sum(terms)]


@pytest.mark.parametrize("n", [1, 8, 100, 1500])
def test_three_ways_to_one_sum(n: int, multiples: dict[str, np.ndarray]) -> None:
    """By windows of points, by tables of their multiples, and as the generator's multiples."""
    rng = random.Random(n)
    logs = np.array(rng.choices([1, -1, 2, -2, 3, 31], k=n))
    points = multiples["g1"][logs + LARGEST]
    rows = [
        [rng.choice([0, 1, -1, R // 2, R // 2 + 1, rng.randrange(R)]) for _ in range(n)]
        for _ in range(3)
    ]
    together = msm_rows(FixedBases(points), FrVector.from_ints([s for row in rows for s in row]), 3)
    totals = [sum(s * k for s, k in zip(row, logs.tolist(), strict=True)) for row in rows]
    assert np.array_equal(together, fixed_base_mul("g1", FrVector.from_ints(totals)))
    for row, point in zip(rows, together, strict=True):
        assert np.array_equal(msm(points, FrVector.from_ints(row)), point[None])


def test_sums_side_by_side(
    multiples: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two at a time share the threads, and nothing else."""
    monkeypatch.setenv("ZKCMP_THREADS", "3")

    def work(seed: int) -> tuple[str, np.ndarray, int]:
        rng = np.random.default_rng(seed)
        n, group = int(rng.integers(1, 6000)), ("g1", "g2")[seed % 2]
        logs, scalars = rng.choice([-1, 0, 1, 2], n), rng.integers(-(1 << 40), 1 << 40, n)
        found = msm(multiples[group][logs + LARGEST], FrVector.from_int64(scalars))
        return group, found, sum(int(s) * int(k) for s, k in zip(scalars, logs, strict=True))

    for group, found, logarithm in overlapped(work, range(24)):
        expect(group, found, logarithm)


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_task_that_fails_spoils_no_other_sum(
    error: type[BaseException], multiples: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised, whatever the other threads are at, and the next sum is right."""
    monkeypatch.setenv("ZKCMP_THREADS", "3")
    points = multiples["g1"][np.tile([LARGEST + 1, LARGEST + 2], 3000)]
    scalars = FrVector.powers(3, len(points))
    add_windows, calls = engine._add_windows, itertools.count()

    def failing(task: Any, space: Any) -> None:
        if next(calls) == 1:
            raise error
        add_windows(task, space)

    monkeypatch.setattr(engine, "_add_windows", failing)
    with pytest.raises(error):
        msm(points, scalars)
    found = msm(points, scalars)
    expect("g1", found, sum(s * (1 + j % 2) for j, s in enumerate(scalars.to_ints())))
