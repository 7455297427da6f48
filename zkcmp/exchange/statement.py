"""What a proof of a deal is about: the ciphertext's bytes, the threshold, and the bound context.

context = SHA-256 transcript(protocol version, A, c, E, D, T, method, request, parameters)

The context is a public input of the circuit, so a proof made for one deal, request or key proves
nothing in another. T = ⌈τ·n⌉ is exact: τ is read as a decimal rational, never as a float.
"""

import re
from fractions import Fraction

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.exchange.messages.contents import BLOCK_BYTES, PROTOCOL_VERSION
from zkcmp.exchange.method import Method
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.transcript import Transcript

_DECIMAL = re.compile(r"[0-9]{1,3}(\.[0-9]{1,30})?(%?)")


def parse_threshold(accuracy: str, n_images: int) -> int:
    """T = ⌈τ·n⌉ for τ written as `0.95` or `95%`. Raises ZkcmpError unless 0 < τ <= 1."""
    match = _DECIMAL.fullmatch(accuracy.strip())
    if not match:
        raise ZkcmpError(f"accuracy {accuracy[:40]!r} is not a number like 0.95 or 95%")
    tau = Fraction(accuracy.strip().rstrip("%")) / (100 if match[2] else 1)
    if not 0 < tau <= 1:
        percent = (
            f"; for percent write {accuracy.strip()}%" if 1 < tau <= 100 and not match[2] else ""
        )
        raise ZkcmpError(f"accuracy {accuracy} is not above 0 and at most 1 (100%){percent}")
    return -(-tau.numerator * n_images // tau.denominator)


def ciphertext_bytes(words: np.ndarray) -> bytes:
    """c as 32 little-endian bytes a block, from (blocks, 4) uint64 words."""
    return words.astype("<u8").tobytes()


def ciphertext_words(data: bytes, n_blocks: int) -> np.ndarray:
    """The inverse of `ciphertext_bytes`. Raises DecodeError for a wrong length or a block >= r."""
    if len(data) != n_blocks * BLOCK_BYTES:
        raise DecodeError(f"the ciphertext has {len(data)} bytes, not {n_blocks * BLOCK_BYTES}")
    words = np.frombuffer(data, "<u8").astype(np.uint64).reshape(n_blocks, 4)
    FrVector.from_words(words)
    return words


def statement_context(
    architecture: Architecture,
    ciphertext: bytes,
    commitment: bytes,
    test_set: TestSet,
    threshold: int,
    method: Method,
    request_digest: bytes,
    parameters_digest: bytes,
) -> bytes:
    """The 32 bytes that tie a proof to its deal.

    parameters_digest: of the verifying key, or of a commitment scheme.
    """
    transcript = Transcript(b"zkcmp statement")
    transcript.absorb(b"protocol version", PROTOCOL_VERSION.to_bytes(4, "big"))
    transcript.absorb(b"architecture", architecture.to_bytes())
    transcript.absorb(b"ciphertext", ciphertext)
    transcript.absorb(b"commitment", commitment)
    transcript.absorb(b"test set", test_set.to_bytes())
    transcript.absorb(b"threshold", threshold.to_bytes(4, "big"))
    transcript.absorb(b"method", method.line.encode())
    transcript.absorb(b"request", request_digest)
    transcript.absorb(b"parameters", parameters_digest)
    return transcript.digest()
