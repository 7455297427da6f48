"""The steps of a ceremony, checked one after the other: records, transcript, powers, key.

    v_0 of phase 1 = H("zkcmp ceremony powers", digest of powers-000)
    v_0 of phase 2 = H("zkcmp ceremony key", last v of phase 1, digest of key-000)
    v_k            = H(v_(k−1), record k)

`Verification` checks for every file that its record follows v, that the file is the one before it
times the record's factors, and that it is consistent (`Powers.check`, `audit`). `transcript` gives
the v that a contributor adds to; it checks what goes into v, and no more.

Which contribution phase 1 ended with is not written down: it is the one whose τ, α, β the first key
of phase 2 has. A contribution after that one is in no key, and the error names it; else the
transcript of phase 2 would change with a file that came too late, and who is in phase 2 would be
blamed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.errors import VerificationError
from zkcmp.groth16.audit import audit
from zkcmp.groth16.ceremony.contribution import POWER_LABELS, Phase, Record
from zkcmp.groth16.ceremony.files import CeremonyError, Copies, blaming
from zkcmp.groth16.ceremony.powers import Powers, beginning
from zkcmp.groth16.keys import ProvingKey, domain_size
from zkcmp.groth16.snarkjs.ptau import Ptau
from zkcmp.progress import Progress
from zkcmp.r1cs import R1CS


def _start_of_powers(powers: Powers) -> bytes:
    return hashlib.sha256(b"zkcmp ceremony powers" + powers.digest).digest()


def _start_of_key(last: bytes, key: ProvingKey) -> bytes:
    return hashlib.sha256(b"zkcmp ceremony key" + last + key.digest).digest()


def _extended(v: bytes, record: Record) -> bytes:
    return hashlib.sha256(v + record.to_bytes()).digest()


def transcript(copies: Copies) -> bytes:
    """The v that the next contribution is made over.

    Raises CeremonyError about who broke the chain of records, or came after the end of phase 1.
    """
    v = _followed(copies, "powers", _start_of_powers(copies.powers(0)))
    if copies.phase == "key":
        _check_end_of_powers(copies)
        v = _followed(copies, "key", _start_of_key(v, copies.key(0)))
    return v


def _followed(copies: Copies, phase: Phase, v: bytes) -> bytes:
    for k in range(1, copies.counts[phase] + 1):
        record = copies.record(phase, k)
        if record.before != v:
            raise CeremonyError(phase, k, "record: expected the transcript before it, got another")
        v = _extended(v, record)
    return v


def _check_end_of_powers(copies: Copies) -> None:
    """Raise a CeremonyError unless phase 2 was derived from the last contribution to phase 1."""
    key, last = copies.key(0), copies.counts["powers"]
    if _derived(key, copies.powers(last)):
        return
    for k in range(last):
        if _derived(key, copies.powers(k)):
            raise _left_out(k + 1)
    raise CeremonyError("key", 0, "derived from other powers than those of phase 1")


def _derived(key: ProvingKey, powers: Powers) -> bool:
    """Whether the key has τ, α and β of the powers, going by one point each."""
    found = key.tau_g1[1:2], key.alpha_g1, key.beta_g1
    return all(map(np.array_equal, found, powers.parameters))


def _left_out(k: int) -> CeremonyError:
    return CeremonyError(
        "powers",
        k,
        "the key of phase 2 was derived from the step before, without this contribution",
        f"if it came after phase 1 had ended, remove powers-{k:03}.record and all powers after it; "
        "else go back to phase 1 and finalise it with this one",
    )


@dataclass(frozen=True)
class Verification:
    """Checks a ceremony for a circuit; `ptau` is what it is said to begin with."""

    copies: Copies
    r1cs: R1CS
    progress: Progress
    ptau: Ptau | None

    def powers(self) -> tuple[Powers, bytes]:
        """Check phase 1; its last powers and transcript."""
        n = domain_size(self.r1cs.n_constraints, self.r1cs.n_public)
        first_key = self.copies.key(0) if self.copies.phase == "key" else None
        last, count = self.copies.powers(0), self.copies.counts["powers"]
        if last.domain_size != n:
            raise CeremonyError("powers", 0, f"for {last.domain_size} rows, the circuit has {n}")
        self._check_beginning(last)
        v = _start_of_powers(last)
        for k in range(1, count + 1):
            if first_key is not None and _derived(first_key, last):
                raise _left_out(k)
            powers, record = self.copies.powers(k), self.copies.record("powers", k)
            with blaming("powers", k):
                record.check(POWER_LABELS, v, powers.digest)
                if powers.domain_size != n:
                    raise VerificationError("rows", n, powers.domain_size)
                powers.check(self.progress)
                _check_factors(POWER_LABELS, record, v, last.parameters, powers.parameters)
            v, last = _extended(v, record), powers
        return last, v

    def _check_beginning(self, powers: Powers) -> None:
        with blaming("powers", 0):
            for name, wanted in beginning(powers.domain_size, self.ptau):
                if not (getattr(powers, name) == wanted).all():
                    origin = "tau = alpha = beta = 1" if self.ptau is None else "the .ptau file"
                    raise VerificationError(name, f"that of {origin}", "another")
            if self.ptau is not None:
                powers.check(self.progress)

    def key(self, powers: Powers, v: bytes) -> ProvingKey:
        """Check phase 2, which follows these powers and their transcript; its last key."""
        labels = self.copies.labels("key")
        key, last = self.copies.key(0), [g1.generator()] * len(labels)
        v = _start_of_key(v, key)
        for k in range(self.copies.counts["key"] + 1):
            key = self.copies.key(k)
            record = self.copies.record("key", k) if k else None
            deltas = [key.delta_g1, key.delta0_g1][: len(labels)]
            with blaming("key", k):
                if record is not None:
                    record.check(labels, v, key.digest)
                audit(key, self.r1cs, self.progress)
                if record is None:
                    _check_first(labels, last, deltas)
                else:
                    _check_factors(labels, record, v, last, deltas)
                _check_fixed(key, powers)
            if record is not None:
                v = _extended(v, record)
            last = deltas
        return key


def _check_factors(
    labels: Sequence[bytes],
    record: Record,
    v: bytes,
    last: Sequence[np.ndarray],
    new: Sequence[np.ndarray],
) -> None:
    """Raise a VerificationError unless every parameter is the last one times its factor."""
    for label, factor, old, point in zip(labels, record.factors, last, new, strict=True):
        if not factor.multiplies(label, v, old, point):
            raise VerificationError(label.decode(), "the last one times the share")


def _check_first(labels: Sequence[bytes], one: Sequence[np.ndarray], new: list[np.ndarray]) -> None:
    for label, wanted, point in zip(labels, one, new, strict=True):
        if not np.array_equal(point, wanted):
            raise VerificationError(f"{label.decode()}_g1", "the generator", "another point")


def _check_fixed(key: ProvingKey, powers: Powers) -> None:
    """Raise a VerificationError unless all but δ and δ₀ is as in the powers."""
    fixed = (
        ("tau_g1", key.tau_g1, powers.tau_g1[: powers.domain_size + 1]),
        ("tau_g2", key.tau_g2, powers.tau_g2[1:2]),
        ("alpha_g1", key.alpha_g1, powers.alpha_tau_g1[:1]),
        ("beta_g2", key.beta_g2, powers.beta_g2),
        ("gamma_g2", key.verifying_key.gamma_g2, g2.generator()),
    )
    for name, found, wanted in fixed:
        if not np.array_equal(found, wanted):
            raise VerificationError(name, "that of the powers", "another")
