"""A setup by several parties in turn: sound if one of them forgets its secrets.

A ceremony is a directory that travels from one contributor to the next:

    powers-000.bin                    τ = α = β = 1 (powers.py), or the powers of a .ptau file
    powers-k.bin, powers-k.record     after contributor k of phase 1
    key-000.bin                       the circuit's key with δ = δ₀ = 1 (circuit_phase.py)
    key-k.bin, key-k.record           after contributor k of phase 2

A record holds the digest of the file it belongs to and the contributor's factors (contribution.py),
τ, α, β in phase 1 and δ in phase 2. For a circuit of two rounds phase 2 has a second, independent
factor, of δ₀: then nobody knows δ₀/δ, and no wire can be moved between the rounds. The transcript
is a chain: v_0 names the phase and its first file, v_k = SHA-256(v_(k−1), record k); phase 2 starts
from the end of phase 1. Each proof of knowledge is made over the v before it.

`verify` repeats all checks for every file: records, that each file is the one before it times the
record's factors, and that the file is consistent (`Powers.check`, `audit`). Because every step is
kept, whoever cheats is known by its number. A contributor compares the digest of its own record,
which `contribute` returned, with those that `verify` returns: it need not believe in the others'
factors if its own is in.

Source: Bowe, Gabizon, Miers 2017 (ePrint 2017/1050); security without a beacon: Kohlweiss, Maller,
Siim, Volkhov 2021 (ePrint 2021/219).
"""

import hashlib
import shutil
import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from zkcmp.bn254 import g1, g2
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.groth16.audit import audit
from zkcmp.groth16.circuit_phase import derive_key, multiply_deltas
from zkcmp.groth16.contribution import FACTOR_BYTES, Factor, make_factor, random_factor
from zkcmp.groth16.keys import ProvingKey, domain_size
from zkcmp.groth16.powers import Powers, beginning, first_powers, multiply_powers
from zkcmp.groth16.snarkjs.ptau import Ptau
from zkcmp.progress import Progress, silent
from zkcmp.r1cs import R1CS

Phase = Literal["powers", "key"]
PHASES: tuple[Phase, ...] = ("powers", "key")
POWER_LABELS = (b"tau", b"alpha", b"beta")
DELTA_LABELS = (b"delta", b"delta0")  # the second for circuits of two rounds only
MAX_CONTRIBUTIONS = 999

_MAGIC, _VERSION = b"zkcmp-cr", 1
_HEAD = struct.Struct("<8sI32s32s")


class CeremonyError(VerificationError):
    """A ceremony that must not be used; `contributor` is who made it so, 0 for its beginning."""

    def __init__(self, phase: Phase, contributor: int, error: Exception | str):
        self.phase, self.contributor = phase, contributor
        who = f"contributor {contributor}" if contributor else "the beginning"
        super().__init__(
            f"ceremony, {phase}, {who}: {error}", hint="go on from the step before, without it"
        )


@dataclass(frozen=True)
class Record:
    """One contribution: the transcript before it, the digest of its file, its factors."""

    before: bytes
    result: bytes
    factors: tuple[Factor, ...]

    def to_bytes(self) -> bytes:
        head = _HEAD.pack(_MAGIC, _VERSION, self.before, self.result)
        return head + b"".join(factor.to_bytes() for factor in self.factors)

    @classmethod
    def from_bytes(cls, data: bytes, n_factors: int) -> "Record":
        """Raises DecodeError unless these are the bytes of a record with so many factors."""
        if len(data) != _HEAD.size + n_factors * FACTOR_BYTES:
            raise DecodeError("a record of the wrong length; get it again")
        magic, version, before, result = _HEAD.unpack(data[: _HEAD.size])
        if magic != _MAGIC or version != _VERSION:
            raise DecodeError("not a record of a contribution; get it again")
        starts = range(_HEAD.size, len(data), FACTOR_BYTES)
        factors = tuple(Factor.from_bytes(data[i : i + FACTOR_BYTES]) for i in starts)
        return cls(before, result, factors)

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.to_bytes()).digest()


class Ceremony:
    """The files of a ceremony in one directory."""

    def __init__(self, directory: Path):
        self.directory = directory

    @classmethod
    def begin(cls, directory: Path, r1cs: R1CS, ptau: Ptau | None = None) -> "Ceremony":
        """A new ceremony for the circuit. Raises ZkcmpError when the directory has something.

        With a .ptau, phase 1 begins with its powers and needs no contribution here: whether anybody
        knows their τ is then a matter of the ceremony that the file comes from.
        """
        n = domain_size(r1cs.n_constraints, r1cs.n_public)
        if n < 2:
            raise ZkcmpError("a circuit of one row needs no ceremony; use another")
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ZkcmpError(f"{directory} is not empty; begin a ceremony in a new directory")
        ceremony = cls(directory)
        first_powers(ceremony.file("powers", 0), n, ptau)
        return ceremony

    def copied(self, directory: Path) -> "Ceremony":
        """A copy of all files of the ceremony, for whoever must rely on what was verified."""
        copy = Ceremony(directory)
        for phase in PHASES:
            for k in range(self.count(phase) + 1):
                if k:
                    shutil.copyfile(self.record_file(phase, k), copy.record_file(phase, k))
                if self.file(phase, k).exists():
                    shutil.copyfile(self.file(phase, k), copy.file(phase, k))
        return copy

    def file(self, phase: Phase, k: int) -> Path:
        return self.directory / f"{phase}-{k:03}.bin"

    def record_file(self, phase: Phase, k: int) -> Path:
        return self.directory / f"{phase}-{k:03}.record"

    @property
    def phase(self) -> Phase:
        """The phase that takes contributions now."""
        return "key" if self.file("key", 0).exists() else "powers"

    def count(self, phase: Phase) -> int:
        """Contributions to a phase. A file without its record is not one yet."""
        k = 0
        while k < MAX_CONTRIBUTIONS and self.record_file(phase, k + 1).exists():
            k += 1
        return k

    def labels(self, phase: Phase) -> tuple[bytes, ...]:
        """The factors of a contribution. Raises CeremonyError when the first key cannot be read."""
        if phase == "powers":
            return POWER_LABELS
        with _blaming("key", 0):
            two_rounds = ProvingKey.open(self.file("key", 0)).verifying_key.two_rounds
        return DELTA_LABELS[: 1 + two_rounds]

    # --- contributing ---------------------------------------------------------------------

    def contribute(self, progress: Progress = silent) -> Record:
        """Multiply the secrets of the current phase by fresh factors, which are forgotten.

        What is there already is read, not verified: a bad step before ours is the fault of whoever
        made it, and `verify` says so. A contribution that is interrupted leaves nothing behind, as
        its record is written last; repeating it draws new factors.
        """
        phase = self.phase
        k = self.count(phase) + 1
        if k > MAX_CONTRIBUTIONS:
            raise ZkcmpError(f"a phase takes at most {MAX_CONTRIBUTIONS} contributions")
        before = self._transcript(phase, k - 1)
        labels = self.labels(phase)
        secrets_ = [random_factor() for _ in labels]
        path, last = self.file(phase, k), self.file(phase, k - 1)
        if phase == "powers":
            tau, alpha, beta = secrets_
            result = multiply_powers(Powers.open(last), path, tau, alpha, beta, progress).digest
        else:
            result = multiply_deltas(ProvingKey.open(last), path, secrets_, progress).digest
        factors = tuple(
            make_factor(x, label, before) for x, label in zip(secrets_, labels, strict=True)
        )
        record = Record(before, result, factors)
        partial = self.record_file(phase, k).with_suffix(".part")
        partial.write_bytes(record.to_bytes())
        partial.replace(self.record_file(phase, k))
        return record

    def record(self, phase: Phase, k: int) -> Record:
        """Raises CeremonyError when contributor k's record cannot be read."""
        n_factors = len(self.labels(phase))
        try:
            return Record.from_bytes(self.record_file(phase, k).read_bytes(), n_factors)
        except (OSError, DecodeError) as error:
            raise CeremonyError(phase, k, str(error)) from error

    def _transcript(self, phase: Phase, k: int) -> bytes:
        """v_k of the phase."""
        if phase == "powers":
            state = hashlib.sha256(b"zkcmp ceremony powers")
            state.update(Powers.open(self.file("powers", 0)).digest)
        else:
            state = hashlib.sha256(b"zkcmp ceremony key")
            state.update(self._transcript("powers", self.count("powers")))
            state.update(ProvingKey.open(self.file("key", 0)).digest)
        v = state.digest()
        for j in range(1, k + 1):
            v = hashlib.sha256(v + self.record(phase, j).to_bytes()).digest()
        return v

    # --- verifying ------------------------------------------------------------------------

    def verify(
        self, r1cs: R1CS, progress: Progress = silent, ptau: Ptau | None = None
    ) -> dict[Phase, list[bytes]]:
        """Check every step; the digests of the records of both phases, in order.

        `ptau` is the file that the ceremony is said to begin with, from a source of one's own.

        Raises:
            CeremonyError: naming the phase and the contributor.
        """
        powers = self._verify_powers(r1cs, progress, ptau)
        if self.phase == "key":
            self._verify_key(r1cs, powers, progress)
        return {
            phase: [self.record(phase, k).digest for k in range(1, self.count(phase) + 1)]
            for phase in PHASES
        }

    def _verify_powers(self, r1cs: R1CS, progress: Progress, ptau: Ptau | None) -> Powers:
        n = domain_size(r1cs.n_constraints, r1cs.n_public)
        last = self._open_powers(0)
        if last.domain_size != n:
            raise CeremonyError("powers", 0, f"for {last.domain_size} rows, the circuit has {n}")
        self._check_beginning(last, ptau, progress)
        v = self._transcript("powers", 0)
        for k in range(1, self.count("powers") + 1):
            powers = self._open_powers(k)
            record = self._check_record("powers", k, v, powers.digest)
            with _blaming("powers", k):
                if powers.domain_size != n:
                    raise VerificationError("rows", n, powers.domain_size)
                powers.check(progress)
                steps = zip(
                    POWER_LABELS,
                    record.factors,
                    last.parameters,
                    powers.parameters,
                    strict=True,
                )
                for label, factor, old, new in steps:
                    if not factor.multiplies(label, v, old, new):
                        raise VerificationError(label.decode(), "the last one times the share")
            v = hashlib.sha256(v + record.to_bytes()).digest()
            last = powers
        return last

    @staticmethod
    def _check_beginning(powers: Powers, ptau: Ptau | None, progress: Progress) -> None:
        with _blaming("powers", 0):
            for name, wanted in beginning(powers.domain_size, ptau):
                if not (getattr(powers, name) == wanted).all():
                    origin = "tau = alpha = beta = 1" if ptau is None else "the .ptau file"
                    raise VerificationError(name, f"that of {origin}", "another")
            if ptau is not None:
                powers.check(progress)

    def _open_powers(self, k: int) -> Powers:
        with _blaming("powers", k):
            return Powers.open(self.file("powers", k))

    def _verify_key(self, r1cs: R1CS, powers: Powers, progress: Progress) -> None:
        n = powers.domain_size
        v = self._transcript("key", 0)
        labels = self.labels("key")
        last = [g1.generator()] * len(labels)
        for k in range(self.count("key") + 1):
            with _blaming("key", k):
                key = ProvingKey.open(self.file("key", k))
            if k:
                record = self._check_record("key", k, v, key.digest)
            with _blaming("key", k):
                audit(key, r1cs, progress)
                deltas = [key.delta_g1, key.delta0_g1][: len(labels)]
                for j, (label, old, new) in enumerate(zip(labels, last, deltas, strict=True)):
                    name = label.decode()
                    if k == 0:
                        if not np.array_equal(new, old):
                            raise VerificationError(f"{name}_g1", "the generator", "another point")
                    elif not record.factors[j].multiplies(label, v, old, new):
                        raise VerificationError(name, "the last one times the share")
                fixed = (
                    ("tau_g1", key.tau_g1, powers.tau_g1[: n + 1]),
                    ("tau_g2", key.tau_g2, powers.tau_g2[1:2]),
                    ("alpha_g1", key.alpha_g1, powers.alpha_tau_g1[:1]),
                    ("beta_g2", key.beta_g2, powers.beta_g2),
                    ("gamma_g2", key.verifying_key.gamma_g2, g2.generator()),
                )
                for name, found, wanted in fixed:
                    if not np.array_equal(found, wanted):
                        raise VerificationError(name, "that of the powers", "another")
            if k:
                v = hashlib.sha256(v + record.to_bytes()).digest()
            last = deltas

    def _check_record(self, phase: Phase, k: int, before: bytes, result: bytes) -> Record:
        record = self.record(phase, k)
        with _blaming(phase, k):
            if record.before != before:
                raise VerificationError("record", "the transcript before it", "another")
            if record.result != result:
                raise VerificationError("record", "the digest of its file", "another")
            for label, factor in zip(self.labels(phase), record.factors, strict=True):
                factor.check(label, before)
        return record

    # --- phases ---------------------------------------------------------------------------

    def begin_circuit(
        self, r1cs: R1CS, progress: Progress = silent, ptau: Ptau | None = None
    ) -> ProvingKey:
        """End phase 1, which must have a contribution, and derive the key that phase 2 is about."""
        if self.phase == "key":
            raise ZkcmpError("phase 1 has ended already; contribute to phase 2")
        if not self.count("powers") and ptau is None:
            raise ZkcmpError("nobody has contributed to phase 1 yet; run `zkcmp setup contribute`")
        powers = self._verify_powers(r1cs, progress, ptau)
        return derive_key(powers, r1cs, self.file("key", 0), progress)

    def finalise(
        self,
        r1cs: R1CS,
        path: Path,
        progress: Progress = silent,
        ptau: Ptau | None = None,
        ours: Collection[bytes] | None = None,
    ) -> ProvingKey:
        """Verify the whole ceremony and write its key to `path`.

        With `ours`, digests of records that we made, refuse a ceremony that does not have one of
        them in each phase: then nobody else knows all of its secrets.
        """
        if self.phase != "key" or not self.count("key"):
            raise ZkcmpError("nobody has contributed to phase 2 yet; run `zkcmp setup contribute`")
        listed = self.verify(r1cs, progress, ptau)
        for phase, digests in listed.items():
            if ours is not None and not set(digests) & set(ours):
                raise VerificationError(
                    f"ceremony, {phase}",
                    "a contribution of ours",
                    "none",
                    "give the records that `zkcmp setup contribute` printed, one for each phase",
                )
        last = self.file("key", self.count("key"))
        partial = path.with_name(path.name + ".part")
        shutil.copyfile(last, partial)
        partial.replace(path)
        return ProvingKey.open(path)


@contextmanager
def _blaming(phase: Phase, k: int) -> Iterator[None]:
    """Turn what is wrong within the block into a CeremonyError about contributor k."""
    try:
        yield
    except (VerificationError, DecodeError) as error:
        raise CeremonyError(phase, k, error) from error
