"""Which points meet in which bucket: signed digits, counting sort, pairs of a summation tree.

Plain 64-bit integer kernels; nothing here touches the field.

A scalar s ∈ [0, r) is taken as ±|s| with |s| ≤ r/2, so small negative numbers are small. |s| is cut
into windows of c bits and recoded to signed digits d ∈ (−2^(c−1), 2^(c−1)]:  |s| = Σ_w d_w·2^(c·w).
Point j goes to bucket |d| with the sign of d times the sign of s.
"""

import numpy as np

from zkcmp.bn254.jit import inlined, kernel
from zkcmp.bn254.params import FR_MODULUS

_MODULUS = np.array([(FR_MODULUS >> (64 * k)) & (2**64 - 1) for k in range(4)], np.uint64)
_HALF = np.array([((FR_MODULUS // 2) >> (64 * k)) & (2**64 - 1) for k in range(4)], np.uint64)
SIGN = np.uint32(1 << 31)
# groups of valid entries kept behind the last pair
PAD_GROUPS = 16


@kernel
def to_sign_magnitude(words, negative, bit_lengths):
    """Replace s by min(s, r − s) in place; negative[j] says which, bit_lengths[j] how long."""
    zero, one = np.uint64(0), np.uint64(1)
    for j in range(words.shape[0]):
        above = False
        for k in range(3, -1, -1):
            if words[j, k] != _HALF[k]:
                above = words[j, k] > _HALF[k]
                break
        negative[j] = above
        if above:
            borrow = zero
            for k in range(4):
                m, w = _MODULUS[k], words[j, k]
                d = m - w
                under = one if m < w else zero
                e = d - borrow
                under2 = one if d < borrow else zero
                words[j, k] = e
                borrow = under | under2
        bit_lengths[j] = 0
        for k in range(3, -1, -1):
            if words[j, k] != zero:
                bit_lengths[j] = 64 * k + _bit_length(words[j, k])
                break


@inlined
def _bit_length(w):
    """Of a word that is not zero."""
    length = 1
    for shift in (32, 16, 8, 4, 2, 1):
        high = w >> np.uint64(shift)
        if high != np.uint64(0):
            w = high
            length += shift
    return length


@kernel
def signed_digits(words, index, start, stop, window_bits, digits):
    """−d_w of words[index[j]] to digits[w, j − start]; window_bits ≤ 16.

    Windows · window_bits must exceed the bit length. Negated, because 2^15 is no int16.
    """
    c = np.uint64(window_bits)
    mask = (np.uint64(1) << c) - np.uint64(1)
    half = np.int64(1) << np.int64(window_bits - 1)
    full = half + half
    low6 = np.uint64(63)
    for j in range(start, stop):
        s = index[j]
        carry = np.int64(0)
        for w in range(digits.shape[0]):
            bit = np.uint64(w * window_bits)
            k, shift = np.int64(bit >> np.uint64(6)), bit & low6
            d = np.int64(carry)
            if k < 4:
                x = words[s, k] >> shift
                if shift + c > np.uint64(64) and k < 3:
                    x |= words[s, k + 1] << (np.uint64(64) - shift)
                d += np.int64(x & mask)
            carry = np.int64(0)
            if d > half:
                d -= full
                carry = np.int64(1)
            digits[w, j - start] = np.int16(-d)


@kernel
def sort_into_buckets(digits, index, start, negative, bucket_start, entries):
    """Counting sort by |d| of one window's (negated) digits.

    Bucket b holds entries bucket_start[b] … bucket_start[b + 1] − 1; bucket 0 is left out. Returns
    the number of entries.
    """
    bucket_start[:] = 0
    n = len(digits)
    for j in range(n):
        d = np.int64(digits[j])
        bucket_start[abs(d)] += 1
    total = 0
    bucket_start[0] = 0
    for b in range(1, len(bucket_start)):
        count = bucket_start[b]
        bucket_start[b] = total
        total += count
    for j in range(n):
        d = np.int64(digits[j])
        if d == 0:
            continue
        b = abs(d)
        point = index[start + j]
        entry = np.uint32(point)
        if (d > 0) != negative[point]:
            entry |= SIGN
        entries[bucket_start[b]] = entry
        bucket_start[b] += 1
    for b in range(len(bucket_start) - 1, 0, -1):
        bucket_start[b] = bucket_start[b - 1]
    bucket_start[1] = 0
    bucket_start[0] = 0
    return total


@kernel
def plan_level(bucket_start, entries, left, right, singles, lanes):
    """Pair neighbours of every bucket; rewrite bucket_start and entries for the sums.

    Pair q's sum will be record q of the next level; a bucket's odd one out will be copied to record
    P + s, P the number of pairs rounded up to whole groups. Returns (pairs, P, singles). Without
    any pair nothing is changed.
    """
    buckets = len(bucket_start) - 1
    pairs = 0
    for b in range(1, buckets):
        pairs += (bucket_start[b + 1] - bucket_start[b]) >> 1
    if pairs == 0:
        return 0, 0, 0
    whole = (pairs + lanes - 1) // lanes * lanes
    q, s, write = 0, 0, 0
    read = bucket_start[1]
    for b in range(1, buckets):
        stop = bucket_start[b + 1]
        bucket_start[b] = write
        while read + 1 < stop:
            left[q], right[q] = entries[read], entries[read + 1]
            entries[write] = np.uint32(q)
            read += 2
            q += 1
            write += 1
        if read < stop:
            singles[s] = entries[read]
            entries[write] = np.uint32(whole + s)
            read += 1
            s += 1
            write += 1
    bucket_start[buckets] = write
    _pad_pairs(left, right, q, whole + PAD_GROUPS * lanes)
    singles[s : s + lanes] = np.uint32(0)
    return q, whole, s


@kernel
def _pad_pairs(left, right, pairs, stop):
    """What whole groups and prefetches read beyond the last pair must be entries too."""
    for k in range(pairs, stop):
        left[k] = left[pairs - 1]
        right[k] = right[pairs - 1]


@kernel
def plan_merge(bucket_start, entries, occupied, left, right, singles, numbers, lanes):
    """How to add buckets of at most one entry to a table that has a record for each bucket.

    left[q] is the place in the table of pair q (bucket number − 1), right[q] the entry to add to
    it; singles are entries for places, numbers, that were not occupied before. Returns (pairs,
    pairs rounded up to whole groups, singles).
    """
    q, s = 0, 0
    for b in range(1, len(bucket_start) - 1):
        if bucket_start[b] == bucket_start[b + 1]:
            continue
        entry = entries[bucket_start[b]]
        if occupied[b - 1]:
            left[q], right[q] = np.uint32(b - 1), entry
            q += 1
        else:
            occupied[b - 1] = True
            singles[s], numbers[s] = entry, np.uint32(b - 1)
            s += 1
    whole = (q + lanes - 1) // lanes * lanes
    if q:
        _pad_pairs(left, right, q, whole + PAD_GROUPS * lanes)
    singles[s : s + lanes] = np.uint32(0)
    return q, whole, s
