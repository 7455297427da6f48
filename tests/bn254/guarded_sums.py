"""Sums in arrays beside which lies a page that no program may touch.

    python guarded_sums.py after|before

Kernels check no index: one that reads or writes beyond an array's end (or before its beginning)
kills this process. Arrays that hold no values yet are all ones, so an entry that is used without
having been written is an index far outside. Prints how many sums were right.
"""

import ctypes
import faulthandler
import mmap
import os
import random
import sys
from types import ModuleType
from typing import Any

import numpy as np

from zkcmp.bn254 import aligned, reference
from zkcmp.bn254.curve import g1, g2, point_arrays
from zkcmp.bn254.field import fr
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.lanes.body import LANES
from zkcmp.bn254.msm import bucket_tree, fixed_base, point_multiples, row_msm, run_sums
from zkcmp.bn254.msm import pippenger as msm
from zkcmp.bn254.params import FR_MODULUS as R

PAGE = mmap.PAGESIZE
POOL = 5000
GROUPS: dict[str, tuple[Any, Any]] = {"g1": (g1, reference.G1), "g2": (g2, reference.G2)}
MODULES = (fixed_base, fr, g1, msm, point_arrays, point_multiples, row_msm, run_sums)

_protect = ctypes.CDLL(None, use_errno=True).mprotect
_protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def guarded(shape: Any, dtype: Any = float, fill: int = 0, after: bool = True) -> np.ndarray:
    """An array that ends where a protected page begins, or begins where one ends."""
    shape = shape if isinstance(shape, tuple) else (int(shape),)
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    body = -(-max(size, 1) // PAGE) * PAGE
    pages = mmap.mmap(-1, body + 2 * PAGE)
    raw = np.frombuffer(pages, np.uint8)
    for place in (raw.ctypes.data, raw.ctypes.data + PAGE + body):
        if _protect(place, PAGE, 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    first = PAGE + body - size if after else PAGE
    part = raw[first : first + size]
    part[:] = fill
    return part.view(dtype).reshape(shape)


def guard_everything(after: bool) -> None:
    """Let all modules of sums take such arrays for numpy's."""

    def empty(shape: Any, dtype: Any = float) -> np.ndarray:
        return guarded(shape, dtype, 0xFF, after)

    def zeros(shape: Any, dtype: Any = float) -> np.ndarray:
        return guarded(shape, dtype, 0, after)

    aligned.empty = lambda shape, dtype=np.uint64: empty(shape, dtype)
    aligned.zeros = lambda shape, dtype=np.uint64: zeros(shape, dtype)
    numpy = ModuleType("numpy")
    numpy.__dict__.update(np.__dict__)
    numpy.__dict__.update(
        empty=empty,
        zeros=zeros,
        empty_like=lambda array: empty(array.shape, array.dtype),
        zeros_like=lambda array: zeros(array.shape, array.dtype),
        ascontiguousarray=lambda array, dtype=None: copied(np.asarray(array, dtype), after),
    )
    for module in MODULES:
        module.np = numpy  # type: ignore[attr-defined]


def copied(array: np.ndarray, after: bool) -> np.ndarray:
    out = guarded(array.shape, array.dtype, after=after)
    out[...] = array
    return out


def vary(rng: random.Random) -> None:
    """Other numbers of threads, and sizes at which buffers, blocks and chunks end."""
    os.environ["ZKCMP_THREADS"] = rng.choice("1235")
    msm._CHUNK_BYTES = rng.choice([1 << 26, 128 * rng.randrange(1, 300)])
    msm._CLASS_MINIMUM = rng.choice([1024, rng.randrange(1, 40)])
    msm._TASK_ENTRIES = rng.choice([1 << 16, 1, 3000])
    msm._WIDE = rng.choice([1 << 11, 64, 256])
    msm._FOLD_COST = rng.choice([40, -(10**6), 10**6])
    run_sums.FEWEST_ENTRIES = rng.choice([1 << 12, 16, 256])
    run_sums.BLOCK_BYTES = rng.choice([1 << 17, 128 * LANES * rng.choice([1, 2, 3, 16])])
    run_sums.LONGEST_RUN = rng.choice([64, 3, 8])
    bucket_tree.RANGE_BYTES = rng.choice([1 << 20, 128 * rng.choice([1, 2, 9, 100])])


def scalars(rng: random.Random, n: int) -> list[int]:
    bits, same = rng.randrange(1, 254), rng.randrange(R)
    kinds = (
        lambda: rng.getrandbits(bits) * rng.choice([1, -1]) % R,
        lambda: rng.choice([0, 1, R - 1, R // 2, R // 2 + 1]),
        lambda: rng.choice([0, same, R - same]),
        lambda: (1 << bits) - rng.randrange(2),
    )
    kind = rng.choice(kinds)
    return [kind() % R for _ in range(n)]


Pools = dict[str, tuple[list[int], np.ndarray]]


def check_msm(rng: random.Random, pools: Pools, group: str, after: bool) -> None:
    n = rng.choice([1, 7, 8, 9, 17, rng.randrange(1, 400), 1023, 1025, rng.randrange(1, POOL)])
    if msm._CHUNK_BYTES < 1 << 20:
        n = min(n, 600)
    logs, points = pools[group]
    values = scalars(rng, n)
    found = msm.msm(copied(points[:n], after), FrVector.from_ints(values))
    expect(group, found, [sum(s * k for s, k in zip(values, logs, strict=False))])


def check_rows(rng: random.Random, pools: Pools, _group: str, after: bool) -> None:
    logs, points = pools["g1"]
    finite = [j for j, k in enumerate(logs) if k]
    n, rows = rng.choice([1, 7, 8, 9, 17, 300, 600]), rng.choice([1, 2, 5])
    first = rng.randrange(n)
    bases = row_msm.FixedBases(copied(points[finite[:n]], after))
    values = [scalars(rng, n - first) for _ in range(rows)]
    flat = FrVector.from_ints([s for row in values for s in row])
    found = row_msm.msm_rows(bases, flat, rows, first)
    used = [logs[j] for j in finite[first:n]]
    expect("g1", found, [sum(s * k for s, k in zip(r, used, strict=True)) for r in values])


def check_fixed_base(rng: random.Random, _pools: Pools, group: str, _after: bool) -> None:
    n = rng.choice([1, 7, 8, 9, 16, 17, 1023, 1024, 1025, 4097])
    values = scalars(rng, n)
    found = fixed_base.fixed_base_mul(group, FrVector.from_ints(values))  # type: ignore[arg-type]
    expect(group, found[-9:], values[-9:])


def check_multiples(rng: random.Random, pools: Pools, group: str, after: bool) -> None:
    n = rng.choice([1, 7, 8, 9, 100, 1023, 1025])
    logs, points = pools[group]
    values = scalars(rng, n)
    points = copied(points[:n], after)
    found = point_multiples.multiples(points, FrVector.from_ints(values))
    expect(group, found[-9:], [s * k for s, k in zip(values, logs, strict=False)][-9:])
    found = point_multiples.sums(points, copied(points[::-1], after))
    expect(
        group, found[-9:], [a + b for a, b in zip(logs[:n], logs[n - 1 :: -1], strict=True)][-9:]
    )


def expect(group: str, found: np.ndarray, logarithms: list[int]) -> None:
    module, curve = GROUPS[group]
    assert module.to_affine_ints(found) == [curve.mul(curve.generator, k % R) for k in logarithms]


def main(after: bool) -> None:
    faulthandler.enable()
    rng = random.Random(7)
    logs = [rng.choice([0, 1, -1, 2, -2, rng.randrange(R)]) for _ in range(POOL)]
    pools = {
        group: (logs, fixed_base.fixed_base_mul(group, FrVector.from_ints(logs)))
        for group in ("g1", "g2")
    }
    guard_everything(after)
    checks = [check_msm] * 4 + [check_rows, check_fixed_base, check_multiples]
    for k in range(140):
        vary(rng)
        checks[k % len(checks)](rng, pools, rng.choice(["g1", "g2"]), after)
    print("140 sums")


if __name__ == "__main__":
    main(sys.argv[1] == "after")
