"""Packing, sealing and opening."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkcmp import mimc7
from zkcmp.bn254.field.fr import ints_to_words, words_to_ints
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import DecodeError, VerificationError, ZkcmpError
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Network, Square
from zkcmp.seal import (
    commit,
    encrypt,
    key_of,
    n_blocks,
    new_preimage,
    open_seal,
    pack,
    pack_layout,
    seal,
    unpack,
)

ARCHITECTURE = Architecture(
    (1, 4, 4),
    4,
    (Conv(1, 2, (3, 3), (2, 2), (1, 1, 0, 0), 4, 5), Square(), Flatten(), Dense(8, 3, 11, 6)),
)


def network(seed: int = 0, architecture: Architecture = ARCHITECTURE) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        architecture, [rng.integers(s.low, s.high + 1, s.shape) for s in architecture.tensors()]
    )


def plain_pack(tensor: np.ndarray, bits: int) -> list[int]:
    """The formula of the module, term by term."""
    per_block, flat = 253 // bits, tensor.reshape(-1).tolist()
    return [
        sum((w + 2 ** (bits - 1)) * 2 ** (bits * t) for t, w in enumerate(flat[i : i + per_block]))
        for i in range(0, len(flat), per_block)
    ]


def test_layout_of_the_small_network():
    runs = pack_layout(ARCHITECTURE)
    assert [
        (r.bits, r.weights_per_block, r.n_weights, r.first_block, r.n_blocks) for r in runs
    ] == [
        (4, 63, 18, 0, 1),
        (5, 50, 2, 1, 1),
        (11, 23, 24, 2, 2),
        (6, 42, 3, 4, 1),
    ]
    assert n_blocks(ARCHITECTURE) == 5
    assert [runs[2].count(b) for b in range(2)] == [23, 1]


def test_a_block_holds_less_than_the_field():
    """A block of 254 bits could be above r, and would open to other weights."""
    assert 1 << 253 < FR_MODULUS < 1 << 254
    for bits in range(1, 63):
        fitting = 253 // bits
        dense = Dense(fitting, 2, bits, 2)
        weights, bias = pack_layout(Architecture((1, 1, fitting), 1, (Flatten(), dense)))
        assert (weights.weights_per_block, weights.n_blocks) == (fitting, 2)
        assert (bias.weights_per_block, bias.n_blocks, bias.first_block) == (126, 1, 2)


def test_pack_is_the_formula():
    model = network()
    expected = [
        block
        for tensor, spec in zip(model.tensors, ARCHITECTURE.tensors(), strict=True)
        for block in plain_pack(tensor, spec.bits)
    ]
    assert pack(model) == expected
    assert max(expected) < 1 << 253 < FR_MODULUS


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 62), st.integers(1, 62), st.integers(1, 9), st.data())
def test_unpack_inverts_pack(weight_bits, bias_bits, n_inputs, data):
    architecture = Architecture(
        (1, 1, n_inputs), 1, (Flatten(), Dense(n_inputs, 2, weight_bits, bias_bits))
    )
    tensors = []
    for spec in architecture.tensors():
        edge = st.sampled_from([spec.low, spec.high, 0 if spec.bits > 1 else -1])
        values = st.lists(
            st.one_of(edge, st.integers(spec.low, spec.high)),
            min_size=spec.size,
            max_size=spec.size,
        )
        tensors.append(np.array(data.draw(values), np.int64).reshape(spec.shape))
    model = Network(architecture, tensors)
    assert unpack(pack(model), architecture) == model


def test_a_block_that_reaches_into_the_padding_is_refused():
    blocks = pack(network())
    for index, used_bits in [(0, 4 * 18), (1, 10), (2, 253), (3, 11), (4, 18)]:
        bad = list(blocks)
        bad[index] |= 1 << used_bits
        with pytest.raises(VerificationError, match=f"block {index} "):
            unpack(bad, ARCHITECTURE)
    with pytest.raises(VerificationError, match="number of blocks"):
        unpack(blocks[:-1], ARCHITECTURE)
    with pytest.raises(VerificationError, match="number of blocks"):
        unpack([*blocks, 0], ARCHITECTURE)
    with pytest.raises(VerificationError, match="block 0 "):
        unpack([-1, *blocks[1:]], ARCHITECTURE)


def test_seal_is_mimc7_in_counter_mode_under_the_committed_key():
    model = network()
    sealed, preimage = seal(model)
    key = int.from_bytes(preimage[:16], "big")
    assert key_of(preimage) == key
    assert sealed.commitment == hashlib.sha256(preimage).digest()
    expected = [(p + mimc7.encrypt_block(i, key)) % FR_MODULUS for i, p in enumerate(pack(model))]
    assert np.array_equal(sealed.ciphertext, ints_to_words(expected))
    assert open_seal(preimage, sealed.ciphertext, sealed.commitment, ARCHITECTURE) == model


def test_every_seal_has_its_own_key_and_salt():
    preimages = {seal(network())[1] for _ in range(5)}
    assert len({p[:16] for p in preimages}) == len({p[16:] for p in preimages}) == 5


@pytest.mark.parametrize("byte", [0, 15, 16, 31])
def test_a_changed_preimage_does_not_open(byte):
    sealed, preimage = seal(network())
    wrong = bytearray(preimage)
    wrong[byte] ^= 1
    with pytest.raises(VerificationError) as caught:
        open_seal(bytes(wrong), sealed.ciphertext, sealed.commitment, ARCHITECTURE)
    assert caught.value.where == "seal commitment"


def test_a_changed_block_does_not_open():
    sealed, preimage = seal(network())
    for index in range(len(sealed.ciphertext)):
        blocks = words_to_ints(sealed.ciphertext)
        # block 2 is full and has no redundancy: only the proof tells it from another
        blocks[index] = (blocks[index] + (1 if index == 2 else 1 << 247)) % FR_MODULUS
        wrong = ints_to_words(blocks)
        if index == 2:
            assert open_seal(preimage, wrong, sealed.commitment, ARCHITECTURE) != network()
            continue
        with pytest.raises(VerificationError, match=f"block {index} "):
            open_seal(preimage, wrong, sealed.commitment, ARCHITECTURE)


def test_a_wrong_length_or_a_large_block_is_refused():
    sealed, preimage = seal(network())
    with pytest.raises(ZkcmpError, match="32 bytes"):
        open_seal(preimage[:31], sealed.ciphertext, sealed.commitment, ARCHITECTURE)
    with pytest.raises(VerificationError, match="number of blocks"):
        open_seal(preimage, sealed.ciphertext[:-1], sealed.commitment, ARCHITECTURE)
    large = sealed.ciphertext.copy()
    large[1] = ints_to_words([FR_MODULUS])[0]
    with pytest.raises(DecodeError, match="not below the field modulus"):
        open_seal(preimage, large, sealed.commitment, ARCHITECTURE)


def test_a_zero_key_is_never_chosen(monkeypatch):
    draws = iter([bytes(16) + b"s" * 16, b"k" * 16 + b"s" * 16])
    monkeypatch.setattr("zkcmp.seal.secrets.token_bytes", lambda n: next(draws)[:n])
    assert new_preimage() == b"k" * 16 + b"s" * 16
    with pytest.raises(ZkcmpError, match="key is 0"):
        encrypt(network(), bytes(32))


def test_a_zero_key_opens_because_the_proof_allows_it():
    model, preimage = network(), bytes(16) + b"s" * 16
    cipher = [(p + mimc7.encrypt_block(i, 0)) % FR_MODULUS for i, p in enumerate(pack(model))]
    opened = open_seal(preimage, ints_to_words(cipher), commit(preimage), ARCHITECTURE)
    assert opened == model


def test_reprs_show_no_secret():
    sealed, preimage = seal(network())
    text = repr(sealed) + str(sealed)
    assert preimage.hex() not in text
    assert str(key_of(preimage)) not in text
    assert "Seal(5 blocks" in text
