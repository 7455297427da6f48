"""The files of a ceremony: their names in the shared directory, and private copies of them.

    powers-000.bin                    τ = α = β = 1 (powers.py), or the powers of a .ptau file
    powers-k.bin, powers-k.record     after contributor k of phase 1
    key-000.bin                       the circuit's key with δ = δ₀ = 1 (circuit_phase.py)
    key-k.bin, key-k.record           after contributor k of phase 2

The directory is shared, so nothing in it is used where it lies: `Copies` brings each file into a
private directory once and reads only that (private_files.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16.ceremony.contribution import DELTA_LABELS, PHASES, POWER_LABELS, Phase, Record
from zkcmp.groth16.ceremony.powers import Powers
from zkcmp.groth16.ceremony.private_files import read_small, take_copy
from zkcmp.groth16.key_file import Shape
from zkcmp.groth16.keys import ProvingKey

MAX_CONTRIBUTIONS = 999


class CeremonyError(VerificationError):
    """A ceremony that must not be used; `contributor` is who made it so, 0 for its beginning."""

    def __init__(
        self,
        phase: Phase,
        contributor: int,
        error: Exception | str,
        hint: str = "go on from the step before, without it",
    ):
        self.phase, self.contributor = phase, contributor
        who = f"contributor {contributor}" if contributor else "the beginning"
        super().__init__(f"ceremony, {phase}, {who}: {error}", hint=hint)


@contextmanager
def blaming(phase: Phase, k: int) -> Iterator[None]:
    """Turn what is wrong within the block into a CeremonyError about contributor k."""
    try:
        yield
    except CeremonyError:
        raise
    except (VerificationError, DecodeError) as error:
        raise CeremonyError(phase, k, error) from error


class CeremonyDirectory:
    """Where the files of a ceremony are."""

    def __init__(self, directory: Path):
        self.directory = directory

    def file(self, phase: Phase, k: int) -> Path:
        """The powers or the key after k contributions."""
        return self.directory / f"{phase}-{k:03}.bin"

    def record_file(self, phase: Phase, k: int) -> Path:
        """What contributor k, counted from 1, published beside its file."""
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


class Copies:
    """A ceremony as it was when its files were read, and how many there were then.

    Of each phase one file at a time is kept on disk, the last that was asked for; arrays of earlier
    ones stay mapped. Everything raises a CeremonyError about the contributor whose file is wrong.
    """

    def __init__(self, shared: CeremonyDirectory, private: Path):
        self._shared, self._private = shared, CeremonyDirectory(private)
        self.phase = shared.phase
        self.counts: dict[Phase, int] = {p: shared.count(p) for p in PHASES}
        self._records: dict[tuple[Phase, int], Record] = {}
        self._held_powers: tuple[int, Powers] | None = None
        self._held_key: tuple[int, ProvingKey] | None = None
        self._shape: Shape | None = None

    def powers(self, k: int) -> Powers:
        """Those after k contributions."""
        if self._held_powers is None or self._held_powers[0] != k:
            if self._held_powers is not None:
                self._private.file("powers", self._held_powers[0]).unlink(missing_ok=True)
            with blaming("powers", k):
                self._held_powers = k, Powers.open(self._copy("powers", k))
        return self._held_powers[1]

    def key(self, k: int) -> ProvingKey:
        """The one after k contributions; all are of the circuit of the first."""
        if self._held_key is None or self._held_key[0] != k:
            if self._held_key is not None:
                self._private.file("key", self._held_key[0]).unlink(missing_ok=True)
            with blaming("key", k):
                key = ProvingKey.open(self._copy("key", k))
                self._held_key = k, key
                if k and key.shape != self.shape:
                    raise VerificationError("proving key", "the circuit of the first", "another")
        return self._held_key[1]

    @property
    def shape(self) -> Shape:
        """That of the first key."""
        if self._shape is None:
            self._shape = self.key(0).shape
        return self._shape

    def labels(self, phase: Phase) -> tuple[bytes, ...]:
        """The factors of a contribution."""
        if phase == "powers":
            return POWER_LABELS
        return DELTA_LABELS if self.shape.n_challenges else DELTA_LABELS[:1]

    def record(self, phase: Phase, k: int) -> Record:
        """That of contributor k, read once."""
        if (phase, k) not in self._records:
            path, n_factors = self._shared.record_file(phase, k), len(self.labels(phase))
            with blaming(phase, k):
                data = read_small(path, Record.n_bytes(n_factors))
                self._records[phase, k] = Record.from_bytes(data, n_factors)
        return self._records[phase, k]

    def digests(self, phase: Phase) -> list[bytes]:
        """Those of all records of the phase, in order."""
        return [self.record(phase, k).digest for k in range(1, self.counts[phase] + 1)]

    def _copy(self, phase: Phase, k: int) -> Path:
        path = self._private.file(phase, k)
        take_copy(self._shared.file(phase, k), path)
        return path
