"""Padded sumchecks, products of hidden values, and the one opening they lead to."""

import pytest
from clear_scheme import new_transcript, run

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.libra.conversation.channel import ProverChannel
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.multilinear.tables import below, eq, eq_table, evaluate, fold
from zkcmp.libra.requirements.opening import EqWeights, TableWeights
from zkcmp.libra.requirements.products import prove_products
from zkcmp.libra.sumcheck.protocol import TableProver, sumcheck

N = 4


def cubes(channel, tensors, claimed=None):
    """Σ_x eq(τ, x)·u(x)²·v(x) for committed u, v: the prover sends the sum, hidden."""
    tau = channel.challenges(b"tau", N)
    prover = values = None
    if tensors is not None:
        u, v = tensors["u"], tensors["v"]
        prover = TableProver([u, v], lambda t: t[0] * t[0] * t[1], 3, tau)
        values = [(u * u * v * eq_table(tau)).sum() if claimed is None else claimed]
    (total,) = channel.send(b"total", values, 1)
    point, claim = sumcheck(channel, b"cubes", total, N, 3, prover, tau)
    at_u, at_v, squared = channel.send(
        b"finals", None if prover is None else [*prover.finals, prover.finals[0] ** 2], 3
    )
    channel.require_product(at_u, at_u, squared)
    channel.require_product(squared, at_v, claim)
    channel.require_opening("u", EqWeights(point), at_u)
    channel.require_opening("v", EqWeights(point), at_v)
    channel.require_opening("v", TableWeights(FrVector.powers(3, 1 << N)), inner(channel, tensors))


def inner(channel, tensors) -> Form:
    values = None
    if tensors is not None:
        values = [(tensors["v"] * FrVector.powers(3, 1 << N)).sum()]
    return channel.send(b"inner", values, 1)[0]


def instance():
    return {"u": FrVector.random(1 << N), "v": FrVector.random(1 << N)}


SIZES = {"u": 1 << N, "v": 1 << N}


def test_honest_proof_is_accepted():
    run(cubes, SIZES, instance())


def test_wrong_sum_is_rejected():
    with pytest.raises(VerificationError) as caught:
        run(lambda channel, tensors: cubes(channel, tensors, claimed=5), SIZES, instance())
    assert caught.value.where == "opening"


def test_every_changed_element_is_rejected():
    tensors = instance()
    length = len(run(cubes, SIZES, tensors))
    for at in range(0, length, 32):

        def tamper(proof, at=at):
            value = int.from_bytes(proof[at : at + 32], "big")
            changed = (value + 1) % FR_MODULUS
            return proof[:at] + changed.to_bytes(32, "big") + proof[at + 32 :]

        with pytest.raises(VerificationError):
            run(cubes, SIZES, tensors, tamper=tamper)


def test_truncated_long_and_not_canonical_proofs():
    tensors = instance()
    with pytest.raises(DecodeError, match="ends inside"):
        run(cubes, SIZES, tensors, tamper=lambda proof: proof[:-1])
    with pytest.raises(VerificationError, match="more bytes"):
        run(cubes, SIZES, tensors, tamper=lambda proof: proof + bytes(32))
    with pytest.raises(DecodeError, match="not below r"):
        run(cubes, SIZES, tensors, tamper=lambda p: FR_MODULUS.to_bytes(32, "big") + p[32:])


def test_other_pads_change_every_padded_message():
    tensors = instance()
    proofs = [run(cubes, SIZES, tensors) for _ in range(2)]
    parts = [{p[i : i + 32] for i in range(0, len(p), 32)} for p in proofs]
    assert not parts[0] & parts[1]


def test_too_few_pads():
    with pytest.raises(ValueError, match="more pads"):
        run(cubes, SIZES, instance(), n_pads=8)


def test_tables():
    point = FrVector.random(3).to_ints()
    table = FrVector.random(8)
    values = table.to_ints()
    expected = 0
    for b in range(8):
        bits = [b >> 2 & 1, b >> 1 & 1, b & 1]
        expected += values[b] * eq(point, bits)
    assert evaluate(table, point) == expected % FR_MODULUS
    folded = fold(fold(fold(table, point[0]), point[1]), point[2])
    assert folded.to_ints() == [expected % FR_MODULUS]
    for n in range(9):
        indicator = FrVector.from_ints([int(b < n) for b in range(8)])
        assert below(n, point) == evaluate(indicator, point)


def test_challenges_that_would_show_a_hidden_value_stop_the_prover(monkeypatch):
    """A live verifier could pick the corner of the hypercube at which a triple stands."""
    transcript = type(new_transcript(FrVector.zeros(1), FrVector.zeros(1)))
    honest = transcript.challenge

    drawn = []

    def corner(self, label):
        drawn.append(label)
        return 0 if len(drawn) > 2 else honest(self, label)  # after τ, of two variables

    monkeypatch.setattr(transcript, "challenge", corner)
    channel = ProverChannel(transcript(b"live"), FrVector.random(64).to_ints())
    channel.require_product(Form.public(3), Form.public(5), Form.public(15))
    with pytest.raises(ValueError, match="show a hidden value"):
        prove_products(channel)
