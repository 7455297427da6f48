"""Public parameters of zkvpd.py: the eq tables of a secret point, and the point in both groups.

For secrets s_1 … s_m and t, none of them 0 or 1, and [x]₁ = x·G1, [x]₂ = x·G2,

    E_k[i] = [eq((s_(k+1), …, s_m), i)]₁      k = 0 … m,  i of m − k bits; E_m[0] = G1
    [s_k]₁, [s_k]₂, [t]₁, [t]₂

The tables of all k are there because the quotients of an opening are polynomials in the last m − k
variables; a vector of fewer than m variables uses the last ones. Whoever knows the secrets can
open a commitment to anything, so the verifier makes the parameters. Whoever commits under bad
ones may not be hidden, so the prover audits them (srs_audit.py).

A verifier needs the elements outside the tables and the tables' digest: `VerifierKey`. The file is

    magic "zkcmp-ml", version u32, m u32, 48 zero bytes,
    [s_1 … s_m, t]₁, [s_1 … s_m, t]₂, E_0, E_1, …, E_m

with points at rest (bn254/curve/point_arrays.py), little-endian, and nothing after them. A
verifier's key by itself is

    magic "zkcmp-mk", version u32, m u32, the tables' digest, [s_1 … s_m, t]₁, [s_1 … s_m, t]₂

with compressed points (bn254/curve/encoding.py).
"""

import hashlib
import secrets
import struct
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from zkcmp.bn254.curve.encoding import G1_BYTES, G2_BYTES, decode_g2, encode_g2
from zkcmp.bn254.curve.point_arrays import is_infinity
from zkcmp.bn254.curve.point_bytes import decode_g1_points, encode_g1_points
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.commitments.multilinear import suffix_eq_tables
from zkcmp.disk import create
from zkcmp.errors import DecodeError

MAGIC, VERSION = b"zkcmp-ml", 1
KEY_MAGIC = b"zkcmp-mk"
MAX_VARS = 28
# points lie on cache lines in a mapped file
_HEADER = struct.Struct("<8sII48s")
_KEY_HEADER = struct.Struct("<8sII32s")
_ADVICE = "get the parameters again from whoever made them"


@dataclass(frozen=True, eq=False)
class VerifierKey:
    """[s_1], …, [s_m], [t] in both groups, (m + 1, 2, 4) and (m + 1, 2, 2, 4) at rest."""

    n_vars: int
    tables_digest: bytes
    secrets_g1: np.ndarray = field(repr=False)
    secrets_g2: np.ndarray = field(repr=False)

    @property
    def t_g1(self) -> np.ndarray:
        return self.secrets_g1[-1:]

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that name all parameters, the tables too."""
        digest = hashlib.sha256(_header(self.n_vars) + self.tables_digest)
        digest.update(_bytes(self.secrets_g1))
        digest.update(_bytes(self.secrets_g2))
        return digest.digest()

    def to_bytes(self) -> bytes:
        """The canonical encoding, 48 + 96·(m + 1) bytes."""
        header = _KEY_HEADER.pack(KEY_MAGIC, VERSION, self.n_vars, self.tables_digest)
        in_g2 = b"".join(encode_g2(point) for point in self.secrets_g2)
        return header + encode_g1_points(self.secrets_g1) + in_g2

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse. That the secrets agree in both groups is for who made them to know.

        Raises:
            DecodeError: another length or header, or an element that is not canonical, not of its
                group, or infinity.
        """
        if len(data) < _KEY_HEADER.size or not data.startswith(KEY_MAGIC):
            raise DecodeError("this is not a verifier's key of parameters; restore it from a copy")
        _, version, n_vars, tables_digest = _KEY_HEADER.unpack(data[: _KEY_HEADER.size])
        if version != VERSION:
            raise DecodeError(f"a verifier's key of version {version}, this tool reads {VERSION}")
        middle = _KEY_HEADER.size + G1_BYTES * (n_vars + 1)
        if n_vars > MAX_VARS or len(data) != middle + G2_BYTES * (n_vars + 1):
            raise DecodeError("this verifier's key has not its size; restore it from a copy")
        in_g1 = decode_g1_points(data[_KEY_HEADER.size : middle])
        places = range(middle, len(data), G2_BYTES)
        in_g2 = np.concatenate([decode_g2(data[at : at + G2_BYTES]) for at in places])
        if is_infinity(in_g1).any() or is_infinity(in_g2).any():
            raise DecodeError("a secret of this verifier's key is 0; restore it from a copy")
        return cls(n_vars, tables_digest, in_g1, in_g2)


@dataclass(frozen=True, eq=False)
class Srs:
    """The verifier's key, and E_0 … E_m one after the other, (2^(m+1) − 1, 2, 4) at rest."""

    key: VerifierKey
    tables: np.ndarray = field(repr=False)

    @property
    def n_vars(self) -> int:
        return self.key.n_vars

    def table(self, variables: int) -> np.ndarray:
        """The eq table of the last `variables` secrets, (2^variables, 2, 4)."""
        end = len(self.tables) + 1 - (1 << variables)
        return self.tables[end - (1 << variables) : end]

    def save(self, path: Path) -> None:
        with create(path) as file:
            file.write(_header(self.n_vars))
            for points in (self.key.secrets_g1, self.key.secrets_g2, self.tables):
                file.write(_bytes(points))


def make_srs(n_vars: int) -> Srs:
    """Parameters for up to 2^n_vars values, from fresh secrets that are not kept."""
    if not 0 <= n_vars <= MAX_VARS:
        raise ValueError(f"cannot make parameters for {n_vars} variables")
    point = [random_secret() for _ in range(n_vars)]
    scalars = FrVector.from_ints([*point, random_secret()])
    tables = [fixed_base_mul("g1", table) for table in reversed(suffix_eq_tables(point))]
    return assemble(
        fixed_base_mul("g1", scalars), fixed_base_mul("g2", scalars), np.concatenate(tables)
    )


def random_secret() -> int:
    """Uniform, neither 0 nor 1: no element of the tables is infinity."""
    return 2 + secrets.randbelow(FR_MODULUS - 2)


def assemble(secrets_g1: np.ndarray, secrets_g2: np.ndarray, tables: np.ndarray) -> Srs:
    """Parameters from their points; the digest is computed here."""
    digest = hashlib.sha256(_bytes(tables)).digest()
    return Srs(VerifierKey(len(secrets_g1) - 1, digest, secrets_g1, secrets_g2), tables)


def file_bytes(n_vars: int) -> int:
    """The size of the file of parameters for 2^n_vars values."""
    return _HEADER.size + (64 + 128) * (n_vars + 1) + 64 * ((2 << n_vars) - 1)


def load_srs(path: Path) -> Srs:
    """Map a file. Its points are not checked: that is the audit's work.

    Raises:
        DecodeError: it cannot be read, is of another kind, or has not the size that it must have.
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            header = file.read(_HEADER.size)
    except OSError as error:
        raise DecodeError(f"cannot read the parameters {path}: {error.strerror}") from error
    if len(header) < _HEADER.size or not header.startswith(MAGIC):
        raise DecodeError(f"these are not parameters of a commitment; {_ADVICE}")
    _, version, n_vars, _ = _HEADER.unpack(header)
    if version != VERSION:
        raise DecodeError(f"parameters of version {version}, this tool reads {VERSION}; upgrade")
    if n_vars > MAX_VARS or header != _header(n_vars):
        raise DecodeError(f"the header of these parameters is damaged; {_ADVICE}")
    counts = (n_vars + 1, n_vars + 1, (2 << n_vars) - 1)
    shapes = ((2, 4), (2, 2, 4), (2, 4))
    sizes = [8 * c * int(np.prod(s)) for c, s in zip(counts, shapes, strict=True)]
    if size != file_bytes(n_vars):
        raise DecodeError(
            f"parameters for 2^{n_vars} values have {file_bytes(n_vars)} bytes, these have "
            f"{size}; {_ADVICE}"
        )
    arrays, offset = [], _HEADER.size
    for count, shape, length in zip(counts, shapes, sizes, strict=True):
        # copy-on-write: kernels take writeable arrays, the file never changes
        mapped = np.memmap(path, np.uint64, mode="c", offset=offset, shape=(count, *shape))
        arrays.append(np.asarray(mapped))
        offset += length
    return assemble(*arrays)


def _header(n_vars: int) -> bytes:
    return _HEADER.pack(MAGIC, VERSION, n_vars, bytes(48))


def _bytes(points: np.ndarray) -> memoryview:
    return np.ravel(points).data.cast("B")
