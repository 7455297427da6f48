"""Networks that begin with no weights: what is left at their end is a claim on the images.

Conv and dense layers lead a claim on public images to openings of weights. A square or a pool
leaves one that the verifier has to compare with its own images: nothing else does.
"""

import numpy as np
import pytest
from test_libra_network import POOL_NET, SQUARED_PIXELS, attempt, random_images, random_network

from zkcmp.errors import VerificationError
from zkcmp.model.architecture import Architecture


@pytest.mark.parametrize("architecture", [SQUARED_PIXELS, POOL_NET], ids=["square", "pool"])
def test_other_images_than_the_verifiers(architecture: Architecture) -> None:
    """One pixel of one image is another, and all that follows is computed from it."""
    network, images = random_network(architecture), random_images(architecture, 3)
    other = images.copy()
    other[-1].reshape(-1)[0] ^= 1
    attempt(network, other)
    with pytest.raises(VerificationError):
        attempt(network, other, shown=images)


@pytest.mark.parametrize("architecture", [SQUARED_PIXELS, POOL_NET], ids=["square", "pool"])
def test_images_in_another_order(architecture: Architecture) -> None:
    network, images = random_network(architecture), random_images(architecture, 3)
    with pytest.raises(VerificationError):
        attempt(network, np.roll(images, 1, axis=0), shown=images)
