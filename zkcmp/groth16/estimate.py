"""What setup and proof of a circuit will cost, before the work is begun.

    key        the sections of keys.py, byte by byte
    setup      SETUP·(points of the key, one of G2 for three) + SETUP_ENTRY·(entries of the
               matrices), in products of the field
    audit      AUDIT·setup: both go over every point of the key
    prove      ROW·N + POINT·(points of the wires, weighted) + ENTRY·(entries)
    memory     BASE + so many bytes for each of N, of the wires, and of the matrix entries; of a
               prover besides the key, which is mapped, and buffers up to a limit

A product of the field is timed here and now (machine.py); the weights are products, fitted to
dense circuits of 2^16 … 2^22 rows and to statements in all modes on two cores with IFMA, where they
are within 16 %, all but few within 12 %; a setup of few rows, up to 24 %. A key of gigabytes takes
as long as its disk needs, up to 2.4 times the setup's prediction. A wire with a small value costs
about SMALL of a full-size one (bits cost less); how many are full-size is the caller's to say.
Threads are taken to share the work with EFFICIENCY. The memory figures are upper bounds of the
resident set, pages of the mapped key included: of 2^16 … 2^20 dense rows, and of statements about
up to 10,000 images, they exceed the peaks by 1 … 49 %.
"""

from dataclasses import dataclass

import numpy as np

from zkcmp import machine
from zkcmp.bn254.threads import thread_count
from zkcmp.groth16.key_file import ALIGNMENT
from zkcmp.groth16.keys import COMMITMENT_SECTIONS, POWER_SECTIONS, SECTIONS, domain_size
from zkcmp.r1cs import R1CS

SETUP = 270
SETUP_ENTRY = 10
AUDIT = 1.5  # 1.25 (10,000 images) to 2.2 (few) in results/
ROW = 355
POINT = 235
SMALL = 0.55
ENTRY = 6
EFFICIENCY = 0.9
BASE_BYTES = 230_000_000
ENTRY_BYTES = 8
# for each row of the domain, and for each wire
SETUP_BYTES = 410, 150
# a prover audits the key in the same process
PROVE_BYTES = 450, 60
# tables of multiples of the generators
TABLE_BYTES = 130_000_000
# what a sum needs for each point, and at most; tables are smaller too for few points
BUFFER_BYTES, BUFFER_LIMIT = 800, 300_000_000


@dataclass(frozen=True)
class CircuitSize:
    """What a cost depends on; `full_wires` of the wires have values of full size.

    l_wires: those of l_query, and of commitment_query in a circuit of two rounds (n_rounds 2).
    n_entries: of the three matrices.
    """

    n_constraints: int
    n_public: int
    n_wires: int
    a_wires: int
    b_wires: int
    l_wires: int
    full_wires: int
    n_rounds: int = 1
    n_entries: int = 0

    @classmethod
    def of(cls, r1cs: R1CS, full_wires: int | None = None) -> "CircuitSize":
        """Count the wires of a circuit; without `full_wires`, all are taken to be full-size."""
        used = np.zeros((3, r1cs.n_wires), bool)
        for k, matrix in enumerate(r1cs.matrices):
            used[k, matrix.indices] = True
        public = r1cs.n_public + 1
        used[0, :public] = True  # by the consistency rows
        return cls(
            r1cs.n_constraints,
            r1cs.n_public,
            r1cs.n_wires,
            int(used[0].sum()),
            int(used[1].sum()),
            int(used[:, public:].any(axis=0).sum()),
            r1cs.n_wires if full_wires is None else min(full_wires, r1cs.n_wires),
            2 if r1cs.n_challenges else 1,
            sum(matrix.n_entries for matrix in r1cs.matrices),
        )

    @property
    def domain_size(self) -> int:
        return domain_size(self.n_constraints, self.n_public)


@dataclass(frozen=True)
class Estimate:
    """Predicted costs; seconds on the threads of this process, bytes of the resident set."""

    size: CircuitSize
    key_bytes: int
    setup_s: float
    prove_s: float
    setup_memory_bytes: int
    prove_memory_bytes: int

    @property
    def audit_s(self) -> float:
        """What the prover spends on a key of somebody else's before it proves."""
        return AUDIT * self.setup_s


def estimate(size: CircuitSize) -> Estimate:
    """Predict from a circuit's size and the speed of this machine."""
    n = size.domain_size
    wire_points = size.a_wires + size.b_wires + 3 * size.b_wires + size.l_wires
    setup_points = wire_points + (n - 1) + (n + 1) + size.n_public
    full = size.full_wires / size.n_wires
    weight = full + (1 - full) * SMALL
    second = machine.product_s() / (1 + (thread_count() - 1) * EFFICIENCY)
    return Estimate(
        size,
        key_bytes(size),
        second * (SETUP * setup_points + SETUP_ENTRY * size.n_entries),
        second * (ROW * n + POINT * weight * wire_points + ENTRY * size.n_entries),
        setup_memory_bytes(size),
        prove_memory_bytes(size),
    )


def setup_memory_bytes(size: CircuitSize) -> int:
    """What the process of a setup needs at most."""
    points = max(size.domain_size, size.n_wires)
    tables = min(BUFFER_BYTES * points, TABLE_BYTES)
    return BASE_BYTES + tables + _vector_bytes(size, SETUP_BYTES)


def prove_memory_bytes(size: CircuitSize) -> int:
    """What the process of a prover needs at most, whether it audits the key or not."""
    points = max(size.domain_size, size.n_wires)
    buffers = min(BUFFER_BYTES * points, BUFFER_LIMIT)
    fixed = BASE_BYTES + TABLE_BYTES + buffers + key_bytes(size)
    return fixed + _vector_bytes(size, PROVE_BYTES)


def _vector_bytes(size: CircuitSize, weights: tuple[int, int]) -> int:
    a_row, a_wire = weights
    return a_row * size.domain_size + a_wire * size.n_wires + ENTRY_BYTES * size.n_entries


def key_bytes(size: CircuitSize) -> int:
    """Bytes of a proving key file, up to a few of alignment."""
    n, two_rounds = size.domain_size, int(size.n_rounds == 2)
    sections = len(SECTIONS) + len(POWER_SECTIONS) + two_rounds * len(COMMITMENT_SECTIONS)
    header = 112 + 72 * sections + two_rounds * 16
    verifying_key = 48 + 64 + 3 * 128 + 64 * (size.n_public + 1) + two_rounds * (4 + 128)
    elements = 3 * 64 + 2 * 128 + two_rounds * (64 + 128)
    wires = (64 + 4) * size.a_wires + (64 + 128 + 4) * size.b_wires + (64 + 4) * size.l_wires
    powers = 64 * (n + 1) + 128
    return header + verifying_key + elements + wires + 64 * (n - 1) + powers + ALIGNMENT * sections


def zkey_bytes(size: CircuitSize) -> int:
    """Bytes of a key in snarkjs's format, which it does not exceed: points for every wire."""
    wires, rows = (64 + 64 + 128 + 64) * size.n_wires, 64 * size.domain_size
    coefficients = 44 * (size.n_entries + size.n_public + 1)
    return 4096 + wires + rows + coefficients
