"""Many shapes of multi-scalar multiplication, in buffers whose every stray access shows.

Kernels check no index. Here each buffer has exactly the length that was asked for, lies between
guard zones, and holds all ones: a stray write changes a guard, and an entry that is read without
having been written is an index far outside any mapping.
"""

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from zkcmp.bn254 import aligned, reference
from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.msm import bucket_tree, run_sums
from zkcmp.bn254.msm import pippenger as engine
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.params import FR_MODULUS as R

GUARD = 1 << 12
POOL = 3000
GROUPS = {"g1": (g1, reference.G1), "g2": (g2, reference.G2)}
_guarded: list[np.ndarray] = []


def guarded_empty(shape: tuple[int, ...], dtype: type = np.uint64) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.full(GUARD + size + GUARD, 0xFF, np.uint8)
    _guarded.append(raw)
    return raw[GUARD : GUARD + size].view(dtype).reshape(shape)


@pytest.fixture(autouse=True)
def guards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    _guarded.clear()
    monkeypatch.setattr(aligned, "empty", guarded_empty)
    yield
    assert _guarded
    assert all((raw[:GUARD] == 0xFF).all() for raw in _guarded)
    assert all((raw[-GUARD:] == 0xFF).all() for raw in _guarded)
    _guarded.clear()


@pytest.fixture(scope="module")
def pools() -> dict[str, tuple[list[int], np.ndarray]]:
    """Logarithms and points of both groups: many equal, opposite and infinite ones."""
    rng = random.Random(5)
    out = {}
    for group in GROUPS:
        logs = [rng.choice([0, 1, R - 1, 2, R - 2, rng.randrange(R)]) for _ in range(POOL)]
        out[group] = logs, fixed_base_mul(group, FrVector.from_ints(logs))
    return out


def scalar_source(rng: random.Random) -> Callable[[], int]:
    k, c, same = rng.randrange(254), rng.randrange(2, 17), rng.randrange(R)
    edges = [0, 1 << (c - 1), (1 << (c - 1)) + 1, (1 << c) - 1]
    kinds: list[Callable[[], int]] = [
        lambda: same,
        lambda: (1 << k) - 1,
        lambda: 1 << k,
        lambda: rng.choice([1, -1]) * (1 << k) + rng.randrange(-1, 2),
        lambda: rng.randrange(-1, 2),
        lambda: R // 2 + rng.randrange(-2, 3),
        lambda: rng.choice([1, -1]) * (rng.randrange(R) >> rng.randrange(254)),
        # every window of c bits at an end of the range of its digit, carries running through
        lambda: sum(rng.choice(edges) << (c * w) for w in range(253 // c)),
    ]
    return rng.choice(kinds)


@pytest.mark.parametrize("seed", range(60))
def test_random_shapes(seed: int, pools, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    if seed % 3 == 0:
        # several chunks of a class, and classes of their own for few scalars
        monkeypatch.setattr(engine, "_CHUNK_BYTES", 128 * rng.randrange(1, 200))
        monkeypatch.setattr(engine, "_CLASS_MINIMUM", rng.randrange(1, 20))
    if seed % 2:
        # one window to a task, or several, or all
        monkeypatch.setattr(engine, "_TASK_ENTRIES", rng.choice([1, 3000, 20_000]))
    if seed % 5 == 0:
        # runs for few entries, in small blocks, many to a bucket
        monkeypatch.setattr(run_sums, "FEWEST_ENTRIES", rng.choice([16, 256]))
        monkeypatch.setattr(run_sums, "BLOCK_BYTES", 128 * LANES * rng.choice([1, 2, 3, 16]))
        monkeypatch.setattr(run_sums, "LONGEST_RUN", rng.choice([3, 8, 64]))
    if seed % 4 == 0:
        # buckets cut in many ranges
        monkeypatch.setattr(bucket_tree, "RANGE_BYTES", 128 * rng.choice([1, 2, 9, 100]))
    n = rng.choice([seed + 1, rng.randrange(1, 400), rng.randrange(1, POOL), 1024, 1025])
    if seed % 3 == 0:
        n = min(n, 500)
    group = rng.choice(["g1", "g1", "g2"])
    start = rng.randrange(POOL - n + 1)
    logs, bases = (x[start : start + n] for x in pools[group])
    if rng.randrange(4) == 0:
        logs, bases = [logs[0]] * n, np.repeat(bases[:1], n, axis=0)
    source = scalar_source(rng)
    scalars = [source() % R for _ in range(n)]
    module, curve = GROUPS[group]
    total = sum(a * s for a, s in zip(logs, scalars, strict=True)) % R
    got = module.to_affine_ints(engine.msm(bases, FrVector.from_ints(scalars)))
    assert got == [curve.mul(curve.generator, total)]


@pytest.mark.parametrize("bits", [2, 9, 16, 40])
def test_the_widest_windows(bits: int, pools, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of 16 bits, where a bucket's number needs all of an int16."""
    monkeypatch.setattr(engine, "window_bits", lambda n, bits: 16)
    logs, bases = pools["g1"]
    edge = [(1 << 15) - 1, 1 << 15, (1 << 15) + 1, (1 << 16) - 1, (1 << bits) - 1, -(1 << bits)]
    n = len(edge) * 20
    scalars = [s % R for s in edge] * 20
    total = sum(a * s for a, s in zip(logs, scalars, strict=False)) % R
    got = g1.to_affine_ints(engine.msm(bases[:n], FrVector.from_ints(scalars)))
    assert got == [reference.G1.mul(reference.G1.generator, total)]
