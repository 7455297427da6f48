"""Groth16 keys: what the prover and the verifier know of the trapdoor, as group elements.

Source: Groth 2016, §3.2; [x]₁ = x·G1, [x]₂ = x·G2. With A_i, B_i, C_i the QAP polynomials of wire
i, the domain the N-th roots of unity, Z = X^N − 1, wires 0 … ℓ the constant one and the public
inputs:

    paper                               here
    [α]₁ [β]₁ [δ]₁, [β]₂ [δ]₂ [γ]₂      alpha_g1 beta_g1 delta_g1, beta_g2 delta_g2 gamma_g2
    [A_i(τ)]₁                           a_query          (wires with A_i(τ) ≠ 0, listed in a_wires)
    [B_i(τ)]₁, [B_i(τ)]₂                b_g1_query, b_g2_query              (wires in b_wires)
    [(βA_i + αB_i + C_i)(τ)/δ]₁         l_query, i > ℓ                      (wires in l_wires)
    [(βA_i + αB_i + C_i)(τ)/γ]₁         gamma_abc_g1, i ≤ ℓ
    [τ^i·Z(τ)/δ]₁, i < N − 1            h_query, at position bitrev(i)
    [τ^i]₁, i ≤ N, and [τ]₂             tau_g1, tau_g2

The powers of τ are what an audit compares the queries with; proving does not use them, and a key
may be without (both arrays are empty then).

Arrays of points are (n, 2, 4) or (n, 2, 2, 4) uint64 at rest (point_arrays.py); no query contains
infinity. Opening a key checks its form. Whether the points are points is `check_points`; whether
they come from one trapdoor (zero-knowledge needs it, no prover sees it) is audit.py.
"""

import hashlib
import struct
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from zkcmp.bn254 import g1, g2
from zkcmp.bn254.fr import below_modulus
from zkcmp.bn254.ntt import MAX_LOG
from zkcmp.bn254.params import FQ_MODULUS
from zkcmp.bn254.point_arrays import is_infinity
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16.key_file import KeyFile, Shape
from zkcmp.r1cs import R1CS

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
POWER_SECTIONS = ("tau_g1", "tau_g2")

_FQ_WORDS = np.array([(FQ_MODULUS >> (64 * k)) & (2**64 - 1) for k in range(4)], np.uint64)
_ADVICE = "the key is damaged or forged, refuse it"
_CHUNK = 1 << 16


def domain_size(n_constraints: int, n_public: int) -> int:
    """The power of two that holds all constraints and the n_public + 1 consistency rows."""
    rows = n_constraints + n_public + 1
    return 1 << (rows - 1).bit_length()


def circuit_shape(r1cs: R1CS) -> Shape:
    """The digest and the sizes of every key for this circuit."""
    return Shape(
        r1cs.digest,
        r1cs.n_public,
        r1cs.n_wires,
        r1cs.n_constraints,
        domain_size(r1cs.n_constraints, r1cs.n_public),
    )


def bad_points(points: np.ndarray) -> np.ndarray:
    """Positions of points that are not canonical, not in their group, or infinity."""
    good = below_modulus(points.reshape(-1, 4), _FQ_WORDS).reshape(len(points), -1).all(axis=1)
    good &= ~is_infinity(points)
    if points.ndim == 3:
        good &= g1.is_on_curve(points)
    else:
        good &= g2.is_on_curve(points)
        good &= g2.in_subgroup(points)
    return np.flatnonzero(~good)


def check_points(points: np.ndarray, name: str) -> None:
    """Raise a DecodeError unless all points are canonical, in their group, and none is infinity."""
    for start in range(0, len(points), _CHUNK):
        bad = bad_points(points[start : start + _CHUNK])
        if len(bad):
            raise DecodeError(f"{name}, point {start + int(bad[0])} is not in its group; {_ADVICE}")


@dataclass(frozen=True, eq=False)
class VerifyingKey:
    """alpha_g1: (1, 2, 4); beta_g2, gamma_g2, delta_g2: (1, 2, 2, 4); gamma_abc_g1: (ℓ+1, 2, 4)."""

    circuit_digest: bytes
    alpha_g1: np.ndarray
    beta_g2: np.ndarray
    gamma_g2: np.ndarray
    delta_g2: np.ndarray
    gamma_abc_g1: np.ndarray

    MAGIC = b"zkcmp-vk"
    VERSION = 1
    _HEADER = struct.Struct("<8sI32sI")
    _ELEMENTS = 64 + 3 * 128

    @property
    def n_public(self) -> int:
        return len(self.gamma_abc_g1) - 1

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes: the identity of the key."""
        return hashlib.sha256(self.to_bytes()).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyingKey) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.digest)

    def to_bytes(self) -> bytes:
        """Header, then the points at rest (uncompressed, so that long keys decode quickly)."""
        header = self._HEADER.pack(self.MAGIC, self.VERSION, self.circuit_digest, self.n_public)
        points = (self.alpha_g1, self.beta_g2, self.gamma_g2, self.delta_g2, self.gamma_abc_g1)
        return header + b"".join(np.ascontiguousarray(p, "<u8").tobytes() for p in points)

    @classmethod
    def from_bytes(cls, data: bytes) -> "VerifyingKey":
        """The only decoding of the canonical bytes, every point checked.

        Raises:
            DecodeError: on anything else.
        """
        start = cls._HEADER.size
        if len(data) < start or not data.startswith(cls.MAGIC):
            raise DecodeError("this is not a verifying key; get it again")
        _, version, circuit, n_public = cls._HEADER.unpack(data[:start])
        if version != cls.VERSION:
            raise DecodeError(f"verifying key of version {version}, this tool reads {cls.VERSION}")
        if len(data) != start + cls._ELEMENTS + 64 * (n_public + 1):
            raise DecodeError(f"a verifying key of the wrong length, {len(data)} bytes; {_ADVICE}")
        words = np.frombuffer(data, "<u8", offset=start).astype(np.uint64)
        g2_points = words[8 : 8 + 48].reshape(3, 2, 2, 4)
        key = cls(
            circuit,
            words[:8].reshape(1, 2, 4),
            g2_points[0:1],
            g2_points[1:2],
            g2_points[2:3],
            words[56:].reshape(-1, 2, 4),
        )
        check_points(key.alpha_g1, "verifying key alpha_g1")
        check_points(g2_points, "verifying key beta_g2, gamma_g2, delta_g2")
        check_points(key.gamma_abc_g1, "verifying key gamma_abc_g1")
        return key


@dataclass(frozen=True, eq=False)
class ProvingKey:
    """A proving key mapped from its file; `verifying_key` is decoded and checked."""

    file: KeyFile
    verifying_key: VerifyingKey
    alpha_g1: np.ndarray
    beta_g1: np.ndarray
    delta_g1: np.ndarray
    beta_g2: np.ndarray
    delta_g2: np.ndarray
    a_wires: np.ndarray
    a_query: np.ndarray
    b_wires: np.ndarray
    b_g1_query: np.ndarray
    b_g2_query: np.ndarray
    l_wires: np.ndarray
    l_query: np.ndarray
    h_query: np.ndarray
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
        path = Path(path)
        file = KeyFile(path / KEY_NAME if path.is_dir() else path, SECTIONS, POWER_SECTIONS)
        _check_shape(file.shape)
        verifying_key = VerifyingKey.from_bytes(file.bytes("verifying_key"))
        elements_g1 = file.array("elements_g1", np.uint64, (2, 4))
        elements_g2 = file.array("elements_g2", np.uint64, (2, 2, 4))
        _expect_count("elements_g1", elements_g1, 3)
        _expect_count("elements_g2", elements_g2, 2)
        has_powers = "tau_g1" in file.sections
        key = cls(
            file,
            verifying_key,
            alpha_g1=elements_g1[0:1],
            beta_g1=elements_g1[1:2],
            delta_g1=elements_g1[2:3],
            beta_g2=elements_g2[0:1],
            delta_g2=elements_g2[1:2],
            a_wires=file.array("a_wires", np.uint32, ()),
            a_query=file.array("a_query", np.uint64, (2, 4)),
            b_wires=file.array("b_wires", np.uint32, ()),
            b_g1_query=file.array("b_g1_query", np.uint64, (2, 4)),
            b_g2_query=file.array("b_g2_query", np.uint64, (2, 2, 4)),
            l_wires=file.array("l_wires", np.uint32, ()),
            l_query=file.array("l_query", np.uint64, (2, 4)),
            h_query=file.array("h_query", np.uint64, (2, 4)),
            tau_g1=file.array("tau_g1", np.uint64, (2, 4)) if has_powers else elements_g1[:0],
            tau_g2=file.array("tau_g2", np.uint64, (2, 2, 4)) if has_powers else elements_g2[:0],
        )
        key._check_form()
        return key

    def _check_form(self) -> None:
        shape, vk = self.shape, self.verifying_key
        same = (
            vk.circuit_digest == shape.circuit_digest
            and vk.n_public == shape.n_public
            and np.array_equal(vk.alpha_g1, self.alpha_g1)
            and np.array_equal(vk.beta_g2, self.beta_g2)
            and np.array_equal(vk.delta_g2, self.delta_g2)
        )
        if not same:
            raise DecodeError(f"the verifying key inside is of another proving key; {_ADVICE}")
        _check_wires("a_wires", self.a_wires, 0, shape.n_wires)
        _check_wires("b_wires", self.b_wires, 0, shape.n_wires)
        _check_wires("l_wires", self.l_wires, shape.n_public + 1, shape.n_wires)
        _expect_count("a_query", self.a_query, len(self.a_wires))
        _expect_count("b_g1_query", self.b_g1_query, len(self.b_wires))
        _expect_count("b_g2_query", self.b_g2_query, len(self.b_wires))
        _expect_count("l_query", self.l_query, len(self.l_wires))
        _expect_count("h_query", self.h_query, shape.domain_size - 1)
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
        for name in ("beta_g1", "delta_g1", "a_query", "b_g1_query", "b_g2_query"):
            check_points(getattr(self, name), f"proving key {name}")
        for name in ("l_query", "h_query", "tau_g1", "tau_g2"):
            check_points(getattr(self, name), f"proving key {name}")


def _check_shape(shape: Shape) -> None:
    rows = shape.n_constraints + shape.n_public + 1
    if (
        not 1 <= shape.domain_size <= MAX_DOMAIN
        or rows > MAX_DOMAIN
        or domain_size(shape.n_constraints, shape.n_public) != shape.domain_size
        or not shape.n_public < shape.n_wires <= MAX_WIRES
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
