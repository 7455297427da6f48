"""Dot-product proofs: the true is accepted, the false or damaged is not, and nothing leaks."""

import numpy as np
import pytest
from fixed_challenges import FixedChallenges
from proof_fields import damages, n_points, outcome, replaced, split

from zkcmp.bn254.curve.encoding import encode_g1
from zkcmp.bn254.curve.point_bytes import decode_g1_points
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.commitments import dot_product
from zkcmp.commitments import inner_product as ip
from zkcmp.commitments.dot_product import Combination
from zkcmp.commitments.generators import generators
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.transcript import Transcript

ONE = FrVector.from_ints([1])
LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 100]


class Case:
    """A vector of n random elements, its commitment U, random weights, and y."""

    def __init__(self, n: int):
        self.n = n
        self.bases = ip.Bases(generators(b"test/dot-product", n + 1))
        self.a, self.w = FrVector.random(n), FrVector.random(n)
        self.y = ip.inner_product(self.a, self.w)
        self.u = self.bases.commit([0], [self.a])

    def prove(self, transcript: Transcript | None = None) -> bytes:
        transcript = transcript or Transcript(b"case")
        return dot_product.prove(self.bases, transcript, self.a, self.w)

    def verify(self, proof: bytes, transcript: Transcript | None = None, y: int | None = None):
        transcript = transcript or Transcript(b"case")
        y = self.y if y is None else y
        dot_product.verify(self.bases, transcript, Combination(self.u, ONE), self.w, y, proof)


@pytest.mark.parametrize("n", LENGTHS)
def test_a_true_claim_is_accepted(n: int) -> None:
    case = Case(n)
    proof = case.prove()
    assert len(proof) == dot_product.proof_bytes(n)
    case.verify(proof)
    for wrong in (case.y + 1, case.y - 1, -case.y, 0):
        with pytest.raises(VerificationError, match="dot-product proof"):
            case.verify(proof, y=wrong % R)


@pytest.mark.parametrize("values", ["zeros", "ones", "one at the end"])
def test_special_vectors(values: str) -> None:
    case = Case(9)
    last = [0] * 8 + [1]
    case.a = {"zeros": FrVector.zeros(9), "ones": FrVector.from_ints([1] * 9)}.get(
        values, FrVector.from_ints(last)
    )
    case.u, case.y = case.bases.commit([0], [case.a]), ip.inner_product(case.a, case.w)
    case.verify(case.prove())


def test_sizes() -> None:
    """A pair a round, and nothing sent for a place that does not exist."""
    assert [ip.rounds(n) for n in (1, 4, 5, 8, 9, 16, 17, 8192, 8193, 16384)] == [
        *(0, 0, 1, 1, 2, 2, 3, 11, 12, 12)
    ]
    assert dot_product.proof_bytes(1) == 64
    assert dot_product.proof_bytes(3) == 128
    assert dot_product.proof_bytes(4) == 160
    assert dot_product.proof_bytes(8192 + 129) == 32 * (1 + 24 + 4)


def test_the_commitment_may_be_a_combination() -> None:
    case = Case(6)
    half = FrVector.random(6)
    rest = case.a - half * 5
    points = np.concatenate([case.bases.commit([0], [half]), case.bases.commit([0], [rest])])
    u = Combination(points, FrVector.from_ints([5, 1]))
    proof = case.prove()
    dot_product.verify(case.bases, Transcript(b"case"), u, case.w, case.y, proof)
    u = Combination(points, FrVector.from_ints([6, 1]))
    with pytest.raises(VerificationError):
        dot_product.verify(case.bases, Transcript(b"case"), u, case.w, case.y, proof)


@pytest.mark.parametrize("n", [1, 3, 5, 11])
def test_every_damaged_field_is_rejected(n: int) -> None:
    case = Case(n)
    fields = split(case.prove())
    assert len(fields) == n_points(n) + min(n, ip.FINAL)
    expected = {what: (data, error) for what, data, error in damages(fields, n_points(n))}
    assert len(expected) >= 7 * len(fields) - 1
    got = {what: outcome(case.verify, data) for what, (data, _) in expected.items()}
    assert got == {what: error for what, (_, error) in expected.items()}


def test_swapped_fields_are_rejected() -> None:
    case = Case(11)
    fields = split(case.prove())
    points = n_points(11)
    for low, high in ((0, points), (points, len(fields))):
        for i in range(low, high):
            for j in range(i + 1, high):
                swapped = list(fields)
                swapped[i], swapped[j] = fields[j], fields[i]
                with pytest.raises(VerificationError):
                    case.verify(b"".join(swapped))


def test_other_sizes_are_rejected() -> None:
    case = Case(11)
    proof = case.prove()
    for size in range(len(proof)):
        with pytest.raises(DecodeError, match="need"):
            case.verify(proof[:size])
    for more in (b"\0", bytes(32), proof):
        with pytest.raises(DecodeError, match="need"):
            case.verify(proof + more)
    inner = proof[32:]
    for wrong in (inner[:-1], inner + b"\0", b""):
        with pytest.raises(DecodeError, match="inner-product proof: need"):
            ip.reduce(Transcript(b"case"), case.n, wrong)


def test_fields_of_another_proof_of_the_same_claim_are_rejected() -> None:
    """No field of a proof serves in another one."""
    case = Case(11)
    ours, theirs = split(case.prove()), split(case.prove())
    for place in range(len(ours)):
        with pytest.raises(VerificationError):
            case.verify(replaced(ours, place, theirs[place]))


def test_a_proof_belongs_to_its_transcript_weights_and_commitment() -> None:
    case, other = Case(9), Case(9)
    proof = case.prove()
    with pytest.raises(VerificationError):
        case.verify(proof, Transcript(b"another"))
    case.w, w = other.w, case.w
    with pytest.raises(VerificationError):
        case.verify(proof)
    case.w, case.u = w, other.u
    with pytest.raises(VerificationError):
        case.verify(proof)


@pytest.mark.parametrize("n", [1, 4, 9])
def test_the_honest_code_on_a_false_claim_fails(n: int) -> None:
    """A cheat that knows a, and one that proves for a vector that is not in U."""
    case = Case(n)
    for k in range(n):
        moved = case.a.to_ints()
        moved[k] = (moved[k] + 1) % R
        false = FrVector.from_ints(moved)
        proof = dot_product.prove(case.bases, Transcript(b"case"), false, case.w)
        for y in (case.y, ip.inner_product(false, case.w)):
            with pytest.raises(VerificationError):
                case.verify(proof, y=y)


def test_a_commitment_with_a_part_over_q_does_not_open() -> None:
    """With κ·Q in U, y − κ/ξ passes: a cheat that knew ξ before it committed could win."""
    case = Case(5)
    xi, kappa = 12345, 678
    case.u = case.bases.commit([kappa], [case.a])
    false = (case.y - kappa * pow(xi, -1, R)) % R

    def known() -> FixedChallenges:
        return FixedChallenges(xi=[xi])

    case.verify(case.prove(known()), known(), y=false)
    for y in (case.y, false):
        with pytest.raises(VerificationError):
            case.verify(case.prove(), y=y)


# --- zero knowledge ---------------------------------------------------------------------------

XI, C, X = 11, 22, [33, 44, 55, 66, 77, 88]


def challenges() -> FixedChallenges:
    return FixedChallenges(xi=[XI], c=[C], x=X)


def simulate(case: Case, y: int, z: FrVector) -> bytes:
    """The proof for challenges known beforehand, from U, w, y and any z."""
    product = ip.inner_product(z, case.w)
    points = np.concatenate([case.bases.points, case.u])
    value = XI * (product - C * y)
    scalars = FrVector.concat([FrVector.from_ints([value]), z, FrVector.from_ints([-C])])
    transcript = challenges()
    transcript.challenge(b"dot-product/c")
    return encode_g1(msm(points, scalars)) + ip.prove(case.bases, transcript, z, case.w, XI)


@pytest.mark.parametrize("n", LENGTHS)
def test_the_simulator_convinces_without_the_witness(n: int) -> None:
    case = Case(n)
    case.a = FrVector.zeros(n)
    case.verify(simulate(case, case.y, FrVector.random(n)), challenges())
    # of a false claim too, which no prover can; and only of the one it was told
    false = (case.y + 1) % R
    proof = simulate(case, false, FrVector.random(n))
    case.verify(proof, challenges(), y=false)
    with pytest.raises(VerificationError):
        case.verify(proof, challenges())


@pytest.mark.parametrize("n", [1, 5, 17])
def test_a_real_proof_is_the_simulators_for_its_z(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it tells nothing but z = c·a + d, which is uniform because d is."""
    case = Case(n)
    d = FrVector.random(n)
    monkeypatch.setattr(FrVector, "random", lambda count: d)
    proof = case.prove(challenges())
    assert proof == simulate(case, case.y, case.a * C + d)


def test_the_mask_is_fresh_uniform_and_as_long_as_the_vector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(17)
    drawn = []
    original = FrVector.random

    def record(count: int) -> FrVector:
        drawn.append(original(count))
        return drawn[-1]

    monkeypatch.setattr(FrVector, "random", record)
    for _ in range(2):
        case.prove()
    assert [len(d) for d in drawn] == [17, 17]
    assert len({*drawn[0].to_ints(), *drawn[1].to_ints()}) == 34


@pytest.mark.parametrize("n", [1, 5, 17])
def test_two_proofs_share_no_element(n: int) -> None:
    """With the same inputs and even the same challenges."""
    case = Case(n)
    proofs = [case.prove(challenges()) for _ in range(2)]
    for proof in proofs:
        case.verify(proof, challenges())
    first, second = (split(p) for p in proofs)
    assert not set(first) & set(second)
    assert len(set(first)) == len(first)
    points = [decode_g1_points(b"".join(f[: n_points(n)]))[:, 0] for f in (first, second)]
    assert len(np.unique(np.concatenate(points), axis=0)) == 2 * n_points(n)
