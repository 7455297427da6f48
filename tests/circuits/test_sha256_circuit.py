"""SHA-256 of 32 bytes in the circuit against hashlib, and its word operations bit by bit."""

import hashlib
import itertools
import secrets

import numpy as np
import pytest
from gadget_harness import changed, named_wires, record_and_assign, violated_gadgets

from circuits.gadgets.bits import boolean
from circuits.gadgets.sha256 import INITIAL_STATE, ROUND_CONSTANTS, Sha256, Word, compress_32_bytes
from circuits.signals import private
from zkcmp.r1cs_builder import ConstraintSystem


def digest_circuit(message: bytes):
    digests: list[list[Word]] = []

    def make(system, with_values):
        values = None
        if with_values:
            octets = np.frombuffer(message, np.uint8)
            values = np.unpackbits(octets).reshape(8, 32)[:, ::-1].copy()
        bits = private(system, "message", (8, 32), values)
        boolean(system, "message", bits)
        sha = Sha256(system)
        words = [sha.from_signals(bits.take(np.arange(32 * i, 32 * i + 32))) for i in range(8)]
        digests.append(compress_32_bytes(system, words))
        out = private(system, "digest", (8,), _numbers(digests[-1]) if with_values else None)
        total = system.wires(out.wires)
        for i, word in enumerate(digests[-1]):
            value = (word.bits * [1 << j for j in range(32)]).total()
            system.enforce("digest", value, 1, total.take(np.array([i])))

    r1cs, witness = record_and_assign(make)
    digest = b"".join(int(v).to_bytes(4, "big") for v in _numbers(digests[-1]))
    return r1cs, witness, digest


def _numbers(words: list[Word]) -> np.ndarray:
    return np.array([sum(int(b) << i for i, b in enumerate(w.values)) for w in words])


def test_constants_are_those_of_fips_180_4():
    assert ROUND_CONSTANTS[:4] == [0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5]
    assert ROUND_CONSTANTS[60:] == [0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2]
    assert INITIAL_STATE[0] == 0x6A09E667
    assert INITIAL_STATE[7] == 0x5BE0CD19


@pytest.mark.parametrize(
    "message",
    [bytes(32), b"\xff" * 32, bytes(range(32)), secrets.token_bytes(32)],
    ids=["zeros", "ones", "counting", "random"],
)
def test_circuit_equals_hashlib(message):
    r1cs, witness, digest = digest_circuit(message)
    assert digest == hashlib.sha256(message).digest()
    r1cs.check(witness)
    # 256 message bits and 8 digest words beside the compression
    assert r1cs.n_constraints - 256 - 8 == 25209


def test_a_wrong_digest_or_message_is_refused():
    r1cs, witness, _ = digest_circuit(bytes(range(32)))
    digest = named_wires(r1cs, "digest")
    assert violated_gadgets(r1cs, changed(witness, int(digest[3]), 5)) == {"digest"}
    bit = int(named_wires(r1cs, "message")[77])
    flipped = 1 - witness.slice(bit, bit + 1).to_ints()[0]
    assert violated_gadgets(r1cs, changed(witness, bit, flipped)) == {"sha256"}


def test_no_sum_can_be_read_modulo_something_else():
    """Every bit of every 32-bit sum, flipped alone, breaks the gadget."""
    r1cs, witness, _ = digest_circuit(b"\x5a" * 32)
    bits = named_wires(r1cs, "sha256 sum")
    for wire in np.random.default_rng(1).choice(bits, 40, replace=False):
        old = witness.slice(int(wire), int(wire) + 1).to_ints()[0]
        assert "sha256" in violated_gadgets(r1cs, changed(witness, int(wire), 1 - old))


def word_of(sha: Sha256, name: str, known: list[int], values: list[int], with_values: bool) -> Word:
    """A word whose bit i is the constant known[i], or a free boolean wire where that is −1."""
    bits = np.where(np.array(known) >= 0, known, values).astype(np.uint8)
    wires = private(sha.system, name, (32,), bits if with_values else None)
    free = sha.from_signals(wires)
    fixed = sha.constant(sum(int(b) << i for i, b in enumerate(bits)))
    mask = (np.array(known) < 0).astype(np.int64)
    lc = (free.bits * mask + fixed.bits * (1 - mask)).canonical()
    return Word(lc, np.array(known, np.int8), bits if with_values else None)


# every combination of constant 0, constant 1 and free bits 0 and 1, for three words
CASES = list(itertools.product([(0, 0), (1, 1), (-1, 0), (-1, 1)], repeat=3))


@pytest.mark.parametrize("operation", ["xor", "xor3", "ch", "add"])
def test_word_operations_with_constant_bits(operation):
    """Bitwise truth tables with every pattern of known bits; each result is then compared."""
    for part in (CASES[:32], CASES[32:]):
        known = [[case[w][0] for case in part] for w in range(3)]
        values = [[case[w][1] for case in part] for w in range(3)]
        a, b, c = (sum(v << i for i, v in enumerate(word)) for word in values)
        expected = {
            "xor": a ^ b,
            "xor3": a ^ b ^ c,
            "ch": (a & b) | (~a & c) & 0xFFFFFFFF,
            "add": (a + b + c + 12345) % 2**32,
        }[operation]

        def make(system, with_values, known=known, values=values, expected=expected):
            sha = Sha256(system)
            x, y, z = (
                word_of(sha, f"word {w}", known[w], values[w], with_values) for w in range(3)
            )
            result = {
                "xor": lambda: sha.xor(x, y),
                "xor3": lambda: sha.xor3(x, y, z),
                "ch": lambda: sha.ch(x, y, z),
                "add": lambda: sha.add([x, y, z], 12345),
            }[operation]()
            if with_values:
                assert sum(int(v) << i for i, v in enumerate(result.values)) == expected
            constant_bits = np.flatnonzero(result.known >= 0)
            assert all((expected >> int(i)) & 1 == result.known[i] for i in constant_bits)
            system.enforce("result", result.bits - sha.constant(expected).bits, 1, 0)

        r1cs, witness = record_and_assign(make)
        r1cs.check(witness)


def test_constant_operations_cost_nothing():
    system = ConstraintSystem()
    sha = Sha256(system)
    x, y = sha.constant(0xDEADBEEF), sha.constant(0x12345678)
    for result, expected in [
        (sha.xor(x, y), 0xDEADBEEF ^ 0x12345678),
        (sha.ch(x, y, x), (0xDEADBEEF & 0x12345678) | (~0xDEADBEEF & 0xDEADBEEF)),
        (sha.add([x, y], 1), (0xDEADBEEF + 0x12345678 + 1) & 0xFFFFFFFF),
        (sha.shift(x, 5), 0xDEADBEEF >> 5),
        (x.rotate(8), 0xEFDEADBE),
    ]:
        assert (result.known == [(expected >> i) & 1 for i in range(32)]).all()
    assert system.n_constraints == 0
