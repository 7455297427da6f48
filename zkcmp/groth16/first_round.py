"""The first round of a proof: a blinded commitment to the committed wires, and its challenges.

    D = Σ_{i committed} z_i·commitment_query[i] + r₀·[δ]₁,   ρ = hash(key, public inputs, D)

r₀ is uniform, hence so is D (δ ≠ 0), and D tells nothing about the wires. Without r₀, whoever has
candidates for the wires computes D for each and compares: that is CVE-2024-45040 (gnark, Groth16
with commitments), and fatal for weights of eight bits. The verification equation multiplies D by
δ₀, so the second round (prove.py) subtracts r₀·[δ₀]₁ in C, which is multiplied by δ.

Sources: Kosba, Papadopoulos, Papamanthou, Song, "MIRAGE" (ePrint 2020/278), §4; the names δ₀, D and
the form of the blinding as in UltraGroth. Why the committed wires cannot depend on the challenges:
docs/groth16.md.
"""

import secrets
from dataclasses import dataclass, field

import numpy as np

from zkcmp.bn254.curve import g1
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.reference import G1
from zkcmp.errors import VerificationError
from zkcmp.groth16.challenge import challenges
from zkcmp.groth16.keys import ProvingKey
from zkcmp.r1cs import R1CS


@dataclass(frozen=True)
class _Answer:
    """What one commitment is made of; committed and blinder are secret."""

    committed: FrVector = field(repr=False)
    blinder: int = field(repr=False)
    commitment: np.ndarray
    challenges: list[int]


class FirstRound:
    """Commits once. A circuit's builder asks `respond` for the challenges (r1cs_builder.py), and
    `prove` takes the object with the finished witness.
    """

    def __init__(self, key: ProvingKey, r1cs: R1CS, public_inputs: FrVector):
        """`public_inputs`: those of the statement, without the challenges.

        Raises:
            VerificationError: when the key is of another circuit, or that has one round, or another
                number of public inputs.
        """
        key.check_circuit(r1cs)
        if not r1cs.n_challenges:
            raise VerificationError("first round", "a circuit of two rounds", "one of one round")
        expected = key.verifying_key.n_inputs
        if len(public_inputs) != expected:
            raise VerificationError("number of public inputs", expected, len(public_inputs))
        self._key = key
        self._public_inputs = public_inputs.copy()
        self._given: _Answer | None = None

    def __repr__(self) -> str:
        return "FirstRound()"

    def respond(self, committed: FrVector) -> list[int]:
        """Commit to the values of the committed wires; the challenges.

        Raises:
            VerificationError: when it has answered before, as the proof has one commitment; or when
                the number of wires is not the circuit's.
        """
        key = self._key
        if self._given is not None:
            raise VerificationError("first round", "one commitment", "a second", "begin a new one")
        expected = key.shape.n_committed
        if len(committed) != expected:
            raise VerificationError("number of committed wires", expected, len(committed))
        blinder = secrets.randbelow(FR_MODULUS)
        listed = key.commitment_wires.astype(np.int64) - key.shape.first_committed
        wires = g1.to_affine_ints(msm(key.commitment_query, committed.take(listed)))[0]
        delta = g1.to_affine_ints(key.delta_g1)[0]
        commitment = g1.from_affine_ints([G1.add(wires, G1.mul(delta, blinder))])
        drawn = challenges(key.verifying_key, self._public_inputs, commitment)
        self._given = _Answer(committed.copy(), blinder, commitment, drawn)
        return list(drawn)

    @property
    def public_inputs(self) -> FrVector:
        """Those that the challenges depend on."""
        return self._public_inputs

    @property
    def commitment(self) -> np.ndarray:
        """D, (1, 2, 4). Raises VerificationError before `respond`."""
        return self._answer.commitment

    @property
    def compensation(self) -> object:
        """−r₀·[δ₀]₁ in plain integers: what C must contain for this D."""
        delta0 = g1.to_affine_ints(self._key.delta0_g1)[0]
        return G1.mul(delta0, -self._answer.blinder)

    @property
    def _answer(self) -> _Answer:
        if self._given is None:
            raise VerificationError("first round", "a commitment", "none", "call respond first")
        return self._given

    def check(self, key: ProvingKey, witness: FrVector) -> None:
        """Raise a VerificationError unless this commitment is one to this witness, under this key.

        A proof of another would not verify; this names what does not fit.
        """
        if self._key.digest != key.digest:
            raise VerificationError("first round", "a commitment under this key", "another key")
        shape, answer = key.shape, self._answer
        first_challenge = shape.first_committed - shape.n_challenges
        drawn = FrVector.from_ints(answer.challenges)
        for name, start, values in (
            ("public inputs", 1, self._public_inputs),
            ("challenges", first_challenge, drawn),
            ("committed wires", shape.first_committed, answer.committed),
        ):
            if not witness.slice(start, start + len(values)).equals(values):
                raise VerificationError(
                    f"first round, {name}",
                    "those of the commitment",
                    "others",
                    "commit again and take the new challenges",
                )
