"""What a deal's setup and proof will cost, from its architecture and the number of images.

The rows and wires come from circuits/size.py. How many wires are in A, B and C is an affine
function of the number of images, so two small circuits give it. Full-size wires are those of the
cipher, one for each of its constraints.
"""

from dataclasses import fields

from circuits import statement
from circuits.mimc7 import CONSTRAINTS_PER_BLOCK
from circuits.size import check_size
from zkcmp.exchange.encryption import encrypted_length
from zkcmp.groth16.estimate import (
    CircuitSize,
    Estimate,
    estimate,
    prove_memory_bytes,
    require_memory,
    setup_memory_bytes,
)
from zkcmp.model.architecture import Architecture
from zkcmp.seal import n_blocks


def statement_size(architecture: Architecture, n_images: int) -> CircuitSize:
    """The size of the statement for so many images, without building it.

    Raises VerificationError when it is too large for any key.
    """
    check_size(architecture, n_images)
    full = CONSTRAINTS_PER_BLOCK * n_blocks(architecture)
    one, two = (CircuitSize.of(statement.build(architecture, n).r1cs, full) for n in (1, 2))
    values = {
        field.name: getattr(one, field.name)
        + (n_images - 1) * (getattr(two, field.name) - getattr(one, field.name))
        for field in fields(CircuitSize)
    }
    return CircuitSize(**values)


def forecast(architecture: Architecture, n_images: int) -> Estimate:
    """Costs of setup and proof. Raises VerificationError like `statement_size`."""
    return estimate(statement_size(architecture, n_images))


def wire_bytes(prediction: Estimate) -> int:
    """The size of the key material as a message, but for its short header."""
    return encrypted_length(prediction.key_bytes)


def require_setup_memory(architecture: Architecture, n_images: int, force: bool) -> None:
    """Raise a ZkcmpError when setup will not fit into memory, unless `force`."""
    size = check_size(architecture, n_images)
    require_memory(setup_memory_bytes(size.domain_size, size.n_wires), "setup", force)


def require_prove_memory(architecture: Architecture, n_images: int, force: bool) -> None:
    """Raise a ZkcmpError when the proof will not fit into memory, unless `force`."""
    size = check_size(architecture, n_images)
    require_memory(prove_memory_bytes(size.domain_size, size.n_wires), "the proof", force)
