"""How large a proof by each method would be, before anything of it is allocated.

A few hundred bytes of architecture and test set can ask for more than any machine has, so each
party computes this before it answers, or builds, anything. Sizes are in closed form (circuits/).
"""

import contextlib

from circuits.freivalds.size import check_freivalds_size
from circuits.full.size import check_size
from circuits.sampled.size import check_sampled_size
from circuits.size import Size
from zkcmp.errors import VerificationError
from zkcmp.exchange.messages.contents import MAX_PROOF_BYTES
from zkcmp.exchange.method import FREIVALDS, HYRAX, ZKVPD, Method
from zkcmp.libra.estimate import committed_vars, hyrax_proof_bytes, padded_entries
from zkcmp.model.architecture import Architecture

MAX_TENSOR_ENTRIES = 1 << 30  # of one layer's output, over all images, with libra


def check_circuit_size(architecture: Architecture, n_images: int, method: Method) -> Size:
    """The size of a Groth16 circuit, or what it does not exceed. Raises VerificationError when
    it is too large for any key.
    """
    if method.mode == "freivalds":
        return check_freivalds_size(architecture, n_images)
    if method.mode == "sampled" and method.sample is not None:
        return check_sampled_size(architecture, n_images, method.sample)
    if method.mode == "full":
        return check_size(architecture, n_images)
    raise VerificationError("method", "one of Groth16", method.title)


def check_proof_size(architecture: Architecture, n_images: int, method: Method) -> None:
    """Raise VerificationError when no proof of such a statement can be made by this method."""
    if method.backend == "libra":
        largest = max(padded_entries(architecture, n_images))
        if largest > MAX_TENSOR_ENTRIES:
            raise VerificationError(
                f"statement about {n_images} images",
                f"at most {MAX_TENSOR_ENTRIES} entries a layer",
                f"{largest} entries; use fewer images or a smaller network",
            )
        if method.has_key_material:
            _parameters_bytes(architecture, n_images)
        else:
            _check_message_size(architecture, n_images)
    else:
        check_circuit_size(architecture, n_images, method)


def check_provable(architecture: Architecture) -> None:
    """Raise VerificationError when no sound method can prove anything about such a network.

    One image is judged, by the methods that take the largest networks first.
    """
    for method in (HYRAX, ZKVPD):
        with contextlib.suppress(VerificationError):
            check_proof_size(architecture, 1, method)
            return
    check_proof_size(architecture, 1, FREIVALDS)


def key_material_limit(architecture: Architecture, n_images: int, method: Method) -> int:
    """No key material for this statement has more bytes than this, encryption included.

    Parameters of a commitment have exactly one size. In a Groth16 key a wire has at most three
    points in G1, one in G2 and three indices; a row of the domain at most three in G1, one in G2.
    """
    if method.backend == "libra":
        return _parameters_bytes(architecture, n_images) * 11 // 10 + (1 << 20)
    size = check_circuit_size(architecture, n_images, method)
    point = 64
    wires = size.n_wires * (3 * point + 2 * point + 3 * 4)
    rows = size.domain_size * (3 * point + 2 * point)
    return (wires + rows + size.n_public * point) * 11 // 10 + (1 << 20)


def _check_message_size(architecture: Architecture, n_images: int) -> None:
    """Raise VerificationError when Hyrax's proof, which grows with the rows, fits no delivery."""
    n_vars = committed_vars(architecture, n_images)
    if hyrax_proof_bytes(n_vars) <= MAX_PROOF_BYTES:
        return
    largest = next(m for m in range(n_vars, 0, -1) if hyrax_proof_bytes(m) <= MAX_PROOF_BYTES)
    raise VerificationError(
        f"statement about {n_images} images",
        f"at most 2^{largest} committed values, whose proof a delivery has room for",
        f"2^{n_vars}; use fewer images or a smaller network",
    )


def _parameters_bytes(architecture: Architecture, n_images: int) -> int:
    from zkcmp.exchange.proofs.libra_zkvpd import parameters_bytes

    return parameters_bytes(architecture, n_images)
