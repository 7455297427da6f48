"""Which points meet in which bucket: signed digits, counting sort, pairs of a summation tree.

Plain 64-bit integer kernels; nothing here touches the field.

A scalar s ∈ [0, r) stands for v = s, or s − r where that is closer to zero, so small negative
numbers are small. v is cut into W windows of c bits, digits from −2^(c−1) to 2^(c−1):

    v = Σ_w d_w·2^(c·w),     d_w = e_w − 2^(c−1) for w < W − 1, d_(W−1) = e_(W−1),

where the e_w are the windows of v + Σ_(w<W−1) 2^(c·w + c−1) in two's complement: a digit needs no
carry from the one before. Point j goes to bucket |d|, and is negated where d < 0.
"""

import numpy as np

from zkcmp.bn254.lanes.jit import inlined, kernel
from zkcmp.bn254.params import FR_MODULUS

_MODULUS = np.array([(FR_MODULUS >> (64 * k)) & (2**64 - 1) for k in range(4)], np.uint64)
_HALF = np.array([((FR_MODULUS // 2) >> (64 * k)) & (2**64 - 1) for k in range(4)], np.uint64)
SIGN = np.uint32(1 << 31)
# groups of valid entries kept behind the last pair
PAD_GROUPS = 16
# scalars whose digits are cut together: their words stay in the first-level cache
_BLOCK = 256


def window_count(bits: int, window_bits: int) -> int:
    """Windows for |v| < 2^bits; one bit more than digits need keeps the last one in an int16."""
    return -(-(bits + 2) // window_bits)


@kernel
def to_signed(words, bit_lengths, counts):
    """Replace s by v in place, in two's complement; bit_lengths[j] is that of |v|, and counted."""
    zero, one = np.uint64(0), np.uint64(1)
    for j in range(words.shape[0]):
        above = False
        for k in range(3, -1, -1):
            if words[j, k] != _HALF[k]:
                above = words[j, k] > _HALF[k]
                break
        length, borrow = 0, zero
        for k in range(4):
            w = words[j, k]
            if above:
                # r − s for the length, its negative to keep
                d = _MODULUS[k] - w
                under = one if _MODULUS[k] < w else zero
                under |= one if d < borrow else zero
                w = d - borrow
                borrow = under
                words[j, k] = w
            if w != zero:
                length = 64 * k + _bit_length(w)
        bit_lengths[j] = length
        counts[length] += 1
        if above:
            carry = one
            for k in range(4):
                w = ~words[j, k] + carry
                carry = carry if w == zero else zero
                words[j, k] = w


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
def part_by_length(bit_lengths, class_of_length, cursors, index, first):
    """Write first + j to index[cursors[k]], which moves on, for every scalar j of a class k > 0."""
    for j in range(len(bit_lengths)):
        k = class_of_length[bit_lengths[j]]
        if k > 0:
            index[cursors[k]] = np.uint32(first + j)
            cursors[k] += 1


@kernel
def signed_digits(words, index, idle, window_bits, offset, digits):
    """digits[w, j] = d_w of words[index[j]], all zero where idle[j].

    words: v from `to_signed`; window_bits ≤ 16, `window_count` windows; offset: `digit_offset`.
    """
    windows = digits.shape[0]
    one, top = np.uint64(1), np.uint64(63)
    mask = (one << np.uint64(window_bits)) - one
    half = np.int64(1) << np.int64(window_bits - 1)
    planes = np.empty((5, _BLOCK), np.uint64)
    for start in range(0, len(index), _BLOCK):
        count = min(_BLOCK, len(index) - start)
        for i in range(count):
            carry = np.uint64(0)
            for k in range(4):
                w = words[index[start + i], k]
                if idle[start + i]:
                    w = np.uint64(0)
                t = w + offset[k]
                u = t + carry
                carry = (one if t < w else np.uint64(0)) | (one if u < t else np.uint64(0))
                planes[k, i] = u
            planes[4, i] = np.uint64(np.int64(planes[3, i]) >> np.int64(63))
        for w in range(windows - 1):
            bit = np.uint64(w * window_bits)
            low, shift = np.int64(bit >> np.uint64(6)), bit & top
            for i in range(count):
                x = (planes[low, i] >> shift) | (planes[low + 1, i] << one << (top - shift))
                digits[w, start + i] = np.int16(np.int64(x & mask) - half)
        bit = np.uint64((windows - 1) * window_bits)
        low, shift = np.int64(bit >> np.uint64(6)), bit & top
        for i in range(count):
            x = (planes[low, i] >> shift) | (planes[low + 1, i] << one << (top - shift))
            digits[windows - 1, start + i] = np.int16(np.int64(x))


def digit_offset(windows: int, window_bits: int) -> np.ndarray:
    """Σ_(w<W−1) 2^(c·w + c−1), four words."""
    total = sum(1 << (window_bits * w + window_bits - 1) for w in range(windows - 1))
    return np.array([(total >> (64 * k)) & (2**64 - 1) for k in range(4)], np.uint64)


@kernel
def sort_into_buckets(digits, places, bucket_start, entries):
    """Counting sort by |d| of digits: entries are places[j], with SIGN where d < 0.

    Bucket b holds entries bucket_start[b] … bucket_start[b + 1] − 1; bucket 0 is left out. Returns
    the number of entries.
    """
    bucket_start[:] = 0
    n = len(digits)
    for j in range(n):
        bucket_start[abs(np.int64(digits[j]))] += 1
    total = 0
    for b in range(1, len(bucket_start)):
        count = bucket_start[b]
        bucket_start[b] = total
        total += count
    for j in range(n):
        d = np.int64(digits[j])
        if d == 0:
            continue
        b = abs(d)
        entry = np.uint32(places[j])
        if d < 0:
            entry |= SIGN
        entries[bucket_start[b]] = entry
        bucket_start[b] += 1
    for b in range(len(bucket_start) - 1, 0, -1):
        bucket_start[b] = bucket_start[b - 1]
    bucket_start[1] = 0
    bucket_start[0] = 0
    return total


@kernel
def rows_and_columns(table, columns, row_start, row_entries, column_start, column_entries):
    """Sort the finite records of a table as rows of `columns` records, and as columns.

    Record i = row·columns + column is in bucket `row` of the one sort, that is in none if row is 0,
    and in bucket column + 1 of the other; starts as in `sort_into_buckets`.
    """
    flat = table.reshape(len(table), -1)
    zero = np.uint64(0)
    row_start[0] = row_start[1] = 0
    total = 0
    for i in range(columns, len(table)):
        for k in range(flat.shape[1]):
            if flat[i, k] != zero:
                row_entries[total] = np.uint32(i)
                total += 1
                break
        if (i + 1) % columns == 0:
            row_start[i // columns + 1] = total
    column_start[0] = column_start[1] = 0
    total = 0
    for column in range(columns):
        for i in range(column, len(table), columns):
            for k in range(flat.shape[1]):
                if flat[i, k] != zero:
                    column_entries[total] = np.uint32(i)
                    total += 1
                    break
        column_start[column + 2] = total


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
