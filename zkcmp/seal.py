"""Sealing a network under a key whose hash is published, and opening it with the key.

    E   = SHA-256(k ‖ salt)                         commitment, the payment hash
    c_i = pack_i(w) + E_k(i) mod r                  ciphertext, i = 0 … ℓ − 1 (mimc7.py)
    pack_i(w) = Σ_t (w_t + 2^(b−1)) · 2^(b·t)       ⌊253/b⌋ weights of width b to a block

Source: the paper, §3 (Seal) and §4.2 (Convert); the offset and the exact widths are README's
S2 and S3. Every tensor starts a new block; the unused high positions of a tensor's last block hold
the digit 0, and `unpack` refuses anything else, so a network has exactly one packing.

    paper    here
    k, r     preimage[:16] (big-endian integer), preimage[16:]
    w        Network.tensors in packing order
    ℓ        n_blocks(architecture)

A key seals one network, once: counter mode leaks the difference of two networks under one key, and
a key that was used to claim a payment is public for ever.

A key of 0 is never chosen here. Opening accepts it: the statement that is proved does not exclude
it, a buyer who paid must be able to open, and a zero key harms only the seller who used it.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zkcmp import mimc7
from zkcmp.bn254.field.fr import FrVector, ints_to_words
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.model.network import Architecture, Network

CAPACITY_BITS = 253  # every integer below 2^253 is below r
KEY_BYTES = 16
PREIMAGE_BYTES = 32


@dataclass(frozen=True)
class BlockRun:
    """The consecutive blocks that hold one tensor."""

    tensor_index: int
    bits: int
    weights_per_block: int
    n_weights: int
    first_block: int
    n_blocks: int

    def count(self, block: int) -> int:
        """How many weights the run's block number `block` (from 0) holds."""
        return min(self.weights_per_block, self.n_weights - block * self.weights_per_block)


@dataclass(frozen=True, eq=False)
class Seal:
    """What may be shown before payment. ciphertext: (ℓ, 4) uint64 little-endian canonical words."""

    ciphertext: np.ndarray
    commitment: bytes

    def __repr__(self) -> str:
        return f"Seal({len(self.ciphertext)} blocks, commitment {self.commitment.hex()})"


def pack_layout(architecture: Architecture) -> list[BlockRun]:
    """Which blocks hold which tensor."""
    runs, first = [], 0
    for index, spec in enumerate(architecture.tensors()):
        per_block = CAPACITY_BITS // spec.bits
        n_blocks = -(-spec.size // per_block)
        runs.append(BlockRun(index, spec.bits, per_block, spec.size, first, n_blocks))
        first += n_blocks
    return runs


def n_blocks(architecture: Architecture) -> int:
    """ℓ, the number of ciphertext blocks."""
    return sum(run.n_blocks for run in pack_layout(architecture))


def pack(network: Network) -> list[int]:
    """The plaintext blocks, each below 2^253."""
    blocks = []
    for run in pack_layout(network.architecture):
        digits = network.tensors[run.tensor_index].reshape(-1) + (1 << (run.bits - 1))
        for block in range(run.n_blocks):
            start = block * run.weights_per_block
            value = 0
            for digit in digits[start : start + run.count(block)][::-1].tolist():
                value = (value << run.bits) | digit
            blocks.append(value)
    return blocks


def unpack(blocks: Sequence[int], architecture: Architecture) -> Network:
    """The network whose packing these blocks are.

    Raises VerificationError when there is no such network: a wrong number of blocks, or a block
    that reaches into positions no weight of its tensor occupies.
    """
    if len(blocks) != n_blocks(architecture):
        raise VerificationError("number of blocks", n_blocks(architecture), len(blocks))
    tensors = []
    for run, spec in zip(pack_layout(architecture), architecture.tensors(), strict=True):
        digits: list[int] = []
        mask = (1 << run.bits) - 1
        for block in range(run.n_blocks):
            value = blocks[run.first_block + block]
            if value >> (run.bits * run.count(block)):  # not 0 for a negative value, either
                raise VerificationError(
                    f"block {run.first_block + block} ({spec.name})",
                    f"{run.count(block)} weights of {run.bits} bits and nothing above them",
                    "a larger value",
                )
            digits += [(value >> (run.bits * t)) & mask for t in range(run.count(block))]
        weights = np.array(digits, np.int64) - (1 << (run.bits - 1))
        tensors.append(weights.reshape(spec.shape))
    return Network(architecture, tensors)


def key_of(preimage: bytes) -> int:
    """k, the first 16 bytes as a big-endian integer. Raises ZkcmpError for a wrong length."""
    if len(preimage) != PREIMAGE_BYTES:
        raise ZkcmpError(f"a preimage is exactly {PREIMAGE_BYTES} bytes, got {len(preimage)}")
    return int.from_bytes(preimage[:KEY_BYTES], "big")


def commit(preimage: bytes) -> bytes:
    """E = SHA-256(k ‖ salt)."""
    return hashlib.sha256(preimage).digest()


def new_preimage() -> bytes:
    """A fresh key, never 0, and a fresh salt."""
    while True:
        preimage = secrets.token_bytes(PREIMAGE_BYTES)
        if key_of(preimage) != 0:
            return preimage


def encrypt(network: Network, preimage: bytes) -> Seal:
    """The seal of a network under a given preimage. Raises ZkcmpError when its key is 0."""
    key = key_of(preimage)
    if key == 0:
        raise ZkcmpError("the key is 0; seal with a fresh one")
    plain = FrVector.from_words(ints_to_words(pack(network)))
    cipher = plain + mimc7.keystream(key, len(plain))
    return Seal(cipher.to_words(), commit(preimage))


def seal(network: Network) -> tuple[Seal, bytes]:
    """Seal under a fresh key; returns the seal and its 32-byte preimage, the seller's secret."""
    preimage = new_preimage()
    return encrypt(network, preimage), preimage


def open_seal(
    preimage: bytes, ciphertext: np.ndarray, commitment: bytes, architecture: Architecture
) -> Network:
    """The sealed network.

    ciphertext: (ℓ, 4) uint64 words. Raises VerificationError when the preimage is not the one
    committed to or the blocks are no packing of the architecture, DecodeError when a block is not
    below r, ZkcmpError when the preimage is not 32 bytes.
    """
    key = key_of(preimage)
    if commit(preimage) != commitment:
        raise VerificationError(
            "seal commitment", commitment.hex(), "another hash", "this key opens another seal"
        )
    cipher = FrVector.from_words(ciphertext)
    return unpack((cipher - mimc7.keystream(key, len(cipher))).to_ints(), architecture)
