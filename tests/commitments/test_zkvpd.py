"""zkVPD: true claims are accepted, damaged messages and false openings are not, nothing leaks."""

import random

import numpy as np
import pytest
from fixed_challenges import FixedChallenges, RecordedChallenges
from hyrax_case import evaluate
from proof_fields import (
    INFINITY,
    damages,
    n_points,
    other_points,
    other_scalars,
    outcome,
    replaced,
    split,
)
from zkvpd_case import Case, known_secrets, small_srs, srs_from

from zkcmp.bn254.curve import g1
from zkcmp.bn254.curve.encoding import encode_g1
from zkcmp.bn254.curve.point_bytes import encode_g1_points
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.pippenger import msm
from zkcmp.bn254.msm.row_msm import add_points
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.bn254.reference import G1
from zkcmp.commitments import dot_product
from zkcmp.commitments import inner_product as ip
from zkcmp.commitments.generators import generators
from zkcmp.commitments.scheme import MAX_TAIL
from zkcmp.commitments.srs import MAX_VARS
from zkcmp.commitments.zkvpd import Zkvpd, ZkvpdCommitment, ZkvpdOpening
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.transcript import Transcript

SHAPES = [(0, 0), (0, 1), (1, 0), (2, 3), (4, 7), (5, 0), (5, 30)]


@pytest.mark.parametrize(("n_vars", "tail_length"), SHAPES)
def test_true_claims_are_accepted(n_vars: int, tail_length: int) -> None:
    case = Case(n_vars, tail_length)
    assert (case.commitment.n_vars, case.commitment.tail_length) == (n_vars, tail_length)
    proof = case.open()
    assert len(proof) == case.scheme.proof_bytes(n_vars, tail_length)
    assert len(proof) == 32 * (n_vars + 2) + case.dot_product_bytes()
    case.verify(proof)
    for wrong in (case.claim + 1, case.claim - 1, 0):
        with pytest.raises(VerificationError, match="dot-product proof"):
            case.verify(proof, claim=wrong)


@pytest.mark.parametrize("kind", ["zeros", "bytes", "constant", "one at the end"])
def test_special_values(kind: str) -> None:
    """Constants have quotients that are zero; they are blinded too."""
    rng = random.Random(1)
    values = {
        "zeros": [0] * 16,
        "bytes": [rng.randrange(-128, 128) for _ in range(16)],
        "constant": [77] * 16,
        "one at the end": [0] * 15 + [1],
    }[kind]
    case = Case(4, 2, values)
    proof = case.open()
    assert INFINITY not in split(proof)
    case.verify(proof)


def test_integers_are_taken_modulo_r() -> None:
    case = Case(3, 2)
    proof = case.open(claim=case.claim - R)
    case.verify(proof, claim=case.claim + R, point=[p + R for p in case.point])


# --- damage -----------------------------------------------------------------------------------


def test_every_damaged_field_of_a_proof_is_rejected() -> None:
    case = Case(3, 4)
    fields = split(case.open())
    points = case.quotients + n_points(case.n)
    expected = {what: (data, error) for what, data, error in damages(fields, points)}
    got = {what: outcome(case.verify, data) for what, (data, _) in expected.items()}
    assert got == {what: error for what, (_, error) in expected.items()}


def test_every_damaged_point_of_a_commitment_is_rejected() -> None:
    case = Case(3, 4)
    proof, header = case.open(), case.commitment.to_bytes()[:2]
    fields = split(case.commitment.to_bytes()[2:])
    assert len(fields) == 2
    expected = {what: (header + data, error) for what, data, error in damages(fields, 2)}
    got = {what: outcome(case.verify, proof, data) for what, (data, _) in expected.items()}
    assert got == {what: error for what, (_, error) in expected.items()}
    with pytest.raises(VerificationError):
        case.verify(proof, header + fields[1] + fields[0])


def test_swapped_and_foreign_fields_are_rejected() -> None:
    case = Case(3, 4)
    ours, theirs = split(case.open()), split(case.open())
    for i in range(len(ours)):
        with pytest.raises(VerificationError):
            case.verify(replaced(ours, i, theirs[i]))
        for j in range(i + 1, case.quotients):
            swapped = list(ours)
            swapped[i], swapped[j] = ours[j], ours[i]
            with pytest.raises(VerificationError, match="zkvpd opening"):
                case.verify(b"".join(swapped))


def test_the_first_part_of_one_proof_does_not_fit_the_second_of_another() -> None:
    case = Case(3, 4)
    ours, theirs = case.open(), case.open()
    end = 32 * case.quotients
    with pytest.raises(VerificationError, match="dot-product proof"):
        case.verify(ours[:end] + theirs[end:])


def test_every_change_of_the_statement_is_rejected() -> None:
    case = Case(3, 4)
    proof = case.open()
    for name, values in (("point", case.point), ("tail_weights", case.weights)):
        for k in range(len(values)):
            with pytest.raises(VerificationError):
                case.verify(proof, **{name: [v + (i == k) for i, v in enumerate(values)]})
        with pytest.raises(VerificationError):
            case.verify(proof, **{name: values[::-1]})
        for other in (values[1:], [*values, 0]):
            with pytest.raises(VerificationError, match="zkvpd commitment"):
                case.verify(proof, **{name: other})
    again, _ = case.scheme.commit(case.values, case.tail)
    with pytest.raises(VerificationError, match="zkvpd opening"):
        case.verify(proof, again.to_bytes())


def test_truncated_and_extended_proofs_are_rejected() -> None:
    case = Case(3, 4)
    proof = case.open()
    for data in (b"", proof[:-1], proof[:-32], proof[32:], proof + b"\0", proof + bytes(32)):
        with pytest.raises(DecodeError, match="need"):
            case.verify(data)


def test_commitments_are_decoded_strictly() -> None:
    data = Case(3, 4).commitment.to_bytes()
    assert ZkvpdCommitment.from_bytes(data).to_bytes() == data
    for bad in (
        *(data[:size] for size in range(len(data))),
        data + b"\0",
        bytes([MAX_VARS + 1]) + data[1:],
        bytes([data[0], MAX_TAIL + 1]) + data[2:],
    ):
        with pytest.raises(DecodeError, match="zkvpd commitment"):
            ZkvpdCommitment.from_bytes(bad)
    largest = ZkvpdCommitment.from_bytes(bytes([MAX_VARS, MAX_TAIL]) + data[2:])
    assert (largest.n_vars, largest.tail_length) == (MAX_VARS, MAX_TAIL)


@pytest.mark.parametrize(("n_vars", "tail"), [(0, 0), (2, 1), (4, 7)])
def test_the_size_that_is_told_beforehand_is_the_size(n_vars: int, tail: int) -> None:
    case = Case(n_vars, tail)
    assert case.scheme.commitment_bytes(n_vars, tail) == len(case.commitment.to_bytes())
    assert case.scheme.proof_bytes(n_vars, tail) == len(case.open())


def test_sizes_beyond_the_parameters_are_refused() -> None:
    case = Case(5, 0)
    smaller = Zkvpd(small_srs(4).key)
    with pytest.raises(VerificationError, match="zkvpd commitment"):
        smaller.verify(
            case.commitment, Transcript(b"case"), case.point, [], case.claim, case.open()
        )
    with pytest.raises(ValueError, match="cannot commit"):
        Zkvpd(small_srs(4)).commit(case.values, case.tail)


def test_callers_mistakes_are_refused() -> None:
    case = Case(3, 2)
    for count, tail in ((0, 0), (3, 0), (8, MAX_TAIL + 1)):
        with pytest.raises(ValueError, match="cannot commit"):
            case.scheme.commit(FrVector.zeros(count), FrVector.zeros(tail))
    with pytest.raises(ValueError, match="tables are needed"):
        Zkvpd(case.srs.key).commit(case.values, case.tail)
    for point, weights in ((case.point[1:], case.weights), (case.point, [])):
        with pytest.raises(ValueError, match="variables"):
            case.scheme.open(case.opening, Transcript(b""), point, weights, case.claim)


# --- challenges -------------------------------------------------------------------------------


def challenges_of(case: Case, proof: bytes, **changed: object) -> list[int]:
    transcript = RecordedChallenges(b"case")
    statement = {
        "commitment": case.commitment,
        "point": case.point,
        "tail_weights": case.weights,
        "claim": case.claim,
    }
    outcome(
        lambda: case.scheme.verify(**{**statement, **changed}, transcript=transcript, proof=proof)
    )
    transcript.challenge(b"next")
    return transcript.challenges


def test_every_challenge_answers_every_message_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(3, 4)
    # the pairing equation must not end a verification before the last challenge
    monkeypatch.setattr(Zkvpd, "_check_quotients", lambda *_: None)
    fields = split(case.open())
    usual = challenges_of(case, b"".join(fields))
    # C_y Q Q Q Q_t | mu, xi | mask | c | L R | x | z z z z | the caller's
    q, rounds = case.quotients, (n_points(case.n) - 1) // 2
    before = [*[0] * q, 2, *(3 + j // 2 for j in range(2 * rounds)), *[len(usual) - 1] * 4]
    assert len(usual) == 4 + rounds
    assert len(before) == len(fields)
    for place, count in enumerate(before):
        is_point = place < q + n_points(case.n)
        _, record = next((other_points if is_point else other_scalars)(fields[place]))
        got = challenges_of(case, replaced(fields, place, record))
        assert got[:count] == usual[:count]
        assert all(x != y for x, y in zip(got[count:], usual[count:], strict=True))


def test_every_challenge_answers_statement_and_parameters() -> None:
    case = Case(3, 2)
    proof = case.open()
    usual = challenges_of(case, proof)
    other, _ = case.scheme.commit(case.values, case.tail)
    for k in (0, 1):
        points = case.commitment.points.copy()
        points[k] = other.points[k]
        got = challenges_of(case, proof, commitment=ZkvpdCommitment(3, 2, points))
        assert got[0] != usual[0]
    for changed in (
        {"claim": case.claim + 1},
        {"point": [case.point[0] + 1, *case.point[1:]]},
        {"tail_weights": [case.weights[0], case.weights[1] + 1]},
    ):
        assert challenges_of(case, proof, **changed)[0] != usual[0]
    case.scheme = Zkvpd(srs_from([*known_secrets(5)[:-1], 99]))
    assert challenges_of(case, proof)[0] != usual[0]


# --- cheats that run the honest code ----------------------------------------------------------


def moved(vector: FrVector, place: int) -> FrVector:
    values = vector.to_ints()
    values[place] = (values[place] + 1) % R
    return FrVector.from_ints(values)


@pytest.mark.parametrize("what", ["claim", "value", "tail", "blinder", "tail blinder"])
def test_a_false_opening_fails(what: str) -> None:
    case = Case(3, 4)
    o = case.opening
    values, tail, (xi, xi_tail), claim = o.values, o.tail, o.blinders, case.claim
    where = "dot-product proof"
    if what == "value":
        values, where = moved(values, 5), "zkvpd opening"
    elif what == "tail":
        tail = moved(tail, 1)
    elif what == "claim":
        claim = (claim + 1) % R
    elif what == "blinder":
        xi, where = xi + 1, "zkvpd opening"
    else:
        xi_tail += 1
    false = ZkvpdOpening(o.commitment, values, tail, (xi, xi_tail))
    wanted = evaluate(values, tail, case.point, case.weights)
    for claimed in [claim] if what == "claim" else [claim, wanted]:
        with pytest.raises(VerificationError, match=where):
            case.verify(case.open(false, claimed), claim=claimed)
    case.verify(case.open(o))


def test_the_commitment_cannot_smuggle_into_the_tail() -> None:
    """C and C_y with e over T_0: it works if μ is 1, and not once μ answers them."""
    case, e = Case(3, 2), 5
    base = g1.to_affine_ints(generators(b"zkcmp/zkvpd/tail", 1))[0]
    extra = g1.from_affine_ints([G1.mul(base, e)])
    points = case.commitment.points.copy()
    points[:1] = add_points(points[:1], extra)
    commitment = ZkvpdCommitment(3, 2, points)
    claim = (case.claim + e * case.weights[0]) % R

    def prove(transcript: Transcript) -> bytes:
        scheme = case.scheme
        point, weights = scheme._absorb(commitment, transcript, case.point, case.weights, claim)
        xi_y, parts, y = scheme._quotients(case.values, point, case.opening.blinders[0])
        parts[:1] = add_points(parts[:1], extra)
        quotients = encode_g1_points(parts)
        transcript.absorb(b"zkvpd/quotients", quotients)
        mu = transcript.challenge(b"zkvpd/mu")
        tail = [mu * t for t in case.tail.to_ints()]
        tail[0] += e
        a = FrVector.from_ints([xi_y + mu * case.opening.blinders[1], y, *tail])
        w = FrVector.from_ints([0, mu, *weights])
        return quotients + dot_product.prove(scheme._bases(2), transcript, a, w)

    def verify(transcript: Transcript, proof: bytes) -> None:
        case.scheme.verify(commitment, transcript, case.point, case.weights, claim, proof)

    verify(FixedChallenges(mu=[1]), prove(FixedChallenges(mu=[1])))
    for new in (lambda: Transcript(b"case"), lambda: FixedChallenges(mu=[2])):
        with pytest.raises(VerificationError, match="dot-product proof"):
            verify(new(), prove(new()))


# --- zero knowledge ---------------------------------------------------------------------------

MU, XI, C, X = 9, 11, 22, [33, 44, 55, 66]


def challenges() -> FixedChallenges:
    return FixedChallenges(mu=[MU], xi=[XI], c=[C], x=X)


def random_points(n: int) -> np.ndarray:
    return fixed_base_mul("g1", FrVector.random(n))


def simulate(case: Case, commitment: ZkvpdCommitment, claim: int) -> bytes:
    """With the secrets and the challenges, without values, tail and blinders."""
    *s, t = known_secrets(5)
    m = commitment.n_vars
    free = random_points(m + 1)
    inverse = pow(t, -1, R)
    terms = [1, -1, *(p - x for p, x in zip(case.point, s[5 - m :], strict=True))]
    scalars = FrVector.from_ints([k * inverse for k in terms])
    q_t = msm(np.concatenate([commitment.points[:1], free]), scalars)
    quotients = encode_g1_points(np.concatenate([free, q_t]))

    bases, w = case.scheme._bases(case.n - 2), FrVector.from_ints([0, MU, *case.weights])
    z = FrVector.random(case.n)
    value = XI * (ip.inner_product(z, w) - C * MU * claim)
    points = np.concatenate([bases.points, free[:1], commitment.points[1:]])
    scalars = FrVector.concat([FrVector.from_ints([value]), z, FrVector.from_ints([-C, -C * MU])])
    transcript = challenges()
    transcript.challenge(b"zkvpd/mu")
    transcript.challenge(b"dot-product/c")
    mask = encode_g1(msm(points, scalars))
    return quotients + mask + ip.prove(bases, transcript, z, w, XI)


@pytest.mark.parametrize(("n_vars", "tail_length"), [(0, 0), (2, 3), (5, 9)])
def test_the_simulator_convinces_without_the_witness(n_vars: int, tail_length: int) -> None:
    """Of a commitment that is nothing but two random points, and of any claim."""
    case = Case(n_vars, tail_length)
    commitment = ZkvpdCommitment(n_vars, tail_length, random_points(2))
    for claim in (case.claim, 12345):
        proof = simulate(case, commitment, claim)
        case.scheme.verify(commitment, challenges(), case.point, case.weights, claim, proof)
    with pytest.raises(VerificationError, match="dot-product proof"):
        case.scheme.verify(commitment, challenges(), case.point, case.weights, 54321, proof)


def test_two_commitments_and_two_proofs_share_no_element() -> None:
    """Of the same values, with the same challenges of the verifier."""
    case = Case(4, 3)
    again, _ = case.scheme.commit(case.values, case.tail)
    assert not set(split(case.commitment.to_bytes()[2:])) & set(split(again.to_bytes()[2:]))
    first, second = (
        split(case.scheme.open(case.opening, challenges(), case.point, case.weights, case.claim))
        for _ in range(2)
    )
    assert not set(first) & set(second)
    assert len(set(first)) == len(first)


def test_a_small_value_cannot_be_guessed() -> None:
    case = Case(2, 0, [3, -1, 0, 2])
    guess = encode_g1(msm(case.srs.table(2), case.values))
    assert guess != encode_g1(case.commitment.points[0])
    # whoever has the blinder can tell
    blinder = G1.mul(g1.to_affine_ints(case.srs.key.t_g1)[0], -case.opening.blinders[0])
    bare = add_points(case.commitment.points[:1], g1.from_affine_ints([blinder]))
    assert guess == encode_g1(bare)


def test_secrets_are_not_shown() -> None:
    shown = repr(Case(3, 2).opening)
    assert all(name not in shown for name in ("values", "blinders", "array"))
