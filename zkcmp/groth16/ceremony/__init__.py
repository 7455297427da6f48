"""A setup by several parties in turn: sound if one of them forgets its secrets.

A ceremony is a directory (files.py) that travels from one contributor to the next, or that
all of them can write to. A record holds the digest of the file it belongs to and the contributor's
factors (contribution.py), τ, α, β in phase 1 and δ in phase 2. For a circuit of two rounds phase 2
has a second, independent factor, of δ₀: then nobody knows δ₀/δ, and no wire can be moved between
the rounds. The transcript is a chain over the records (steps.py); each proof of knowledge
is made over what is before it.

`verify` repeats all checks for every file. Because every step is kept, whoever cheats is known by
its number. A contributor compares the digest of its own record, which `contribute` returned, with
those that `verify` returns: it need not believe in the others' factors if its own is in.

Nothing in the directory is trusted to be, or to stay, what it was. Every file that is used is
copied into a private directory first, and checked and used there (private_files.py):

    contribute       the file before ours; no secret exists before its points are checked
    begin_circuit    what is verified, step by step; the key is derived from the last copy
    finalise         likewise; the last copy is the key

Source: Bowe, Gabizon, Miers 2017 (ePrint 2017/1050); security without a beacon: Kohlweiss, Maller,
Siim, Volkhov 2021 (ePrint 2021/219).
"""

from collections.abc import Collection
from pathlib import Path

from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.groth16.ceremony.circuit_phase import check_multiplied, derive_key, multiply_deltas
from zkcmp.groth16.ceremony.contribution import PHASES, Phase, Record, make_factor, random_factor
from zkcmp.groth16.ceremony.files import (
    MAX_CONTRIBUTIONS,
    CeremonyDirectory,
    CeremonyError,
    Copies,
    blaming,
)
from zkcmp.groth16.ceremony.powers import first_powers, multiply_powers
from zkcmp.groth16.ceremony.private_files import private_directory, publish, take_copy
from zkcmp.groth16.ceremony.steps import Verification, transcript
from zkcmp.groth16.keys import ProvingKey, domain_size
from zkcmp.groth16.snarkjs.ptau import Ptau
from zkcmp.progress import Progress, silent
from zkcmp.r1cs import R1CS

__all__ = ["Ceremony", "CeremonyError"]


class Ceremony(CeremonyDirectory):
    """A ceremony in a shared directory."""

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
        with private_directory() as private:
            first_powers(private / "powers", n, ptau)
            publish(private / "powers", ceremony.file("powers", 0))
        return ceremony

    def copied(self, directory: Path) -> "Ceremony":
        """A copy of all files of the ceremony; some may be of another time than others."""
        copy = Ceremony(directory)
        for phase in PHASES:
            for k in range(self.count(phase) + 1):
                if k:
                    take_copy(self.record_file(phase, k), copy.record_file(phase, k))
                if self.file(phase, k).exists():
                    take_copy(self.file(phase, k), copy.file(phase, k))
        return copy

    def contribute(self, progress: Progress = silent) -> Record:
        """Multiply the secrets of the current phase by fresh factors, which are forgotten.

        What is there already is not verified, only that the file before ours is the one of its
        record, that the records are a chain, and that every point which we multiply is in its
        group: a point outside would give our factors away. Any other bad step before ours is the
        fault of whoever made it, and `verify` says so.

        A contribution that is interrupted leaves nothing behind; repeating it draws new factors,
        because the old ones were nowhere but in memory.

        Raises:
            CeremonyError: naming the contributor whose file or record is not fit to go on from.
        """
        with private_directory() as private:
            copies = Copies(self, private)
            phase, k = copies.phase, copies.counts[copies.phase] + 1
            if k > MAX_CONTRIBUTIONS:
                raise ZkcmpError(f"a phase takes at most {MAX_CONTRIBUTIONS} contributions")
            before = transcript(copies)
            self._check_last(copies, phase, k - 1, progress)
            labels = copies.labels(phase)
            secrets_ = [random_factor() for _ in labels]
            made = private / "ours"
            # the digest is of what we wrote here, whatever becomes of the published copy
            if phase == "powers":
                tau, alpha, beta = secrets_
                result = multiply_powers(copies.powers(k - 1), made, tau, alpha, beta, progress)
                digest = result.digest
            else:
                digest = multiply_deltas(copies.key(k - 1), made, secrets_, progress).digest
            factors = tuple(
                make_factor(x, label, before) for x, label in zip(secrets_, labels, strict=True)
            )
            record = Record(before, digest, factors)
            self._expect_unchanged(copies)
            publish(made, self.file(phase, k))
            publish(record.to_bytes(), self.record_file(phase, k))
        return record

    @staticmethod
    def _check_last(copies: Copies, phase: Phase, k: int, progress: Progress) -> None:
        """Raise a CeremonyError unless secrets may touch the points of contributor k's file."""
        with blaming(phase, k):
            digest = (copies.powers(k) if phase == "powers" else copies.key(k)).digest
            if k and copies.record(phase, k).result != digest:
                raise VerificationError("record", "the digest of its file", "another")
            if phase == "powers":
                copies.powers(k).check_points(progress)
            else:
                check_multiplied(copies.key(k), progress)

    def _expect_unchanged(self, copies: Copies) -> None:
        """Raise a ZkcmpError when somebody took a step while we prepared ours."""
        counts = {phase: self.count(phase) for phase in PHASES}
        if (self.phase, counts) != (copies.phase, copies.counts):
            raise ZkcmpError("somebody changed the ceremony meanwhile; do it again from there")

    def verify(
        self, r1cs: R1CS, progress: Progress = silent, ptau: Ptau | None = None
    ) -> dict[Phase, list[bytes]]:
        """Check every step; the digests of the records of both phases, in order.

        `ptau` is the file that the ceremony is said to begin with, from a source of one's own.

        Raises:
            CeremonyError: naming the phase and the contributor.
        """
        with private_directory() as private:
            copies = Copies(self, private)
            verification = Verification(copies, r1cs, progress, ptau)
            last = verification.powers()
            if copies.phase == "key":
                verification.key(*last)
            return {phase: copies.digests(phase) for phase in PHASES}

    def begin_circuit(
        self, r1cs: R1CS, progress: Progress = silent, ptau: Ptau | None = None
    ) -> None:
        """End phase 1, which must have a contribution, and derive the key that phase 2 is about.

        Raises what `verify` raises.
        """
        with private_directory() as private:
            copies = Copies(self, private)
            if copies.phase == "key":
                raise ZkcmpError("phase 1 has ended already; contribute to phase 2")
            if not copies.counts["powers"] and ptau is None:
                raise ZkcmpError(
                    "nobody has contributed to phase 1 yet; run `zkcmp setup contribute`"
                )
            powers, _ = Verification(copies, r1cs, progress, ptau).powers()
            derive_key(powers, r1cs, private / "derived", progress)
            self._expect_unchanged(copies)
            publish(private / "derived", self.file("key", 0))

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
        them in each phase: then nobody else knows all of its secrets. Raises what `verify` raises.
        """
        with private_directory() as private:
            copies = Copies(self, private)
            if copies.phase != "key" or not copies.counts["key"]:
                raise ZkcmpError(
                    "nobody has contributed to phase 2 yet; run `zkcmp setup contribute`"
                )
            if ours is not None:
                # the same records are verified next: a copy reads each of them once
                _expect_ours(copies, ours)
            verification = Verification(copies, r1cs, progress, ptau)
            key = verification.key(*verification.powers())
            publish(key.file.path, path)
        return ProvingKey.open(path)


def _expect_ours(copies: Copies, ours: Collection[bytes]) -> None:
    for phase in PHASES:
        if not set(copies.digests(phase)) & set(ours):
            raise VerificationError(
                f"ceremony, {phase}",
                "a contribution of ours",
                "none",
                "give the records that `zkcmp setup contribute` printed, one for each phase",
            )
