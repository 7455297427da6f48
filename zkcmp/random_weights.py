"""Weights of a random combination, for whoever checks many equations as one.

Drawn with `secrets` when the check is made: whoever made what is checked cannot know them, and if
one of the equations is false, their combination holds with a chance of 2^-128 only.
"""

import secrets

import numpy as np

from zkcmp.bn254.field.fr import FrVector

WEIGHT_BYTES = 16


def random_weights(n: int) -> FrVector:
    """n independent scalars, uniform in [−2^127, 2^127): a sign costs a product nothing."""
    words = np.zeros((n, 4), np.uint64)
    raw = np.frombuffer(secrets.token_bytes(WEIGHT_BYTES * n), "<u8")
    words[:, :2] = raw.reshape(n, 2)
    return FrVector.from_words(words) - (1 << (8 * WEIGHT_BYTES - 1))
