"""Honest proofs verify; everything else is refused, by the check it fails."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from groth16_circuits import bits, cubic

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.reference import G1, G2
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.groth16 import Proof, ProvingKey, prove, setup, verify
from zkcmp.groth16.setup import Trapdoor


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ProvingKey:
    return setup(cubic()[0], tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def witness() -> FrVector:
    return FrVector.from_ints(cubic()[1])


@pytest.fixture(scope="module")
def inputs(witness: FrVector) -> FrVector:
    return witness.slice(1, 3)


@pytest.fixture(scope="module")
def proof(key: ProvingKey, witness: FrVector) -> Proof:
    return prove(key, cubic()[0], witness)


def test_honest_proof(key: ProvingKey, inputs: FrVector, proof: Proof) -> None:
    verify(key.verifying_key, inputs, proof)
    data = proof.to_bytes()
    assert len(data) == 128
    again = Proof.from_bytes(data)
    assert again == proof
    verify(key.verifying_key, inputs, again)


def test_proofs_are_blinded(key: ProvingKey, witness: FrVector, proof: Proof) -> None:
    other = prove(key, cubic()[0], witness)
    assert other != proof
    for name in ("a", "b", "c"):
        assert (getattr(other, name) != getattr(proof, name)).any()


def test_progress_ends(key: ProvingKey, witness: FrVector) -> None:
    seen: list[tuple[str, int, int]] = []
    prove(key, cubic()[0], witness, lambda *step: seen.append(step))
    assert seen[-1] == ("prove: self-check", 8, 8)
    assert [done for _, done, _ in seen] == list(range(1, 9))


@pytest.mark.parametrize("position", range(128))
def test_every_byte_counts(key: ProvingKey, inputs: FrVector, proof: Proof, position: int) -> None:
    data = bytearray(proof.to_bytes())
    data[position] ^= 1 << (position % 8)
    with pytest.raises(ZkcmpError) as caught:
        verify(key.verifying_key, inputs, Proof.from_bytes(bytes(data)))
    element = "A" if position < 32 else "B" if position < 96 else "C"
    if isinstance(caught.value, DecodeError):
        assert str(caught.value).startswith(f"proof element {element}: ")
    else:
        assert caught.value.where == "pairing equation"


@pytest.mark.parametrize("length", [0, 1, 127, 129, 256])
def test_wrong_lengths(proof: Proof, length: int) -> None:
    data = (proof.to_bytes() * 2)[:length]
    with pytest.raises(DecodeError, match=f"128 bytes, 160 in two rounds, got {length};"):
        Proof.from_bytes(data)


def _other_proofs(proof: Proof) -> Iterator[tuple[str, Proof]]:
    a, c = (g1.to_affine_ints(p)[0] for p in (proof.a, proof.c))
    b = g2.to_affine_ints(proof.b)[0]
    yield "A and C exchanged", replace(proof, a=proof.c, c=proof.a)
    yield "A negated", replace(proof, a=g1.from_affine_ints([G1.neg(a)]))
    yield "B negated", replace(proof, b=g2.from_affine_ints([G2.neg(b)]))
    yield "C negated", replace(proof, c=g1.from_affine_ints([G1.neg(c)]))
    yield "A doubled", replace(proof, a=g1.from_affine_ints([G1.double(a)]))
    yield "B a generator", replace(proof, b=g2.generator())
    yield "C a generator", replace(proof, c=g1.generator())


def test_other_points(key: ProvingKey, inputs: FrVector, proof: Proof) -> None:
    for name, changed in _other_proofs(proof):
        with pytest.raises(VerificationError) as caught:
            verify(key.verifying_key, inputs, changed)
        assert caught.value.where == "pairing equation", name


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_points_outside_their_group(
    key: ProvingKey, inputs: FrVector, proof: Proof, name: str
) -> None:
    """A proof made of arrays instead of bytes is checked too."""
    for change in (lambda p: p + 1, lambda p: p * 0, lambda p: p[0]):
        changed = replace(proof, **{name: change(getattr(proof, name))})
        with pytest.raises(VerificationError, match=f"proof element {name.upper()}"):
            verify(key.verifying_key, inputs, changed)


def test_wrong_public_inputs(key: ProvingKey, inputs: FrVector, proof: Proof) -> None:
    y, u = inputs.to_ints()
    for wrong in ([y + 1, u], [y, u + 1], [u, y], [0, 0], [-y, u]):
        with pytest.raises(VerificationError, match="pairing equation"):
            verify(key.verifying_key, FrVector.from_ints(wrong), proof)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_wrong_number_of_public_inputs(key: ProvingKey, proof: Proof, n: int) -> None:
    with pytest.raises(VerificationError, match=f"number of public inputs: expected 2, got {n}"):
        verify(key.verifying_key, FrVector.zeros(n), proof)


def test_unconstrained_public_input_is_bound(
    key: ProvingKey, witness: FrVector, inputs: FrVector, proof: Proof
) -> None:
    """Wire 2 of the circuit occurs in no constraint; its proof holds for one value only."""
    r1cs, wires = cubic()
    other = FrVector.from_ints([*wires[:2], wires[2] + 1, *wires[3:]])
    r1cs.check(other)
    theirs = prove(key, r1cs, other)
    verify(key.verifying_key, other.slice(1, 3), theirs)
    with pytest.raises(VerificationError, match="pairing equation"):
        verify(key.verifying_key, inputs, theirs)
    with pytest.raises(VerificationError, match="pairing equation"):
        verify(key.verifying_key, other.slice(1, 3), proof)


@pytest.mark.parametrize(
    ("wire", "gadget"), [(4, "square"), (5, "cube"), (1, "output"), (3, "square")]
)
def test_false_witness_is_refused(key: ProvingKey, wire: int, gadget: str) -> None:
    r1cs, wires = cubic()
    wires[wire] += 1
    with pytest.raises(VerificationError) as caught:
        prove(key, r1cs, FrVector.from_ints(wires))
    assert caught.value.where == gadget


def test_malformed_witness_is_refused(key: ProvingKey) -> None:
    r1cs, wires = cubic()
    with pytest.raises(VerificationError, match="witness length"):
        prove(key, r1cs, FrVector.from_ints(wires[:-1]))
    # all constraints of the zero vector hold, the constant wire does not
    with pytest.raises(VerificationError, match="constant wire"):
        prove(key, r1cs, FrVector.zeros(6))


def test_key_of_another_circuit(key: ProvingKey, tmp_path: Path, proof: Proof) -> None:
    r1cs, wires = bits(3, 5)
    with pytest.raises(VerificationError, match="proving key: expected circuit"):
        prove(key, r1cs, FrVector.from_ints(wires))


def test_proof_under_another_key_of_the_circuit(
    inputs: FrVector, tmp_path: Path, proof: Proof
) -> None:
    fresh = setup(cubic()[0], tmp_path)
    with pytest.raises(VerificationError, match="pairing equation"):
        verify(fresh.verifying_key, inputs, proof)


def test_prover_checks_its_own_proof(key: ProvingKey, witness: FrVector) -> None:
    """A key whose queries are wrong gives no proof to send."""
    spoiled = replace(key, h_query=key.l_query[[0] * len(key.h_query)])
    with pytest.raises(VerificationError, match="self-check of the new proof"):
        prove(spoiled, cubic()[0], witness)


def test_trapdoor_is_not_printed() -> None:
    assert repr(Trapdoor(1, 2, 3, 4, 5)) == "Trapdoor()"
