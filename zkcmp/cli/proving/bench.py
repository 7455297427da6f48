"""`zkcmp bench`: what the engine and Groth16 cost on this machine.

Every measurement is one record: name, size (elements, or the domain of Groth16), threads, lanes,
seconds (median of the repeats, compilation excluded) and peak_memory_bytes of the process so far.
`--json` prints one record a line.
"""

import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.field.ntt import from_reversed, to_reversed
from zkcmp.bn254.field.ntt import ntt as transform
from zkcmp.bn254.lanes.body import BODY, LANES
from zkcmp.bn254.lanes.mul_chains import CHAINS, multiply_chains, multiply_stream
from zkcmp.bn254.msm.fixed_base import Group, fixed_base_mul
from zkcmp.bn254.msm.pippenger import msm as multi_scalar_multiplication
from zkcmp.bn254.pairing.ate import pairing as compute_pairing
from zkcmp.bn254.pairing.ate import pairing_product_is_one
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.threads import thread_count
from zkcmp.cli.terminal.listing import Listing
from zkcmp.groth16 import prove, setup, verify
from zkcmp.groth16.audit import audit
from zkcmp.groth16.keys import KEY_NAME, ProvingKey
from zkcmp.r1cs import R1CS, Span, SparseMatrix

app = typer.Typer(
    cls=Listing,
    help="Measure products, MSM, NTT, pairings and whole proofs on this machine.",
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)

Record = dict[str, Any]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per line.")]
Repeats = Annotated[int, typer.Option(min=1, max=1000, help="Measurements; the median counts.")]


def _size_option(smallest: int, largest: int) -> Any:
    return typer.Option("--size", min=smallest, max=largest, help="Logarithm to base 2.")


# a multiplier for test data: its powers look like random scalars
_BASE = 0x2B5E151628AED2A6ABF7158809CF4F3C762E7160F38B4DA56A784D9045190CFE % FR_MODULUS


def record(name: str, size: int, seconds: float, threads: int | None = None, **more: Any) -> Record:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "name": name,
        "size": size,
        "threads": thread_count() if threads is None else threads,
        "lanes": BODY.name,
        "seconds": seconds,
        # kilobytes on Linux, bytes on macOS
        "peak_memory_bytes": peak if sys.platform == "darwin" else peak * 1024,
        **more,
    }


def _median(run: Callable[[], Any], repeats: int, warm: bool = True) -> float:
    """Median seconds of `run`, after one unmeasured run when `warm`."""
    if warm:
        run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def report(records: Iterator[Record], as_json: bool) -> None:
    if as_json:
        for record in records:
            print(json.dumps(record), flush=True)
        return
    table = Table()
    for column in ("name", "size", "threads", "lanes", "seconds", "peak memory", "details"):
        text = column in ("name", "lanes", "details")
        table.add_column(column, justify="left" if text else "right", no_wrap=column == "name")
    for record in records:
        known = ("name", "size", "threads", "lanes", "seconds", "peak_memory_bytes")
        rest = ", ".join(f"{k} {v}" for k, v in record.items() if k not in known)
        table.add_row(
            record["name"],
            str(record["size"]),
            str(record["threads"]),
            record["lanes"],
            f"{record['seconds']:.3g}",
            f"{record['peak_memory_bytes'] / 2**20:.0f} MiB",
            rest,
        )
    Console().print(table)


@app.command()
def mul(as_json: Json = False, repeats: Repeats = 15) -> None:
    """Seconds per 254-bit product on one core: independent chains, and streams from L1 and L2."""
    report(measure_mul(repeats), as_json)


def measure_mul(repeats: int) -> Iterator[Record]:
    rounds = 100_000
    a = FrVector.powers(_BASE, (CHAINS + 1) * LANES).data
    products = rounds * CHAINS * LANES
    seconds = _median(lambda: multiply_chains(a, rounds), repeats)
    yield record("mul/chains", products, seconds / products, threads=1)
    for level, n in (("l1", 256), ("l2", 4096)):
        x, y = FrVector.powers(_BASE, n), FrVector.powers(3, n)
        out = FrVector.zeros(n)
        passes = 1_000_000 // n
        run = partial(multiply_stream, x.data, y.data, out.data, n // LANES, passes)
        yield record(f"mul/{level}", n, _median(run, repeats) / (n * passes), threads=1)


@app.command()
def ntt(
    size: Annotated[int, _size_option(0, 26)] = 20, as_json: Json = False, repeats: Repeats = 9
) -> None:
    """One transform of 2^size scalars: in natural order, and the forms Groth16 uses."""
    report(measure_ntt(size, repeats), as_json)


def measure_ntt(size: int, repeats: int) -> Iterator[Record]:
    v = FrVector.powers(_BASE, 1 << size)
    yield record("ntt", v.n, _median(lambda: transform(v), repeats))
    yield record("ntt/to_reversed", v.n, _median(lambda: to_reversed(v), repeats))
    yield record("ntt/from_reversed", v.n, _median(lambda: from_reversed(v), repeats))


@app.command()
def msm(
    size: Annotated[int, _size_option(0, 24)] = 20,
    bits: Annotated[int, typer.Option(min=1, max=254, help="Size of the scalars.")] = 254,
    group: Annotated[Literal["g1", "g2"], typer.Option(help="The group of the points.")] = "g1",
    as_json: Json = False,
    repeats: Repeats = 5,
) -> None:
    """A sum of 2^size different points times scalars of `bits` bits (254: uniform in Fr)."""
    report(measure_msm(size, bits, group, repeats), as_json)


def measure_msm(size: int, bits: int, group: Group, repeats: int) -> Iterator[Record]:
    n = 1 << size
    bases = fixed_base_mul(group, FrVector.powers(3, n))
    scalars = FrVector.powers(_BASE, n)
    if bits < 254:
        words = scalars.to_words()
        for k in range(4):
            keep = min(max(bits - 64 * k, 0), 64)
            words[:, k] &= np.uint64((1 << keep) - 1)
        # a value of 253 bits or fewer is below r
        scalars = FrVector.from_words(words)
    seconds = _median(lambda: multi_scalar_multiplication(bases, scalars), repeats)
    yield record(f"msm/{group}", n, seconds, bits=bits)


@app.command()
def pairing(as_json: Json = False, repeats: Repeats = 31) -> None:
    """One pairing, and a product of four compared with one (a Groth16 verification)."""
    report(measure_pairing(repeats), as_json)


def measure_pairing(repeats: int) -> Iterator[Record]:
    p, q = g1.generator(), g2.generator()
    yield record("pairing", 1, _median(lambda: compute_pairing(p, q), repeats))
    pairs = [(p, q)] * 4
    yield record("pairing/product", 4, _median(lambda: pairing_product_is_one(pairs), repeats))


@app.command()
def groth16(
    size: Annotated[int, _size_option(3, 24)] = 20, as_json: Json = False, repeats: Repeats = 3
) -> None:
    """Setup, audit, proof and verification of 2^size − 2 dense constraints.

    Every wire is full-size, in A and in B.
    """
    report(measure_groth16(size, repeats), as_json)


def measure_groth16(size: int, repeats: int) -> Iterator[Record]:
    with tempfile.TemporaryDirectory(prefix="zkcmp-bench-") as directory:
        # compiles everything that setup uses
        setup(dense_circuit(min(size, 12))[0], directory)
        circuit, witness = dense_circuit(size)
        constraints = circuit.n_constraints
        seconds = _median(lambda: setup(circuit, directory), repeats, warm=False)
        key = ProvingKey.open(f"{directory}/{KEY_NAME}")
        key_bytes = key.file.path.stat().st_size
        more = {"constraints": constraints}
        yield record("groth16/setup", 1 << size, seconds, **more, key_bytes=key_bytes)
        # once, on a circuit built afresh, as whoever audits a key does
        audit(setup(dense_circuit(3)[0], f"{directory}/small"), dense_circuit(3)[0])
        rebuilt = dense_circuit(size)[0]
        start = time.perf_counter()
        audit(key, rebuilt)
        yield record("groth16/audit", 1 << size, time.perf_counter() - start, **more)
        proof = prove(key, circuit, witness)
        seconds = _median(lambda: prove(key, circuit, witness), repeats, warm=False)
        yield record("groth16/prove", 1 << size, seconds, **more)
        inputs = witness.slice(1, circuit.n_public + 1)
        seconds = _median(lambda: verify(key.verifying_key, inputs, proof), max(repeats, 9))
        yield record("groth16/verify", 1 << size, seconds, **more)


def dense_circuit(size: int) -> tuple[R1CS, FrVector]:
    """w_(k+2) = w_k·w_(k+1), 2^size − 2 times, w_0 public: with its consistency rows, 2^size rows.

    Wires are 1, w_0, w_1, …; nearly each is in A, in B and in C.
    """
    m = (1 << size) - 2
    indptr = np.arange(m + 1, dtype=np.int64)
    ids = np.zeros(m, np.uint32)
    a, b, c = (SparseMatrix(indptr, np.arange(k, m + k, dtype=np.uint32), ids) for k in (1, 2, 3))
    values = [1, _BASE, _BASE * _BASE % FR_MODULUS]
    for _ in range(m):
        values.append(values[-1] * values[-2] % FR_MODULUS)
    r1cs = R1CS(1, m + 3, a, b, c, [1], [Span("chain", 0, m)])
    return r1cs, FrVector.from_ints(values)
