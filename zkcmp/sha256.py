"""The compression function of SHA-256, word by word: the plain reference of what is proved.

Source: FIPS 180-4, §4.1.2 and §6.2.2. For hashing use hashlib.
"""

from math import isqrt

WORD = 32
MASK = (1 << WORD) - 1
ROUNDS = 64


def _primes(n: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < n:
        if all(candidate % p for p in found):
            found.append(candidate)
        candidate += 1
    return found


def _cube_root(n: int) -> int:
    root: int = round(n ** (1 / 3))
    while root**3 > n:
        root -= 1
    while (root + 1) ** 3 <= n:
        root += 1
    return root


# §4.2.2, §5.3.3: 32 fractional bits of the cube and square roots of the first primes
ROUND_CONSTANTS = [_cube_root(p << 96) & MASK for p in _primes(ROUNDS)]
INITIAL_STATE = [isqrt(p << 64) & MASK for p in _primes(8)]


def rotate(x: int, n: int) -> int:
    """To the right."""
    return (x >> n | x << (WORD - n)) & MASK


def upper_sigma0(x: int) -> int:
    return rotate(x, 2) ^ rotate(x, 13) ^ rotate(x, 22)


def upper_sigma1(x: int) -> int:
    return rotate(x, 6) ^ rotate(x, 11) ^ rotate(x, 25)


def lower_sigma0(x: int) -> int:
    return rotate(x, 7) ^ rotate(x, 18) ^ x >> 3


def lower_sigma1(x: int) -> int:
    return rotate(x, 17) ^ rotate(x, 19) ^ x >> 10


def choose(e: int, f: int, g: int) -> int:
    return (e & f) ^ (~e & MASK & g)


def majority(a: int, b: int, c: int) -> int:
    return (a & b) ^ (a & c) ^ (b & c)


def padded_block(message: bytes) -> list[int]:
    """The 16 words of the only block of a message of at most 55 bytes, §5.1.1."""
    if len(message) > 55:
        raise ValueError("a message of one block has at most 55 bytes")
    block = message + b"\x80" + bytes(55 - len(message)) + (8 * len(message)).to_bytes(8, "big")
    return [int.from_bytes(block[i : i + 4], "big") for i in range(0, 64, 4)]
