"""Figure 6 of the paper beside what a seller does who knows the sample.

    paper     (1 − u)^(n·ε) = 1 − p        p = 0.95, n = 10,000: whoever deviates by more than ε is
                                           caught with probability p
    seller    the share of images that have a dropped constraint in the sum that is the label's
              logit, f products of N rows: 1 − C(N − f, N − K) / C(N, N − K); it is never caught

A dropped constraint anywhere else may serve as well, so the share is what this seller can do and
not the most that one could.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, log1p

import numpy as np

from circuits.sampled.sampling import SEED_BYTES, kept_count, parse_selecting_parameter, sample
from circuits.sampled.size import network_rows
from zkcmp.model.architecture import Architecture

PAPER_P, PAPER_N = 0.95, 10_000
FIGURE_6_U = ("1%", "3%", "5%", "10%", "20%", "50%", "90%", "95%", "99%", "99.9%", "100%")
CRYPTONETS = (106_925, 100)  # N and f of the paper's network on MNIST


def first_dropped(
    kept: np.ndarray, labels: np.ndarray, n_rows: int, n_products: int, n_classes: int
) -> np.ndarray:
    """The first constraint of each label's logit that is not kept, 0 … n_products − 1, or -1.

    kept: (n, K) of n_rows rows; the last ones are the logits', n_products for each class.
    """
    image = np.arange(len(kept))[:, None]
    dropped = np.ones((len(kept), n_rows), bool)
    dropped[image, kept] = False
    first_row = n_rows - n_products * (n_classes - labels)
    of_label = dropped[image, first_row[:, None] + np.arange(n_products)]
    return np.where(of_label.any(axis=1), np.argmax(of_label, axis=1), -1)


def products_of_a_logit(architecture: Architecture) -> int:
    """Inputs of the last layer, which is dense."""
    return architecture.shapes()[-2][0]


@dataclass(frozen=True)
class Point:
    """For one u: the paper's ε, and the shares of images on which a lie is never caught."""

    u: str
    paper_epsilon: float
    measured: float
    expected: float
    expected_cryptonets: float


def paper_epsilon(u: Fraction) -> float:
    """Figure 6: the ε with (1 − u)^(n·ε) = 1 − p."""
    return 0.0 if u == 1 else log1p(-PAPER_P) / (PAPER_N * log1p(-float(u)))


def chance_of_a_lie(n_rows: int, n_products: int, u: Fraction) -> float:
    """That sampling drops one of n_products given rows: 1 − C(N − f, N − K) / C(N, N − K)."""
    n_dropped = n_rows - kept_count(n_rows, u)
    return float(1 - Fraction(comb(n_rows - n_products, n_dropped), comb(n_rows, n_dropped)))


def figure_6(architecture: Architecture, n_images: int, texts: Sequence[str]) -> list[Point]:
    """The share of n_images real samples in which the label's logit has a dropped constraint."""
    n_rows, n_products = network_rows(architecture), products_of_a_logit(architecture)
    labels = np.random.default_rng(0).integers(0, architecture.n_classes, n_images)
    points = []
    for text in texts:
        u = parse_selecting_parameter(text)
        kept = sample(secrets.token_bytes(SEED_BYTES), n_images, n_rows, u)
        lies = first_dropped(kept, labels, n_rows, n_products, architecture.n_classes)
        points.append(
            Point(
                text,
                paper_epsilon(u),
                float(np.mean(lies >= 0)),
                chance_of_a_lie(n_rows, n_products, u),
                chance_of_a_lie(*CRYPTONETS, u),
            )
        )
    return points
