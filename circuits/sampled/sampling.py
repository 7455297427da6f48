"""The paper's Sampling (§4.1, Fig. 4): which constraints of an image are kept.

    s_j, the N constraints of image j  ->  K = ⌈u·N⌉ of them, for every image anew

    paper       here
    u           a Fraction, read from a decimal; never a float
    s_i         the rows 0 … N − 1 of one image, in the order of circuits/full/statement.py
    N'_g · u    kept_count(N, u)

The choice is a public function of a seed of 32 bytes, so that both parties and any other program
find the same one. For image j, with D = min(K, N − K):

    1. read SHAKE-256("zkcmp sample v1" ‖ seed ‖ j as 8 bytes, little-endian) as little-endian words
       of 64 bits;
    2. skip every word that is not below N·⌊2^64/N⌋, and reduce the others modulo N;
    3. the first D different results are a set of D rows: those kept if K ≤ N/2, those dropped
       otherwise.

The words are uniform, those that would favour some rows are skipped, and the first D different ones
among uniform draws are each set of D rows with the same probability.

A sample that the prover knows before it chooses its witness proves nothing about the rest: see
docs/sampling.md. In Groth16 the prover always knows it.
"""

import hashlib
import re
from fractions import Fraction
from math import ceil, log

import numpy as np

from zkcmp.errors import ZkcmpError
from zkcmp.linear_combination import IntArray

SEED_BYTES = 32

_DOMAIN = b"zkcmp sample v1"
_DECIMAL = re.compile(r"[0-9]{1,3}(\.[0-9]{1,30})?(%?)")
_WORD_BYTES = 8
_WORDS = 1 << 64


def parse_selecting_parameter(text: str) -> Fraction:
    """u written as `0.03` or `3%`, exactly. Raises ZkcmpError unless 0 < u <= 1."""
    match = _DECIMAL.fullmatch(text.strip())
    if not match:
        raise ZkcmpError(f"selecting parameter {text!r} is not a number like 0.03 or 3%")
    u = Fraction(text.strip().rstrip("%")) / (100 if match[2] else 1)
    check_selecting_parameter(u)
    return u


def check_selecting_parameter(u: Fraction) -> None:
    """Raises ZkcmpError unless u is a Fraction with 0 < u <= 1."""
    if not isinstance(u, Fraction):
        raise ZkcmpError("the selecting parameter must be an exact fraction; parse it from text")
    if not 0 < u <= 1:
        raise ZkcmpError("the selecting parameter is not above 0 and at most 1 (100%)")


def check_seed(seed: bytes) -> None:
    """Raises ZkcmpError unless the seed is 32 bytes."""
    if not isinstance(seed, bytes) or len(seed) != SEED_BYTES:
        raise ZkcmpError(f"a sampling seed is exactly {SEED_BYTES} bytes")


def kept_count(n_rows: int, u: Fraction) -> int:
    """K = ⌈u·N⌉, at least one row of a nonempty set."""
    check_selecting_parameter(u)
    return -(-u.numerator * n_rows // u.denominator)


def kept_rows(seed: bytes, image: int, n_rows: int, n_kept: int) -> IntArray:
    """The rows kept of one image's n_rows, increasing."""
    check_seed(seed)
    if not 0 <= n_kept <= n_rows:
        raise ValueError(f"{n_kept} rows cannot be kept of {n_rows}")
    if 2 * n_kept <= n_rows:
        return np.sort(_first_different(seed, image, n_rows, n_kept))
    keep = np.ones(n_rows, bool)
    keep[_first_different(seed, image, n_rows, n_rows - n_kept)] = False
    return np.flatnonzero(keep)


def sample(seed: bytes, n_images: int, n_rows: int, u: Fraction) -> IntArray:
    """(n_images, K): the rows kept of every image, each line increasing."""
    n_kept = kept_count(n_rows, u)
    kept = np.empty((n_images, n_kept), np.int32 if n_rows < 1 << 31 else np.int64)
    for image in range(n_images):
        kept[image] = kept_rows(seed, image, n_rows, n_kept)
    return kept


def _first_different(seed: bytes, image: int, n_rows: int, count: int) -> IntArray:
    """The first `count` different rows of the image's stream, in their order."""
    if count == 0:
        return np.zeros(0, np.int64)
    stream = hashlib.shake_256(_DOMAIN + seed + image.to_bytes(8, "little"))
    limit = np.uint64(_WORDS - _WORDS % n_rows - 1)  # the last word that is not skipped
    # about as many draws as it takes; a longer output begins with the shorter one
    n_words = ceil(1.05 * n_rows * log(n_rows / (n_rows - count))) + 16 if count < n_rows else count
    while True:
        words = np.frombuffer(stream.digest(_WORD_BYTES * n_words), "<u8")
        rows = (words[words <= limit] % np.uint64(n_rows)).astype(np.int64)
        first = np.sort(np.unique(rows, return_index=True)[1])
        if len(first) >= count:
            return rows[first[:count]]
        n_words *= 2
