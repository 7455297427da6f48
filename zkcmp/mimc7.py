"""MiMC7 over Fr, with circomlib's constants: the cipher that seals a network.

    E_k(x) = r_90 + k,   r_0 = (x + k)^7,   r_i = (r_(i-1) + k + c_i)^7   for i = 1 … 90

Source: Albrecht et al. 2016 (MiMC, §2.1, exponent 7); the constants are circomlib's:
h_0 = keccak256("mimc"), h_i = keccak256(h_(i-1)), c_0 = 0, c_i = h_i mod r. The paper's PRF(k, i)
is E_k(i), the keystream of counter mode. x ↦ x^7 permutes Fr because gcd(7, r − 1) = 1.

Counter mode is malleable and a key must never be used twice; whoever uses it binds the ciphertext
and picks a new key for each network (seal.py).
"""

import numpy as np
from Crypto.Hash import keccak

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS

ROUNDS = 91


def _constants() -> list[int]:
    constants = [0]
    digest = keccak.new(digest_bits=256, data=b"mimc").digest()
    for _ in range(1, ROUNDS):
        digest = keccak.new(digest_bits=256, data=digest).digest()
        constants.append(int.from_bytes(digest, "big") % FR_MODULUS)
    return constants


CONSTANTS = _constants()


def encrypt_block(x: int, k: int) -> int:
    """E_k(x) in plain Python: the twin of `encrypt` and of the circuit."""
    r = x
    for c in CONSTANTS:
        r = pow(r + k + c, 7, FR_MODULUS)
    return (r + k) % FR_MODULUS


def encrypt(x: FrVector, k: int) -> FrVector:
    """E_k of every element."""
    r = x
    for c in CONSTANTS:
        r = (r + (k + c) % FR_MODULUS).pow7()
    return r + k % FR_MODULUS


def keystream(k: int, n: int) -> FrVector:
    """E_k(0) … E_k(n − 1)."""
    return encrypt(FrVector.from_int64(np.arange(n)), k)
