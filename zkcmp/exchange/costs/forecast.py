"""What a deal's setup and proof will cost, from its architecture, the number of images, the method.

Rows and wires come from circuits/, in closed form; where they depend on the pixels or on the seed,
as what they do not exceed. How many wires are in A, B and C, and how many are full-size, is counted
in small circuits with random pixels:

    full, sampled    affine in the number of images; full-size wires are the cipher's
    freivalds        the same share of the wires as with a few images; full-size wires are the
                     cipher's and those of the second round
"""

from dataclasses import fields, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np

from circuits.gadgets.mimc7 import CONSTRAINTS_PER_BLOCK
from circuits.size import Size
from zkcmp.commitments.srs import file_bytes
from zkcmp.disk import require_room
from zkcmp.exchange.costs.proof_size import check_circuit_size
from zkcmp.exchange.messages.encryption import encrypted_length
from zkcmp.exchange.method import FREIVALDS, FULL, HYRAX, SEED_BYTES, Method
from zkcmp.exchange.proofs import Asked
from zkcmp.groth16.estimate import (
    BASE_BYTES,
    CircuitSize,
    Estimate,
    estimate,
    key_bytes,
    prove_memory_bytes,
    setup_memory_bytes,
)
from zkcmp.libra.estimate import committed_vars, padded_entries, padded_weights
from zkcmp.machine import require_memory
from zkcmp.model.architecture import Architecture
from zkcmp.model.dataset import TestSet
from zkcmp.seal import n_blocks

_FEW_IMAGES = 128
# from which others follow, for a circuit that is affine in the images, or almost
_FULL_FROM, _SAMPLED_FROM = (1, 2), (16, 32)
# what a sample of few images may differ from that of many
_SAMPLED_MARGIN = Fraction(102, 100)
# of libra's prover, for each entry of the layers' outputs, and for each committed value
_ENTRY_BYTES, _VALUE_BYTES = 16, 300
# of zkvpd's parameters, for each committed value: while they are made, and as they are mapped
_MADE_BYTES, _MAPPED_BYTES = 600, 128
# of a verifier, for each block and pixel; with Groth16 for each public input; with libra for each
# weight and each value of one image, padded
_VERIFIED_BLOCK_BYTES, _PIXEL_BYTES = 250, 20
_PUBLIC_BYTES = 500
_WEIGHT_BYTES, _OUTPUT_BYTES = 240, 40

FEWER_IMAGES = "use fewer test images,"
CLOSE_OTHERS = "close other programs, or use"
"""What helps where memory is short: as long as the test set can be chosen, and afterwards."""


@lru_cache(maxsize=16)
def statement_size(
    architecture: Architecture, n_images: int, method: Method = FREIVALDS
) -> CircuitSize:
    """The size of the statement for so many images, without building it.

    Raises VerificationError when it is too large for any key.
    """
    size = check_circuit_size(architecture, n_images, method)
    if method == FULL:
        return _affine(architecture, n_images, method, _FULL_FROM)
    if method.mode == "sampled" and n_images > _SAMPLED_FROM[1]:
        line = _affine(architecture, n_images, method, _SAMPLED_FROM)
        n_wires = min(size.n_wires, int(line.n_wires * _SAMPLED_MARGIN))
        return replace(line, n_constraints=size.n_constraints, n_wires=n_wires)
    return _scaled(_built(architecture, min(n_images, _FEW_IMAGES), method), size)


def _affine(
    architecture: Architecture, n_images: int, method: Method, numbers: tuple[int, int]
) -> CircuitSize:
    """The line through the sizes for two other numbers of images."""
    few, more = (_built(architecture, n, method) for n in numbers)
    values = {}
    for name in (field.name for field in fields(CircuitSize)):
        first, step = getattr(few, name), getattr(more, name) - getattr(few, name)
        values[name] = first + (n_images - numbers[0]) * step // (numbers[1] - numbers[0])
    return CircuitSize(**values)


def forecast(architecture: Architecture, n_images: int, method: Method = FREIVALDS) -> Estimate:
    """Costs of setup and proof. Raises VerificationError like `statement_size`."""
    return estimate(statement_size(architecture, n_images, method))


def wire_bytes(prediction: Estimate) -> int:
    """The size of the key material as a message, but for its short header."""
    return encrypted_length(prediction.key_bytes)


def key_file_bytes(architecture: Architecture, n_images: int, method: Method) -> int:
    """The size of the proving key, or of the parameters, as a file; 0 where there is none."""
    if not method.has_key_material:
        return 0
    if method.backend == "libra":
        return file_bytes(committed_vars(architecture, n_images))
    return key_bytes(statement_size(architecture, n_images, method))


def require_setup_room(asked: Asked, directory: Path, folder: Path, force: bool) -> None:
    """Raise a ZkcmpError when a disk will be full before a setup has ended, unless `force`.

    The key and the message of it are beside each other in the private `directory`; when the
    message is copied to the deal folder, the key is gone.
    """
    key = key_file_bytes(asked.architecture, asked.n_images, asked.method)
    message = encrypted_length(key)
    require_room(directory, key + message, "setup", force)
    require_room(folder, message, "the key material", force)


def require_setup_memory(
    architecture: Architecture, n_images: int, method: Method, force: bool, instead: str
) -> None:
    """Raise a ZkcmpError when setup will not fit into memory, unless `force`.

    `instead`, here and below: what to do; "another machine" follows.
    """
    if method.backend == "libra":
        needed = libra_setup_memory_bytes(architecture, n_images)
    else:
        needed = setup_memory_bytes(statement_size(architecture, n_images, method))
    require_memory(needed, "setup", force, instead)


def require_prove_memory(
    architecture: Architecture, n_images: int, method: Method, force: bool
) -> None:
    """Raise a ZkcmpError when the proof will not fit into memory, unless `force`."""
    if method.backend == "libra":
        needed = libra_memory_bytes(architecture, n_images, method)
    else:
        needed = prove_memory_bytes(statement_size(architecture, n_images, method))
    require_memory(needed, "the proof", force, CLOSE_OTHERS)


def require_verify_memory(
    architecture: Architecture, n_images: int, method: Method, force: bool, instead: str
) -> None:
    """Raise a ZkcmpError when verifying will not fit into memory, unless `force`."""
    needed = verify_memory_bytes(architecture, n_images, method)
    require_memory(needed, "verifying", force, instead)


def verify_memory_bytes(architecture: Architecture, n_images: int, method: Method) -> int:
    """What the process of a verifier needs at most, whatever a delivery says.

    The seller chooses the architecture, and with it tables of one entry for each weight, each
    block, or each value of a layer, all of them known from its offer.
    """
    pixels = n_images * architecture.n_inputs
    fixed = BASE_BYTES + _VERIFIED_BLOCK_BYTES * n_blocks(architecture) + _PIXEL_BYTES * pixels
    if method.backend == "groth16":
        n_public = check_circuit_size(architecture, n_images, method).n_public
        return fixed + _PUBLIC_BYTES * n_public
    weights = _WEIGHT_BYTES * padded_weights(architecture)
    return fixed + weights + _OUTPUT_BYTES * sum(padded_entries(architecture, 1))


def libra_memory_bytes(architecture: Architecture, n_images: int, method: Method = HYRAX) -> int:
    """What the process of a prover needs at most with backend libra, parameters included."""
    images = sum(padded_entries(architecture, n_images))
    committed = 1 << committed_vars(architecture, n_images)
    mapped = _MAPPED_BYTES if method.has_key_material else 0
    return BASE_BYTES + _ENTRY_BYTES * images + (_VALUE_BYTES + mapped) * committed


def libra_setup_memory_bytes(architecture: Architecture, n_images: int) -> int:
    """What making the parameters of commitment zkvpd needs at most."""
    return BASE_BYTES + _MADE_BYTES * (1 << committed_vars(architecture, n_images))


def _built(architecture: Architecture, n_images: int, method: Method) -> CircuitSize:
    """The size of a circuit for so many random images."""
    from zkcmp.exchange.proofs import circuit

    rng = np.random.default_rng(1)
    pixels = rng.integers(1, 1 << architecture.input_bits, (n_images, *architecture.input_shape))
    labels = rng.integers(0, architecture.n_classes, n_images)
    if not method.is_sound:
        method = replace(method, seed=bytes(SEED_BYTES))
    r1cs = circuit.build(Asked(architecture, TestSet(pixels, labels), method)).r1cs
    full = CONSTRAINTS_PER_BLOCK * n_blocks(architecture)
    if r1cs.n_challenges:
        full += r1cs.n_wires - r1cs.n_public - 1 - r1cs.n_committed
    return CircuitSize.of(r1cs, full)


def _scaled(few: CircuitSize, size: Size) -> CircuitSize:
    """The shares of `few` in a circuit of this size."""

    def share(wires: int) -> int:
        return round(wires * size.n_wires / few.n_wires)

    return CircuitSize(
        size.n_constraints,
        size.n_public,
        size.n_wires,
        share(few.a_wires),
        share(few.b_wires),
        share(few.l_wires),
        share(few.full_wires) if few.n_rounds == 2 else few.full_wires,
        few.n_rounds,
        size.n_entries,
    )
