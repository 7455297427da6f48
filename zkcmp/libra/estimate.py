"""What a proof by sumchecks will cost, before the work is begun.

    prove      FIXED + ENTRY·(entries of all activations)                on one thread
               COMMITTED·2^m + BLOCK·(blocks of the ciphertext)          on all of them
    verify     VERIFY_FIXED + VERIFY_VAR·m + VERIFY_ROW·(rows of the commitment)
               + VERIFY_PIXEL·(pixels)
    proof      32·(rows of the commitment) + MESSAGE_BYTES·m          in bytes

in products of the field, measured here and now; 2^m values are committed to, activations are padded
to powers of two (`padded_entries`). The weights are fitted to statements about 0 to 10,000 images
and 860 to 1.6 million weights, with IFMA, where they are within a third; threads are taken to share
work with EFFICIENCY, the verifier has one. With zkVPD the commitment
costs SRS_… more for each value: parameters made (setup) and audited, and two points a value in the
proof. Nothing heavy is imported before `estimate` is called.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from zkcmp.model.architecture import Architecture

FIXED, ENTRY, COMMITTED, BLOCK = 110e6, 2, 220, 67_000
VERIFY_FIXED, VERIFY_VAR, VERIFY_ROW, VERIFY_PIXEL = 2.5e6, 0.7e6, 78_000, 1.5
SRS_SETUP, SRS_AUDIT, SRS_PROVE, SRS_VERIFY = 750, 1_060, 265, 15e6
MESSAGE_BYTES = 1_550
_EFFICIENCY = 0.9
_G1_BYTES = 32
_COLUMN_BITS = 13  # of Hyrax's rows


@dataclass(frozen=True)
class LibraEstimate:
    """Predicted costs; seconds on the threads of this process.

    setup_s and audit_s are 0 without parameters (commitment hyrax).
    """

    n_vars: int
    setup_s: float
    audit_s: float
    prove_s: float
    verify_s: float
    proof_bytes: int


def padded_entries(architecture: Architecture, n_images: int) -> list[int]:
    """For the pixels and each layer's output, the entries over all images, padded."""
    padded = [prod(_power_of_two(size) for size in shape) for shape in architecture.shapes()]
    return [_power_of_two(n_images) * entries for entries in padded]


def padded_weights(architecture: Architecture) -> int:
    """The entries of all weight tensors, padded."""
    from zkcmp.libra.relations.network import sealed_tensors

    return sum(1 << tensor.n_vars for tensor in sealed_tensors(architecture))


def committed_vars(architecture: Architecture, n_images: int) -> int:
    """m, for 2^m committed values; they depend on nothing else."""
    from zkcmp.libra.statement import Statement
    from zkcmp.model.dataset import TestSet
    from zkcmp.seal import n_blocks

    # any ciphertext and any images: the layout only counts them
    blocks = np.broadcast_to(np.uint64(0), (n_blocks(architecture), 4))
    images = TestSet(np.zeros((n_images, 1, 1, 1), np.int64), np.zeros(n_images, np.int64))
    return Statement(architecture, blocks, bytes(32), images, 1, bytes(32)).layout.n_vars


def estimate(architecture: Architecture, n_images: int, zkvpd: bool = False) -> LibraEstimate:
    """Predict from the statement's size and the speed of this machine."""
    from zkcmp import machine
    from zkcmp.bn254.threads import thread_count
    from zkcmp.seal import n_blocks

    m = committed_vars(architecture, n_images)
    product = machine.product_s()
    shared = product / (1 + (thread_count() - 1) * _EFFICIENCY)
    entries = sum(padded_entries(architecture, n_images))
    proving_s = product * (FIXED + ENTRY * entries)
    proving_s += shared * (COMMITTED * 2**m + BLOCK * n_blocks(architecture))
    verifying = VERIFY_FIXED + VERIFY_VAR * m + VERIFY_PIXEL * n_images * architecture.n_inputs
    if zkvpd:
        return LibraEstimate(
            m,
            shared * SRS_SETUP * 2**m,
            shared * SRS_AUDIT * 2**m,
            proving_s + shared * SRS_PROVE * 2**m,
            product * (verifying + SRS_VERIFY),
            MESSAGE_BYTES * m,
        )
    verifying += VERIFY_ROW * _rows(m)
    return LibraEstimate(m, 0.0, 0.0, proving_s, product * verifying, hyrax_proof_bytes(m))


def hyrax_proof_bytes(n_vars: int) -> int:
    """The size of a proof about 2^n_vars committed values, with Hyrax."""
    return MESSAGE_BYTES * n_vars + _G1_BYTES * _rows(n_vars)


def _rows(n_vars: int) -> int:
    return 1 << max(n_vars - _COLUMN_BITS, 0)


def _power_of_two(size: int) -> int:
    """The least one that is not below `size`."""
    return 1 << (size - 1).bit_length()
