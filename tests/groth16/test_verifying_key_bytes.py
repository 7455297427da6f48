"""The bytes of verifying keys and proofs, pinned, and what equal means."""

import struct
from dataclasses import replace

import numpy as np
import pytest

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.point_bytes import encode_g1_points
from zkcmp.bn254.reference import G1, G2
from zkcmp.errors import DecodeError
from zkcmp.groth16.proof import Proof
from zkcmp.groth16.verifying_key import VerifyingKey

ONE, TWO = g1.generator(), g2.generator()
OTHER_ONE = g1.from_affine_ints([G1.neg(g1.to_affine_ints(ONE)[0])])
OTHER_TWO = g2.from_affine_ints([G2.neg(g2.to_affine_ints(TWO)[0])])
DIGEST = bytes(range(32))


def key(n_points: int = 3, n_challenges: int = 0) -> VerifyingKey:
    queries = np.concatenate([ONE] * n_points)
    if not n_challenges:
        return VerifyingKey(DIGEST, ONE, TWO, TWO, TWO, queries)
    return VerifyingKey(DIGEST, ONE, TWO, TWO, TWO, queries, n_challenges, TWO)


def test_one_round() -> None:
    data = key().to_bytes()
    assert data[:48] == b"zkcmp-vk" + struct.pack("<I32sI", 1, DIGEST, 2)
    assert len(data) == 48 + 64 + 3 * 128 + 3 * 64
    assert VerifyingKey.from_bytes(data) == key()
    assert (key().n_public, key().n_inputs, key().two_rounds) == (2, 2, False)


@pytest.mark.parametrize("n_challenges", [1, 2])
def test_two_rounds(n_challenges: int) -> None:
    made = key(n_challenges=n_challenges)
    data = made.to_bytes()
    assert data[:52] == b"zkcmp-vk" + struct.pack("<I32sII", 2, DIGEST, 2, n_challenges)
    assert len(data) == 52 + 64 + 4 * 128 + 3 * 64
    assert VerifyingKey.from_bytes(data) == made
    assert (made.n_public, made.n_inputs, made.two_rounds) == (2, 2 - n_challenges, True)


def test_the_shortest_key() -> None:
    assert VerifyingKey.from_bytes(key(1).to_bytes()).n_public == 0


@pytest.mark.parametrize("made", [key(), key(n_challenges=1)], ids=["one round", "two rounds"])
def test_other_lengths(made: VerifyingKey) -> None:
    data = made.to_bytes()
    for cut in (b"", data[:8], data[:47], data[:48], data[:52], data[:-1], data + b"\0"):
        with pytest.raises(DecodeError):
            VerifyingKey.from_bytes(cut)


def test_what_is_wrong_is_said() -> None:
    data = key(n_challenges=1).to_bytes()
    for changed, said in (
        (data[:47], "not a verifying key"),
        (b"Zkcmp-vk" + data[8:], "not a verifying key"),
        (data[:8] + b"\3" + data[9:], "version 3, this tool reads 1 and 2"),
        (data[:8] + b"\0" + data[9:], "version 0"),
        (data[:48] + b"\0" + data[49:], "impossible rounds"),
        (data[:48] + b"\3" + data[49:], "impossible rounds"),
        (data[:-1], f"wrong length, {len(data) - 1} bytes"),
    ):
        with pytest.raises(DecodeError, match=said):
            VerifyingKey.from_bytes(changed)


def test_rounds_that_do_not_fit() -> None:
    for wrong in ({"n_challenges": 1}, {"delta0_g2": TWO}):
        with pytest.raises(ValueError, match="belong together"):
            replace(key(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="belong together"):
        replace(key(n_challenges=2), n_challenges=3)


def test_every_point_is_checked() -> None:
    made = key(n_challenges=1)
    data = made.to_bytes()
    for position in range(1 + 2 * 4 + 3):
        at = 52 + 64 * position
        changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with pytest.raises(DecodeError, match="is not in its group"):
            VerifyingKey.from_bytes(changed)


@pytest.mark.parametrize("made", [key(), key(n_challenges=1)], ids=["one round", "two rounds"])
def test_equal_is_equal_in_every_part(made: VerifyingKey) -> None:
    assert made == replace(made)
    assert hash(made) == hash(replace(made))
    assert made != made.to_bytes()
    queries = made.gamma_abc_g1
    changes: list[dict[str, object]] = [
        {"circuit_digest": bytes(32)},
        {"alpha_g1": OTHER_ONE},
        {"beta_g2": OTHER_TWO},
        {"gamma_g2": OTHER_TWO},
        {"delta_g2": OTHER_TWO},
        {"gamma_abc_g1": np.concatenate([queries[:2], OTHER_ONE])},
        {"gamma_abc_g1": queries[:2]},
    ]
    if made.two_rounds:
        changes += [{"delta0_g2": OTHER_TWO}, {"n_challenges": 2}]
    others = [replace(made, **change) for change in changes]  # type: ignore[arg-type]
    for other in others:
        assert made != other
        assert made.digest != other.digest


def test_proofs() -> None:
    short, long = Proof(ONE, TWO, ONE), Proof(ONE, TWO, ONE, ONE)
    one, other = encode_g1_points(ONE), encode_g1_points(OTHER_ONE)
    assert one != other
    assert short.to_bytes() + one == long.to_bytes()
    assert (len(short.to_bytes()), len(long.to_bytes())) == (128, 160)
    for proof in (short, long):
        assert Proof.from_bytes(proof.to_bytes()) == proof == replace(proof)
        assert hash(proof) == hash(replace(proof))
        assert proof != proof.to_bytes()
        for change in ({"a": OTHER_ONE}, {"b": OTHER_TWO}, {"c": OTHER_ONE}, {"d": OTHER_ONE}):
            assert proof != replace(proof, **change)
    for length in (0, 127, 129, 159, 161, 192):
        with pytest.raises(DecodeError, match=f"got {length}"):
            Proof.from_bytes((long.to_bytes() + one)[:length])
    for at, name in ((0, "A"), (32, "B"), (96, "C"), (128, "D")):
        bad = long.to_bytes()[:at] + b"\xff" * 32 + long.to_bytes()[at + 32 :]
        with pytest.raises(DecodeError, match=f"proof element {name}:"):
            Proof.from_bytes(bad)
