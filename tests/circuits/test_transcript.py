"""The transcript: framing is injective, order matters, challenges are fixed by a vector."""

import hashlib
import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp.bn254.params import FR_MODULUS
from zkcmp.transcript import Transcript

# pins the format: proofs made by another version must not verify by accident
CHALLENGE_VECTOR = 21049917733376130432872948651954524892025710377196150746804308207465636545538

calls = st.lists(
    st.one_of(
        st.tuples(st.just("absorb"), st.binary(max_size=3), st.binary(max_size=3)),
        st.tuples(st.just("challenge"), st.binary(max_size=3), st.just(b"")),
    ),
    max_size=4,
)


def run(domain: bytes, sequence: list[tuple[str, bytes, bytes]]) -> bytes:
    transcript = Transcript(domain)
    for kind, label, data in sequence:
        if kind == "absorb":
            transcript.absorb(label, data)
        else:
            transcript.challenge(label)
    return transcript.digest()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=2), calls, st.binary(max_size=2), calls)
def test_different_calls_give_different_digests(domain, first, other_domain, second):
    same = (domain, first) == (other_domain, second)
    assert (run(domain, first) == run(other_domain, second)) == same


def test_bytes_cannot_move_between_fields():
    digests = {
        run(b"d", [("absorb", b"ab", b"c")]),
        run(b"d", [("absorb", b"a", b"bc")]),
        run(b"d", [("absorb", b"", b"abc")]),
        run(b"d", [("absorb", b"a", b"b"), ("absorb", b"", b"c")]),
        run(b"d", [("absorb", b"abc", b"")]),
        run(b"d", [("challenge", b"abc", b"")]),
        run(b"da", [("absorb", b"b", b"c")]),
        run(b"d", []),
        run(b"", [("absorb", b"d", b"")]),
    }
    assert len(digests) == 9


def test_a_challenge_changes_the_transcript_and_a_digest_does_not():
    transcript = Transcript(b"test")
    before = transcript.digest()
    assert transcript.digest() == before
    first = transcript.challenge(b"x")
    assert transcript.digest() != before
    assert transcript.challenge(b"x") != first


def test_challenge_from_the_formula():
    """Second source: the frames written out by hand."""
    transcript = Transcript(b"dom")
    transcript.absorb(b"label", b"data")
    frames = (
        struct.pack("<BI", 0, 3) + b"dom" + struct.pack("<Q", 0)
        + struct.pack("<BI", 1, 5) + b"label" + struct.pack("<Q", 4) + b"data"
        + struct.pack("<BI", 2, 3) + b"rho" + struct.pack("<Q", 0)
    )  # fmt: skip
    state = hashlib.sha256(frames).digest()
    wide = hashlib.sha256(state + b"\0").digest() + hashlib.sha256(state + b"\1").digest()
    expected = int.from_bytes(wide, "big") % FR_MODULUS
    assert transcript.challenge(b"rho") == expected
    assert expected == CHALLENGE_VECTOR


def test_challenges_are_field_elements_of_full_size():
    transcript = Transcript(b"size")
    values = [transcript.challenge(b"c") for _ in range(200)]
    assert all(0 <= v < FR_MODULUS for v in values)
    assert max(values) > FR_MODULUS // 2
    assert len(set(values)) == 200
