"""One task of experiments/groth16_peers.py in a process of its own, so that peak memory is its own.

    python experiments/peer_workers.py TASK DIRECTORY [ARGUMENT…]

    make KIND SIZE   writes circuit.r1cs and witness.wtns
    zkey             writes circuit.zkey, for snarkjs
    setup REPEATS    measures our setup, after an unmeasured one; leaves proving_key.bin
    prove REPEATS    measures our prove, after an unmeasured one; verifies the proof
    check            our verifier on the proof.json of snarkjs, for circuit.zkey and the witness
    zksnake SETUPS PROOFS   measures zksnake on the same two files; it verifies its own proof

The last line of the output is a JSON object. What the tasks share with zksnake's process is
written without zkcmp, whose imports would count as zksnake's memory.
"""

import importlib
import json
import resource
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

Result = dict[str, Any]


def peak_memory_bytes() -> int:
    """The most that this process has had in memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(run: Callable[[], Any], repeats: int) -> tuple[list[float], Any]:
    """Seconds of every run, and what the last one returned."""
    times, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return times, result


# --- zkcmp ------------------------------------------------------------------------------------


def make(place: Path, kind: str, size: str) -> Result:
    from peer_circuits import write_circuit

    write_circuit(kind, int(size), place)
    return {}


def zkey(place: Path) -> Result:
    from zkcmp.groth16.snarkjs import read_r1cs, setup_zkey

    setup_zkey(read_r1cs(place / "circuit.r1cs"), place / "circuit.zkey")
    return {}


def setup(place: Path, repeats: str) -> Result:
    from zkcmp.bn254.lanes.body import BODY
    from zkcmp.groth16 import setup as make_key
    from zkcmp.groth16.snarkjs import read_r1cs

    r1cs = read_r1cs(place / "circuit.r1cs")
    make_key(r1cs, place)
    times, _ = measure(lambda: make_key(r1cs, place), int(repeats))
    return {"setup": times, "lanes": BODY.name}


def prove(place: Path, repeats: str) -> Result:
    from zkcmp.bn254.lanes.body import BODY
    from zkcmp.errors import VerificationError
    from zkcmp.groth16 import ProvingKey, verify
    from zkcmp.groth16 import prove as make_proof
    from zkcmp.groth16.keys import KEY_NAME
    from zkcmp.groth16.snarkjs import read_r1cs, read_wtns

    r1cs, witness = read_r1cs(place / "circuit.r1cs"), read_wtns(place / "witness.wtns")
    key = ProvingKey.open(place / KEY_NAME)
    make_proof(key, r1cs, witness)
    times, proof = measure(lambda: make_proof(key, r1cs, witness), int(repeats))
    peak = peak_memory_bytes()
    inputs = witness.slice(1, r1cs.n_public + 1)
    verify(key.verifying_key, inputs, proof)
    try:
        verify(key.verifying_key, inputs + 1, proof)
    except VerificationError:
        return {"prove": times, "lanes": BODY.name, "peak_memory_bytes": peak}
    raise RuntimeError("zkcmp accepts a false public input")


def check(place: Path) -> Result:
    from zkcmp.groth16 import verify
    from zkcmp.groth16.snarkjs import ZKey, read_proof, read_wtns

    key = ZKey(place / "circuit.zkey")
    inputs = read_wtns(place / "witness.wtns").slice(1, key.n_public + 1)
    verify(key.verifying_key, inputs, read_proof(place / "proof.json"))
    return {}


# --- zksnake ----------------------------------------------------------------------------------


def _sections(path: Path) -> dict[int, bytes]:
    """The sections of a .r1cs or .wtns file that we wrote."""
    data, sections, start = path.read_bytes(), {}, 12
    while start < len(data):
        number, size = struct.unpack_from("<IQ", data, start)
        sections[number] = data[start + 12 : start + 12 + size]
        start += 12 + size
    return sections


def read_witness(path: Path) -> list[int]:
    """The values of a .wtns file."""
    values = _sections(path)[2]
    return [int.from_bytes(values[i : i + 32], "little") for i in range(0, len(values), 32)]


def read_rows(path: Path) -> tuple[int, int, Iterator[tuple[int, int, list[tuple[int, int, int]]]]]:
    """n_wires, n_public, and (row, matrix 0 … 2, entries (row, wire, value)) of a .r1cs file."""
    sections = _sections(path)
    n_wires, n_outputs, n_inputs = struct.unpack_from("<III", sections[1], 36)
    (n_rows,) = struct.unpack_from("<I", sections[1], len(sections[1]) - 4)
    data = sections[2]

    def rows() -> Iterator[tuple[int, int, list[tuple[int, int, int]]]]:
        at = 0
        for row in range(n_rows):
            for matrix in range(3):
                count = int.from_bytes(data[at : at + 4], "little")
                ends = range(at + 4, at + 4 + 36 * count, 36)
                yield (
                    row,
                    matrix,
                    [
                        (
                            row,
                            int.from_bytes(data[i : i + 4], "little"),
                            int.from_bytes(data[i + 4 : i + 36], "little"),
                        )
                        for i in ends
                    ],
                )
                at += 4 + 36 * count
        if at != len(data):
            raise ValueError(f"{path} has {len(data) - at} bytes too many")

    return n_wires, n_outputs + n_inputs, rows()


def zksnake(place: Path, setups: str, proofs: str) -> Result:
    arithmetization = importlib.import_module("zksnake.arithmetization.r1cs")
    array = importlib.import_module("zksnake.array")
    groth16 = importlib.import_module("zksnake.groth16")

    # its reader of .r1cs files orders wires by a hash; the matrices are filled in here as they are
    n_wires, n_public, rows = read_rows(place / "circuit.r1cs")
    witness = read_witness(place / "witness.wtns")
    circuit = arithmetization.R1CS(SimpleNamespace(public_vars=[None] * n_public), "BN254")
    matrices = [array.SparseArray([[]], 0, n_wires, circuit.p) for _ in range(3)]
    n_rows = 0
    for row, matrix, entries in rows:
        matrices[matrix].append(entries)
        n_rows = row + 1
    for matrix in matrices:
        matrix.n_row = n_rows
    circuit.A, circuit.B, circuit.C = matrices
    public, private = witness[: n_public + 1], witness[n_public + 1 :]
    prover = groth16.Groth16(circuit, "BN254")
    setup_times, _ = measure(prover.setup, int(setups))
    setup_peak = peak_memory_bytes()
    prove_times, proof = measure(lambda: prover.prove(public, private), int(proofs))
    peak = peak_memory_bytes()
    if not prover.verify(proof, public) or prover.verify(proof, [1, *(z + 1 for z in public[1:])]):
        raise RuntimeError("zksnake's verifier and its proof do not agree")
    return {
        "setup": setup_times,
        "prove": prove_times,
        "setup_peak_bytes": setup_peak,
        "peak_memory_bytes": peak,
    }


TASKS: dict[str, Callable[..., Result]] = {
    "make": make,
    "zkey": zkey,
    "setup": setup,
    "prove": prove,
    "check": check,
    "zksnake": zksnake,
}


def main(task: str, directory: str, *arguments: str) -> None:
    result = TASKS[task](Path(directory), *arguments)
    print(json.dumps({"peak_memory_bytes": peak_memory_bytes(), **result}))


if __name__ == "__main__":
    main(*sys.argv[1:])
