"""Groth16 keys: what the prover and the verifier know of the trapdoor, as group elements.

Source: Groth 2016, §3.2; [x]₁ = x·G1, [x]₂ = x·G2. With A_i, B_i, C_i the QAP polynomials of wire
i, K_i = βA_i + αB_i + C_i, the domain the N-th roots of unity, Z = X^N − 1, wires 0 … ℓ the
constant one and the public inputs:

    paper                               here
    [α]₁ [β]₁ [δ]₁, [β]₂ [δ]₂ [γ]₂      alpha_g1 beta_g1 delta_g1, beta_g2 delta_g2 gamma_g2
    [A_i(τ)]₁                           a_query          (wires with A_i(τ) ≠ 0, listed in a_wires)
    [B_i(τ)]₁, [B_i(τ)]₂                b_g1_query, b_g2_query              (wires in b_wires)
    [K_i(τ)/δ]₁                         l_query, i > ℓ                      (wires in l_wires)
    [K_i(τ)/γ]₁                         gamma_abc_g1, i ≤ ℓ
    [τ^i·Z(τ)/δ]₁, i < N − 1            h_query, at position bitrev(i)
    [τ^i]₁, i ≤ N, and [τ]₂             tau_g1, tau_g2

A key of two rounds (MIRAGE, ePrint 2020/278; docs/groth16.md) has besides

    [δ₀]₁, [δ₀]₂                        delta0_g1, delta0_g2
    [K_i(τ)/δ₀]₁                        commitment_query                    (commitment_wires)

for the n_committed private wires that come first, and l_query is for those after them. That no wire
can be in both lists is a matter of form: their ranges are disjoint.

The powers of τ are what an audit compares the queries with; proving does not use them, and a key
may be without (both arrays are empty then).

Arrays of points are (n, 2, 4) or (n, 2, 2, 4) uint64 at rest (point_arrays.py); no query contains
infinity. Opening a key checks its form. Whether the points are points is `check_points`; whether
they come from one trapdoor (zero-knowledge needs it, no prover sees it) is audit/.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zkcmp.bn254.field.ntt import MAX_LOG
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16.key_file import KeyFile, Shape
from zkcmp.groth16.verifying_key import VerifyingKey, bad_points, check_points
from zkcmp.r1cs import R1CS

__all__ = [
    "ProvingKey",
    "VerifyingKey",
    "bad_points",
    "check_points",
    "circuit_shape",
    "domain_size",
    "section_names",
]

MAX_DOMAIN = 1 << MAX_LOG
MAX_WIRES = 1 << 31
KEY_NAME = "proving_key.bin"

SECTIONS = (
    "verifying_key",
    "elements_g1",
    "elements_g2",
    "a_wires",
    "a_query",
    "b_wires",
    "b_g1_query",
    "b_g2_query",
    "l_wires",
    "l_query",
    "h_query",
)
COMMITMENT_SECTIONS = ("commitment_wires", "commitment_query")
POWER_SECTIONS = ("tau_g1", "tau_g2")

_ADVICE = "the key is damaged or forged, refuse it"


def section_names(shape: Shape, powers: bool = True) -> tuple[str, ...]:
    """The sections of a key for such a circuit, in their order in the file."""
    commitment = COMMITMENT_SECTIONS if shape.n_challenges else ()
    return SECTIONS + commitment + (POWER_SECTIONS if powers else ())


def domain_size(n_constraints: int, n_public: int) -> int:
    """The power of two that holds all constraints and the n_public + 1 consistency rows."""
    rows = n_constraints + n_public + 1
    return 1 << (rows - 1).bit_length()


def circuit_shape(r1cs: R1CS) -> Shape:
    """The digest and the sizes of every key for this circuit.

    Raises ValueError for a circuit with challenges that answer no commitment, or the reverse.
    """
    if (r1cs.n_challenges > 0) != (r1cs.n_committed > 0):
        raise ValueError("a circuit of two rounds has challenges and committed wires")
    return Shape(
        r1cs.digest,
        r1cs.n_public,
        r1cs.n_wires,
        r1cs.n_constraints,
        domain_size(r1cs.n_constraints, r1cs.n_public),
        r1cs.n_challenges,
        r1cs.n_committed,
    )


@dataclass(frozen=True, eq=False)
class ProvingKey:
    """A proving key mapped from its file; `verifying_key` is decoded and checked.

    In a key of one round delta0_g1, delta0_g2 and what belongs to the commitment are empty.
    """

    file: KeyFile
    verifying_key: VerifyingKey
    alpha_g1: np.ndarray
    beta_g1: np.ndarray
    delta_g1: np.ndarray
    delta0_g1: np.ndarray
    beta_g2: np.ndarray
    delta_g2: np.ndarray
    delta0_g2: np.ndarray
    a_wires: np.ndarray
    a_query: np.ndarray
    b_wires: np.ndarray
    b_g1_query: np.ndarray
    b_g2_query: np.ndarray
    l_wires: np.ndarray
    l_query: np.ndarray
    h_query: np.ndarray
    commitment_wires: np.ndarray
    commitment_query: np.ndarray
    tau_g1: np.ndarray
    tau_g2: np.ndarray

    @property
    def shape(self) -> Shape:
        return self.file.shape

    @property
    def digest(self) -> bytes:
        """Identifies the whole file (SHA-256 of its header, which has those of the sections)."""
        return self.file.digest

    @classmethod
    def open(cls, path: Path | str) -> "ProvingKey":
        """Map the key file `path`, or the one in directory `path`; reads the header and wire lists.

        Raises:
            DecodeError: when the header, a length or a wire list is not what it must be.
        """
        file = _open_file(Path(path))
        two_rounds = file.shape.n_challenges > 0
        verifying_key = VerifyingKey.from_bytes(file.bytes("verifying_key"))
        elements_g1 = file.array("elements_g1", np.uint64, (2, 4))
        elements_g2 = file.array("elements_g2", np.uint64, (2, 2, 4))
        _expect_count("elements_g1", elements_g1, 3 + two_rounds)
        _expect_count("elements_g2", elements_g2, 2 + two_rounds)

        def array(name: str, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
            """A section, empty when the key is of a kind that is without."""
            if name in file.sections:
                return file.array(name, dtype, shape)
            return np.zeros((0, *shape), dtype)

        key = cls(
            file,
            verifying_key,
            alpha_g1=elements_g1[0:1],
            beta_g1=elements_g1[1:2],
            delta_g1=elements_g1[2:3],
            delta0_g1=elements_g1[3:],
            beta_g2=elements_g2[0:1],
            delta_g2=elements_g2[1:2],
            delta0_g2=elements_g2[2:],
            a_wires=array("a_wires", np.uint32, ()),
            a_query=array("a_query", np.uint64, (2, 4)),
            b_wires=array("b_wires", np.uint32, ()),
            b_g1_query=array("b_g1_query", np.uint64, (2, 4)),
            b_g2_query=array("b_g2_query", np.uint64, (2, 2, 4)),
            l_wires=array("l_wires", np.uint32, ()),
            l_query=array("l_query", np.uint64, (2, 4)),
            h_query=array("h_query", np.uint64, (2, 4)),
            commitment_wires=array("commitment_wires", np.uint32, ()),
            commitment_query=array("commitment_query", np.uint64, (2, 4)),
            tau_g1=array("tau_g1", np.uint64, (2, 4)),
            tau_g2=array("tau_g2", np.uint64, (2, 2, 4)),
        )
        key._check_form()
        return key

    def _check_form(self) -> None:
        shape, vk = self.shape, self.verifying_key
        same = (
            vk.circuit_digest == shape.circuit_digest
            and vk.n_public == shape.n_public
            and vk.n_challenges == shape.n_challenges
            and np.array_equal(vk.alpha_g1, self.alpha_g1)
            and np.array_equal(vk.beta_g2, self.beta_g2)
            and np.array_equal(vk.delta_g2, self.delta_g2)
            and np.array_equal(vk.delta0_g2, self.delta0_g2)
        )
        if not same:
            raise DecodeError(f"the verifying key inside is of another proving key; {_ADVICE}")
        _check_wires("a_wires", self.a_wires, 0, shape.n_wires)
        _check_wires("b_wires", self.b_wires, 0, shape.n_wires)
        committed, other = shape.first_committed, shape.first_other
        _check_wires("commitment_wires", self.commitment_wires, committed, other)
        _check_wires("l_wires", self.l_wires, other, shape.n_wires)
        _expect_count("a_query", self.a_query, len(self.a_wires))
        _expect_count("b_g1_query", self.b_g1_query, len(self.b_wires))
        _expect_count("b_g2_query", self.b_g2_query, len(self.b_wires))
        _expect_count("l_query", self.l_query, len(self.l_wires))
        _expect_count("h_query", self.h_query, shape.domain_size - 1)
        _expect_count("commitment_query", self.commitment_query, len(self.commitment_wires))
        if "tau_g1" in self.file.sections:
            _expect_count("tau_g1", self.tau_g1, shape.domain_size + 1)
            _expect_count("tau_g2", self.tau_g2, 1)

    def check_circuit(self, r1cs: R1CS) -> None:
        """Raise a VerificationError unless the key names this circuit and has its sizes.

        A forger can write the digest of one circuit over the sizes of another.
        """
        expected = circuit_shape(r1cs)
        if self.shape.circuit_digest != expected.circuit_digest:
            raise VerificationError(
                "proving key",
                f"circuit {expected.circuit_digest.hex()[:16]}",
                self.shape.circuit_digest.hex()[:16],
                "use the key that was made for this circuit",
            )
        if self.shape != expected:
            raise VerificationError(
                "proving key", "the sizes of its circuit", "other sizes", _ADVICE
            )

    def check_points(self) -> None:
        """Check the digest of every section and that every point is in its group.

        A prover does this once, before it accepts a key made by somebody else.

        Raises:
            DecodeError: naming the section and the first bad point.
        """
        self.file.check_digests()
        for name in ("beta_g1", "delta_g1", "delta0_g1", "a_query", "b_g1_query", "b_g2_query"):
            check_points(getattr(self, name), f"proving key {name}")
        for name in ("l_query", "h_query", "commitment_query", "tau_g1", "tau_g2"):
            check_points(getattr(self, name), f"proving key {name}")


def _open_file(path: Path) -> KeyFile:
    """The file, its shape and its list of sections checked, nothing of them read."""
    commitments = ((), COMMITMENT_SECTIONS)
    layouts = (SECTIONS + c + p for c in commitments for p in ((), POWER_SECTIONS))
    file = KeyFile(path / KEY_NAME if path.is_dir() else path, *layouts)
    _check_shape(file.shape)
    if ("commitment_query" in file.sections) != (file.shape.n_challenges > 0):
        raise DecodeError(f"the proving key does not have the sections of its rounds; {_ADVICE}")
    return file


def _check_shape(shape: Shape) -> None:
    rows = shape.n_constraints + shape.n_public + 1
    if (
        not 1 <= shape.domain_size <= MAX_DOMAIN
        or rows > MAX_DOMAIN
        or domain_size(shape.n_constraints, shape.n_public) != shape.domain_size
        or not shape.n_public < shape.n_wires <= MAX_WIRES
        or shape.n_challenges > shape.n_public
        or shape.first_other > shape.n_wires
    ):
        raise DecodeError(f"the proving key's sizes are impossible; {_ADVICE}")


def _expect_count(name: str, array: np.ndarray, n: int) -> None:
    if len(array) != n:
        raise DecodeError(
            f"proving key section {name} has {len(array)} entries, not {n}; {_ADVICE}"
        )


def _check_wires(name: str, wires: np.ndarray, first: int, stop: int) -> None:
    """Wire numbers strictly increase within first … stop − 1."""
    if len(wires) and (
        int(wires[0]) < first or int(wires[-1]) >= stop or not (wires[1:] > wires[:-1]).all()
    ):
        raise DecodeError(f"proving key section {name} is not a list of wires; {_ADVICE}")
