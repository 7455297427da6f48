"""What every mode of the statement says of the seal: the key behind E, and the sealed weights.

    S1  E = SHA-256(k ‖ salt)                       sha256, commitment, key
    S2  c_i = pack_i(w) + MiMC7_k(i)                mimc7 rounds, ciphertext
    S3  every weight has its declared width         left to the mode: `enforce_widths`

(right: gadget names). Public inputs of every mode begin with

    context   two 128-bit halves, high first: the digest of everything a proof is bound to
    E         two 128-bit halves, big-endian, high first
    c         ℓ blocks
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from circuits.gadgets.bits import boolean
from circuits.gadgets.mimc7 import counter_mode
from circuits.gadgets.packing import packed_blocks
from circuits.gadgets.sha256 import Sha256, compress_32_bytes
from circuits.signals import Signals, private, public
from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError
from zkcmp.linear_combination import IntArray, LinearCombination
from zkcmp.model.layers import TensorSpec
from zkcmp.model.network import Architecture, Network
from zkcmp.r1cs_builder import ConstraintSystem
from zkcmp.seal import KEY_BYTES, commit, key_of, n_blocks, pack_layout

HALF_BITS = 128

EnforceWidths = Callable[[ConstraintSystem, TensorSpec, Signals], None]


@dataclass(frozen=True, eq=False, repr=False)
class SealAssignment:
    """What the seal's part of a witness is made from, unchecked; every mode adds its own.

    tensors in packing order; ciphertext: (ℓ, 4) uint64 words; commitment, context: 32 bytes.
    """

    tensors: list[np.ndarray]
    preimage: bytes
    ciphertext: np.ndarray
    commitment: bytes
    context: bytes


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


def check_secret(
    architecture: Architecture, commitment: bytes, network: Network, preimage: bytes
) -> None:
    """Raises VerificationError when the prover's own parts are those of another statement."""
    if network.architecture != architecture:
        raise VerificationError("network", "the statement's architecture", "another one")
    if commit(preimage) != commitment:
        raise VerificationError("commitment", commitment.hex(), "the hash of another preimage")


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
    system: ConstraintSystem, architecture: Architecture, given: SealAssignment | None
) -> tuple[Signals, IntArray]:
    """Allocates context, E and c; returns the wires of E and those of c."""
    context = None if given is None else np.array(_halves(given.context), object)
    commitment = None if given is None else np.array(_halves(given.commitment), object)
    public(system, "context", (2,), context)
    digest = public(system, "commitment", (2,), commitment)

    def blocks() -> FrVector:
        if given is None:
            raise ValueError("values are not available while constraints are recorded")
        return FrVector.from_words(given.ciphertext)

    return digest, system.public(n_blocks(architecture), "ciphertext", blocks)


def sealed_weights(
    system: ConstraintSystem,
    architecture: Architecture,
    digest: Signals,
    ciphertext: IntArray,
    given: SealAssignment | None,
    enforce_widths: EnforceWidths,
) -> list[Signals]:
    """S1 and S2 about the wires of E and c, S3 by `enforce_widths`; the weights, as packed."""
    key_wire = _key_commitment(system, digest, None if given is None else given.preimage)
    tensors = []
    for index, spec in enumerate(architecture.tensors()):
        known = None if given is None else given.tensors[index].reshape(spec.shape)
        tensors.append(private(system, spec.name, spec.shape, known))
        enforce_widths(system, spec, tensors[-1])
    blocks = packed_blocks(system, pack_layout(architecture), tensors)
    key = None if given is None else key_of(given.preimage)
    counter_mode(system, key_wire, blocks, ciphertext, key)
    return tensors


def _key_commitment(system: ConstraintSystem, digest: Signals, preimage: bytes | None) -> IntArray:
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
