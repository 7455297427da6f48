"""Hyrax: every damaged message and every false opening is refused, and says where."""

import hashlib

import pytest
from fixed_challenges import FixedChallenges, RecordedChallenges
from hyrax_case import Case, elements, evaluate
from proof_fields import damages, n_points, other_points, other_scalars, outcome, replaced, split

from zkcmp.bn254.curve import g1
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.msm.row_msm import add_points
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.bn254.reference import G1
from zkcmp.commitments import dot_product
from zkcmp.commitments.generators import generators
from zkcmp.commitments.hyrax import Hyrax, HyraxCommitment, HyraxOpening
from zkcmp.commitments.inner_product import inner_product
from zkcmp.commitments.multilinear import eq_table
from zkcmp.commitments.scheme import MAX_TAIL
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.transcript import Transcript

# --- damage -----------------------------------------------------------------------------------


def test_every_damaged_field_of_a_proof_is_rejected() -> None:
    case = Case(5, 3, 3)
    fields = split(case.open())
    expected = {what: (data, error) for what, data, error in damages(fields, n_points(case.n))}
    got = {what: outcome(case.verify, data) for what, (data, _) in expected.items()}
    assert got == {what: error for what, (_, error) in expected.items()}


def test_every_damaged_point_of_a_commitment_is_rejected() -> None:
    case = Case(5, 3, 3)
    proof, header = case.open(), case.commitment.to_bytes()[:3]
    fields = elements(case)
    assert len(fields) == 5
    expected = {what: (header + data, error) for what, data, error in damages(fields, 5)}
    got = {what: outcome(case.verify, proof, data) for what, (data, _) in expected.items()}
    assert got == {what: error for what, (_, error) in expected.items()}


def test_swapped_points_of_a_commitment_are_rejected() -> None:
    """Rows with one another, and a row with the tail."""
    case = Case(5, 3, 3)
    proof, header = case.open(), case.commitment.to_bytes()[:3]
    fields = elements(case)
    for i in range(5):
        for j in range(i + 1, 5):
            swapped = list(fields)
            swapped[i], swapped[j] = fields[j], fields[i]
            with pytest.raises(VerificationError):
                case.verify(proof, header + b"".join(swapped))


def test_every_change_of_the_statement_is_rejected() -> None:
    case = Case(5, 3, 3)
    proof = case.open()
    for name, values in (("point", case.point), ("tail_weights", case.weights)):
        for k in range(len(values)):
            changed = [v + (i == k) for i, v in enumerate(values)]
            with pytest.raises(VerificationError, match="dot-product proof"):
                case.verify(proof, **{name: changed})
        with pytest.raises(VerificationError, match="dot-product proof"):
            case.verify(proof, **{name: values[::-1]})
        for other in (values[1:], [*values, 0]):
            with pytest.raises(VerificationError, match="Hyrax commitment"):
                case.verify(proof, **{name: other})
    with pytest.raises(VerificationError, match="dot-product proof"):
        case.scheme.verify(
            case.commitment, Transcript(b"other"), case.point, case.weights, case.claim, proof
        )


def test_a_proof_for_another_commitment_to_the_same_values_is_rejected() -> None:
    case = Case(4, 3, 3)
    proof = case.open()
    again, _ = case.scheme.commit(case.values, case.tail)
    with pytest.raises(VerificationError):
        case.verify(proof, again.to_bytes())


def test_truncated_and_extended_proofs_are_rejected() -> None:
    case = Case(4, 3, 3)
    proof = case.open()
    for data in (b"", proof[:-1], proof[:-32], proof[32:], proof + b"\0", proof + bytes(32)):
        with pytest.raises(DecodeError, match="need"):
            case.verify(data)


def test_commitments_are_decoded_strictly() -> None:
    case = Case(5, 3, 3)
    data = case.commitment.to_bytes()
    assert case.scheme.decode(data).to_bytes() == data
    for size in range(len(data)):
        with pytest.raises(DecodeError, match="Hyrax commitment"):
            HyraxCommitment.from_bytes(data[:size])
    for bad in (
        data + b"\0",
        data + bytes(32),
        bytes([4, *data[1:]]),
        bytes([6, *data[1:]]),
        bytes([41, *data[1:]]),
        bytes([255, 255, 255]) + data[3:],
        bytes([data[0], 2, *data[2:]]),
        bytes([data[0], 14, *data[2:]]),
        bytes([data[0], 4, *data[2:]]),
        bytes([*data[:2], MAX_TAIL + 1]) + data[3:],
    ):
        with pytest.raises(DecodeError, match="Hyrax commitment"):
            HyraxCommitment.from_bytes(bad)
    # another length of the tail is other sizes, but canonical
    other = HyraxCommitment.from_bytes(bytes([*data[:2], 2]) + data[3:])
    with pytest.raises(VerificationError, match="Hyrax commitment"):
        case.verify(case.open(), other.to_bytes())


def test_what_is_wrong_with_a_header_is_said() -> None:
    """Sizes are bounded before anything is computed from them."""
    for header, said in (
        ([5, 3], "no header"),
        ([5, 3, 3], "need"),
        ([40, 13, MAX_TAIL], "need"),
        ([41, 13, 3], "sizes out of range"),
        ([5, 2, 3], "sizes out of range"),
        ([5, 14, 3], "sizes out of range"),
        ([5, 3, MAX_TAIL + 1], "sizes out of range"),
    ):
        with pytest.raises(DecodeError, match=said):
            HyraxCommitment.from_bytes(bytes(header))


@pytest.mark.parametrize("column_bits", [3, 13])
def test_the_digest_names_everything_that_verifying_depends_on(column_bits: int) -> None:
    """Name, domains of the generators, each with its length, and sizes."""
    names = ("zkcmp hyrax 1", "zkcmp/hyrax/value", "zkcmp/hyrax/columns", "zkcmp/hyrax/tail")
    framed = b"".join(bytes([len(name)]) + name.encode() for name in names)
    expected = hashlib.sha256(framed + bytes([column_bits, MAX_TAIL])).digest()
    assert Hyrax(column_bits).digest == expected


@pytest.mark.parametrize(("n_vars", "tail"), [(0, 0), (2, 1), (3, 3), (4, 0), (7, 5)])
def test_the_size_that_is_told_beforehand_is_the_size(n_vars: int, tail: int) -> None:
    case = Case(n_vars, 3, tail)
    assert case.scheme.commitment_bytes(n_vars, tail) == len(case.commitment.to_bytes())
    assert case.scheme.proof_bytes(n_vars, tail) == len(case.open())


def test_schemes_of_other_sizes_refuse_each_other() -> None:
    case = Case(5, 3, 3)
    proof = case.open()
    assert Hyrax(3).digest == Hyrax(3).digest != Hyrax(4).digest
    assert len(Hyrax().digest) == 32
    with pytest.raises(VerificationError, match="Hyrax commitment"):
        Hyrax(4).verify(
            case.commitment, Transcript(b"case"), case.point, case.weights, case.claim, proof
        )


def test_callers_mistakes_are_refused() -> None:
    for column_bits in (2, 14):
        with pytest.raises(ValueError, match="column_bits"):
            Hyrax(column_bits)
    for count, tail in ((0, 0), (3, 0), (8, MAX_TAIL + 1)):
        with pytest.raises(ValueError, match="cannot commit"):
            Hyrax().commit(FrVector.zeros(count), FrVector.zeros(tail))
    case = Case(4, 3, 3)
    for point, weights in ((case.point[1:], case.weights), (case.point, [])):
        with pytest.raises(ValueError, match="variables"):
            case.scheme.open(case.opening, Transcript(b""), point, weights, case.claim)


# --- challenges -------------------------------------------------------------------------------


def challenges_of(case: Case, proof: bytes, **changed: object) -> list[int]:
    """Those of a verification, accepted or not, and the caller's next."""
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


def test_every_challenge_answers_every_message_before_it() -> None:
    """A changed message changes all challenges after it, and none before it."""
    case = Case(5, 3, 3)
    fields = split(case.open())
    usual = challenges_of(case, b"".join(fields))
    points = n_points(case.n)
    # mu, xi | mask | c | L R | x | L R | x | z z z z | the caller's
    before = [2, *(3 + j // 2 for j in range(points - 1)), *[len(usual) - 1] * 4]
    assert len(usual) == 4 + (points - 1) // 2
    for place, count in enumerate(before):
        variants = other_points if place < points else other_scalars
        _, record = next(variants(fields[place]))
        got = challenges_of(case, replaced(fields, place, record))
        assert got[:count] == usual[:count]
        assert all(x != y for x, y in zip(got[count:], usual[count:], strict=True))


def test_every_challenge_answers_the_statement() -> None:
    case = Case(5, 3, 3)
    proof = case.open()
    usual = challenges_of(case, proof)
    other, _ = case.scheme.commit(case.values, case.tail)
    points = case.commitment.points.copy()
    points[3] = other.points[3]
    for changed in (
        {"claim": case.claim + 1},
        {"commitment": HyraxCommitment(case.commitment.shape, points)},
        *({"point": [p + (i == k) for i, p in enumerate(case.point)]} for k in range(5)),
        *({"tail_weights": [w + (i == k) for i, w in enumerate(case.weights)]} for k in range(3)),
    ):
        got = challenges_of(case, proof, **changed)
        assert all(x != y for x, y in zip(got, usual, strict=True))


# --- cheats that run the honest code ----------------------------------------------------------


def moved(vector: FrVector, place: int) -> FrVector:
    values = vector.to_ints()
    values[place] = (values[place] + 1) % R
    return FrVector.from_ints(values)


@pytest.mark.parametrize("what", ["claim", "value", "tail", "row blinder", "tail blinder"])
def test_a_false_opening_fails(what: str) -> None:
    """A cheat claims what its false opening would make true, and what is true of the real one."""
    case = Case(5, 3, 3)
    o = case.opening
    values, tail, blinders, claim = o.values, o.tail, o.blinders, case.claim
    if what == "value":
        values = moved(values, 13)
    elif what == "tail":
        tail = moved(tail, 1)
    elif what == "claim":
        claim = (claim + 1) % R
    else:
        blinders = moved(blinders, 2 if what == "row blinder" else 4)
    false = HyraxOpening(o.commitment, values, tail, blinders)
    wanted = evaluate(values, tail, case.point, case.weights)
    for claimed in [claim] if what == "claim" else [claim, wanted]:
        proof = case.open(false, claimed)
        with pytest.raises(VerificationError, match="dot-product proof"):
            case.verify(proof, claim=claimed)
    case.verify(case.open(o))


class Smuggler:
    """Rows with e_i over the tail's first generator: the tail gets Σ L_i·e_i, so depends on L."""

    def __init__(self) -> None:
        self.case = case = Case(5, 3, 2)
        self.e = FrVector.from_ints([3, 1, 4, 1])
        base = g1.to_affine_ints(generators(b"zkcmp/hyrax/tail", 1))[0]
        extra = g1.from_affine_ints([G1.mul(base, k) for k in self.e.to_ints()])
        points = case.commitment.points.copy()
        points[:4] = add_points(points[:4], extra)
        self.commitment = HyraxCommitment(case.commitment.shape, points)
        self.left = eq_table(case.point[:2])
        gain = inner_product(self.left, self.e) * case.weights[0]
        self.claim = (case.claim + gain) % R

    def prove(self, transcript: Transcript) -> bytes:
        """The honest steps, with the tail that the smuggled part makes of it."""
        case, o = self.case, self.case.opening
        left, weights, _, mu = case.scheme._statement(
            self.commitment, transcript, case.point, case.weights, self.claim
        )
        blinder = sum(
            r * s for r, s in zip(o.blinders.to_ints(), [*left.to_ints(), mu], strict=True)
        )
        rows = [o.values.slice(8 * i, 8 * i + 8) * left[i] for i in range(4)]
        row = rows[0] + rows[1] + rows[2] + rows[3]
        tail = [mu * t for t in o.tail.to_ints()]
        tail[0] += inner_product(left, self.e)
        a = FrVector.from_ints([blinder, *row.to_ints(), *tail])
        return dot_product.prove(self.commitment.shape.bases(), transcript, a, weights)

    def verify(self, transcript: Transcript, proof: bytes) -> None:
        case = self.case
        case.scheme.verify(self.commitment, transcript, case.point, case.weights, self.claim, proof)


def test_a_row_cannot_smuggle_into_the_tail() -> None:
    """It works if μ is 1, and so would without μ; it does not once μ answers the claim."""
    smuggler = Smuggler()
    proof = smuggler.prove(FixedChallenges(mu=[1]))
    smuggler.verify(FixedChallenges(mu=[1]), proof)
    for transcript in (lambda: Transcript(b"case"), lambda: FixedChallenges(mu=[2])):
        with pytest.raises(VerificationError, match="dot-product proof"):
            smuggler.verify(transcript(), smuggler.prove(transcript()))
