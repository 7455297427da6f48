"""MiMC7 against circomlib's published values, and its circuit against the plain cipher."""

import numpy as np
import pytest
from gadget_harness import changed, free_wires, record_and_assign, violated_gadgets
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.gadgets.mimc7 import CONSTRAINTS_PER_BLOCK, counter_mode
from zkcmp import mimc7
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS

field = st.integers(0, FR_MODULUS - 1)


def test_constants_are_circomlibs():
    c = mimc7.CONSTANTS
    assert len(c) == 91
    assert c[0] == 0
    assert c[1] == 20888961410941983456478427210666206549300505294776164667214940546594746570981
    assert c[2] == 15265126113435022738560151911929040668591755459209400716467504685752745317193
    assert c[90] == 13602139229813231349386885113156901793661719180900395818909719758150455500533


def test_blocks_are_circomlibs():
    hashed = 10594780656576967754230020536574539122676596303354946869887184401991294982664
    assert mimc7.encrypt_block(1, 2) == hashed
    assert (
        mimc7.encrypt_block(12, 45)
        == 0x2BA7EBAD3C6B6F5A20BDECBA2333C63173CA1A5F2F49D958081D9FA7179C44E4
    )


def test_keystream_of_key_one():
    assert mimc7.keystream(1, 3).to_ints() == [
        8114461605833343697468854264706876497726540090029823113980243221325210187593,
        21785673157876902334464013887733890681254725954471966448540240124574108155811,
        19681602856558162950057707481888122737605614522678761875609416502251241175618,
    ]


@settings(max_examples=15, deadline=None)
@given(st.lists(field, min_size=1, max_size=9), field)
def test_vector_equals_plain(x, k):
    assert mimc7.encrypt(FrVector.from_ints(x), k).to_ints() == [
        mimc7.encrypt_block(v, k) for v in x
    ]


def counter_circuit(plain: list[int], k: int):
    cipher = [(p + mimc7.encrypt_block(i, k)) % FR_MODULUS for i, p in enumerate(plain)]
    n = len(plain)

    def make(system, with_values):
        ciphertext = system.public(n, "ciphertext", lambda: cipher)
        key = system.private(1, "key", lambda: [k])
        blocks = system.wires(system.private(n, "plain", lambda: plain))
        counter_mode(system, key, blocks, ciphertext, k if with_values else None)

    return record_and_assign(make)


@pytest.mark.parametrize("k", [0, 1, (1 << 128) - 1, 0x0123456789ABCDEF])
@pytest.mark.parametrize("n", [1, 3, 9])
def test_circuit_accepts_the_plain_cipher(n, k):
    r1cs, witness = counter_circuit(list(range(5, 5 + n)), k)
    assert r1cs.n_constraints == n * CONSTRAINTS_PER_BLOCK == n * 364
    r1cs.check(witness)


@pytest.mark.parametrize(
    ("wire", "gadgets"),
    [
        (1, {"ciphertext"}),
        (2, {"ciphertext"}),
        (3, {"mimc7 rounds", "ciphertext"}),  # the key
        (4, {"ciphertext"}),  # a plaintext block
        (6, {"mimc7 rounds"}),  # an intermediate power
    ],
)
def test_circuit_refuses_a_change(wire, gadgets):
    r1cs, witness = counter_circuit([11, 12], 99)
    assert violated_gadgets(r1cs, changed(witness, wire, 123456)) == gadgets


def test_no_round_value_is_free():
    r1cs, witness = counter_circuit([11, 12], 99)
    assert free_wires(r1cs, witness) == []


def test_counter_blocks_are_distinct():
    words = mimc7.keystream(7, 1000).to_words()
    assert len(np.unique(words, axis=0)) == 1000
