"""What every mode of the statement has in common: the key behind E, and the sealed weights.

    S1  E = SHA-256(k ‖ salt)                       sha256, commitment, key
    S2  c_i = pack_i(w) + MiMC7_k(i)                mimc7 rounds, ciphertext
    S3  every weight has its declared width         left to the mode: `enforce_widths`

(right: gadget names). Public inputs of every mode begin with

    context   two 128-bit halves, high first: the digest of everything a proof is bound to
    E         two 128-bit halves, big-endian, high first
    c         ℓ blocks
"""

from collections.abc import Callable

import numpy as np

from circuits.gadgets.bits import boolean
from circuits.gadgets.mimc7 import counter_mode
from circuits.gadgets.packing import packed_blocks
from circuits.gadgets.sha256 import Sha256, compress_32_bytes
from circuits.signals import Signals, private, public
from zkcmp.bn254.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.linear_combination import IntArray, LinearCombination
from zkcmp.model.layers import TensorSpec
from zkcmp.model.network import Architecture
from zkcmp.r1cs_builder import ConstraintSystem
from zkcmp.seal import KEY_BYTES, key_of, n_blocks, pack_layout

HALF_BITS = 128

EnforceWidths = Callable[[ConstraintSystem, TensorSpec, Signals], None]


def check_sealed(
    architecture: Architecture, ciphertext: np.ndarray, commitment: bytes, context: bytes
) -> None:
    """Raises VerificationError when a part has not the shape it has under this architecture."""
    words = (n_blocks(architecture), 4)
    if np.shape(ciphertext) != words:
        raise VerificationError("ciphertext shape", words, np.shape(ciphertext))
    for name, data in (("commitment", commitment), ("context", context)):
        if len(data) != 32:
            raise VerificationError(name, "32 bytes", f"{len(data)} bytes")


def sealed_inputs(ciphertext: np.ndarray, commitment: bytes, context: bytes) -> FrVector:
    """The public wires of context, E and c. Raises DecodeError when a block is not below r."""
    return FrVector.concat(
        [
            FrVector.from_ints([*_halves(context), *_halves(commitment)]),
            FrVector.from_words(ciphertext),
        ]
    )


def _halves(data: bytes) -> list[int]:
    return [int.from_bytes(data[:16], "big"), int.from_bytes(data[16:], "big")]


def public_seal(
    system: ConstraintSystem,
    length: int,
    ciphertext: np.ndarray | None,
    commitment: bytes | None,
    context: bytes | None,
) -> tuple[Signals, IntArray]:
    """Allocates context, E and c of `length` blocks; returns the wires of E and those of c."""
    context_values = None if context is None else np.array(_halves(context), object)
    digest_values = None if commitment is None else np.array(_halves(commitment), object)
    public(system, "context", (2,), context_values)
    digest = public(system, "commitment", (2,), digest_values)

    def blocks() -> FrVector:
        if ciphertext is None:
            raise ValueError("values are not available while constraints are recorded")
        return FrVector.from_words(ciphertext)

    return digest, system.public(length, "ciphertext", blocks)


def key_commitment(system: ConstraintSystem, digest: Signals, preimage: bytes | None) -> IntArray:
    """S1; returns the wire that carries k."""
    values = None
    if preimage is not None:
        octets = np.frombuffer(preimage, np.uint8)
        values = np.unpackbits(octets).reshape(8, 32)[:, ::-1].copy()  # words, low bit first
    bits = private(system, "preimage bits", (8, 32), values)
    boolean(system, "preimage bits", bits)
    sha = Sha256(system)
    message = [sha.from_signals(bits.take(np.arange(32 * i, 32 * i + 32))) for i in range(8)]
    words = [word.bits for word in compress_32_bytes(system, message)]
    for half in (0, 1):
        system.enforce(
            "commitment",
            _big_endian(words[4 * half : 4 * half + 4]),
            1,
            system.wires(digest.wires[half : half + 1]),
        )
    key_value = None if preimage is None else np.array([key_of(preimage)], object)
    key_wire = private(system, "key", (1,), key_value).wires
    key = _big_endian([word.bits for word in message[: KEY_BYTES // 4]])
    system.enforce("key", key, 1, system.wires(key_wire))
    return key_wire


def _big_endian(words: list[LinearCombination]) -> LinearCombination:
    """One row: the integer whose 32-bit words, most significant first, have these bits."""
    total = None
    for j, word in enumerate(words):
        shift = HALF_BITS - 32 * (j + 1)
        part = (word * [1 << (shift + i) for i in range(32)]).total()
        total = part if total is None else total + part
    if total is None:
        raise ValueError("no words")
    return total


def sealed_weights(
    system: ConstraintSystem,
    architecture: Architecture,
    key_wire: IntArray,
    ciphertext: IntArray,
    values: list[np.ndarray] | None,
    preimage: bytes | None,
    enforce_widths: EnforceWidths,
) -> list[Signals]:
    """S2, and S3 by `enforce_widths`; returns the weights, in packing order."""
    tensors = []
    for index, spec in enumerate(architecture.tensors()):
        known = None if values is None else values[index].reshape(spec.shape)
        tensors.append(private(system, spec.name, spec.shape, known))
        enforce_widths(system, spec, tensors[-1])
    blocks = packed_blocks(system, pack_layout(architecture), tensors)
    key = None if preimage is None else key_of(preimage)
    counter_mode(system, key_wire, blocks, ciphertext, key)
    return tensors
