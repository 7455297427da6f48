"""The statement of a deal without the deal: sealed, proved, verified, for research and for tests.

Nothing here stops anyone from proving twice about one seal; that is what a deal is for.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zkcmp import seal as sealing
from zkcmp.api.arguments import Array, StrPath, as_method, as_test_set, as_threshold
from zkcmp.api.networks import Model, as_network
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.exchange.costs.proof_size import check_proof_size
from zkcmp.exchange.proofs import Asked, DealStatement, backend
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class SealedNetwork:
    """What everyone may see of a seal. ciphertext: (blocks, 4) uint64; commitment: SHA-256, E."""

    architecture: Architecture
    ciphertext: NDArray[np.uint64] = field(repr=False)
    commitment: bytes


@dataclass(frozen=True, eq=False)
class Sealed:
    """A seal with its secrets: the network, and the 32-byte preimage of E that opens it."""

    public: SealedNetwork
    network: Network = field(repr=False)
    preimage: bytes = field(repr=False)


def seal(model: Model) -> Sealed:
    """Encrypt a network under a fresh key."""
    network = as_network(model)
    check_no_wrap(network.architecture)
    sealed, preimage = sealing.seal(network)
    public = SealedNetwork(network.architecture, sealed.ciphertext, sealed.commitment)
    return Sealed(public, network, preimage)


def open_seal(public: SealedNetwork, preimage: bytes) -> Network:
    """The network in a seal. Raises VerificationError for the preimage of another."""
    return sealing.open_seal(preimage, public.ciphertext, public.commitment, public.architecture)


def setup(
    architecture: Architecture,
    images: Array,
    labels: Array,
    method: str,
    key: StrPath,
    progress: Progress = silent,
) -> bytes:
    """Write key material for such statements to the file `key`; what to verify with.

    Whoever runs this can forge proofs, so it is the verifier's to run.
    """
    asked = _asked(architecture, images, labels, method)
    if not asked.method.has_key_material:
        raise ZkcmpError(f"method {method} has no key material; leave setup out")
    return backend(asked.method).setup(asked, Path(key), progress)


def prove(
    sealed: Sealed,
    images: Array,
    labels: Array,
    accuracy: str | None = None,
    threshold: int | None = None,
    method: str = "libra hyrax",
    key: StrPath | None = None,
    context: bytes = b"",
    progress: Progress = silent,
) -> bytes:
    """A proof that the sealed network gets at least so many of the images right.

    key: the file of key material, for methods that have one: our own copy, which nobody else can
    write to; all of it is audited before anything is computed from the weights. context: whatever
    the proof shall be bound to. Raises ZkcmpError when the network does not reach the threshold.
    """
    asked = _asked(sealed.public.architecture, images, labels, method)
    needed = as_threshold(accuracy, threshold, asked.n_images)
    prover = backend(asked.method)
    path = None if key is None else Path(key)
    if (path is None) == asked.method.has_key_material:
        need = "needs a" if path is None else "has no"
        raise ZkcmpError(f"method {method} {need} key; see `setup`")
    if path is None:
        parameters = prover.parameters_digest(None)
    else:
        parameters = prover.audit(path, asked, progress).parameters
    right = int((sealed.network.predict(asked.test_set.images) == asked.test_set.labels).sum())
    if right < needed:
        raise ZkcmpError(f"the network gets {right} of {asked.n_images} right, not {needed}")
    statement = _statement(sealed.public, asked, needed, context, parameters)
    return prover.prove(statement, sealed.network, sealed.preimage, path, progress)


def verify(
    public: SealedNetwork,
    images: Array,
    labels: Array,
    proof: bytes,
    accuracy: str | None = None,
    threshold: int | None = None,
    method: str = "libra hyrax",
    verifying_key: bytes | None = None,
    context: bytes = b"",
) -> str:
    """What the proof is worth, in words. Raises VerificationError or DecodeError for a false one.

    verifying_key: what our own `setup` returned for these images and this method. For Groth16 the
    circuit is built once more, to see that it did: a deal's own records spare a buyer that.
    """
    asked = _asked(public.architecture, images, labels, method)
    needed = as_threshold(accuracy, threshold, asked.n_images)
    if (verifying_key is None) == asked.method.has_key_material:
        need = "needs a" if verifying_key is None else "has no"
        raise ZkcmpError(f"method {method} {need} verifying key; see `setup`")
    if verifying_key is not None and asked.method.backend == "groth16":
        _check_circuit(asked, verifying_key)
    verifier = backend(asked.method)
    parameters = verifier.parameters_digest(verifying_key)
    statement = _statement(public, asked, needed, context, parameters)
    verifier.verify(statement, verifying_key, proof)
    return verifier.soundness(asked)


def _statement(
    public: SealedNetwork, asked: Asked, threshold: int, context: bytes, parameters: bytes
) -> DealStatement:
    bound = hashlib.sha256(b"zkcmp api context" + context).digest()
    return DealStatement(asked, public.ciphertext, public.commitment, threshold, bound, parameters)


def _check_circuit(asked: Asked, verifying_key: bytes) -> None:
    """Raise VerificationError for a key of another circuit.

    A proof is about the circuit of the key, and in mode freivalds the images are in there: under a
    key of other images it would be one about those.
    """
    from zkcmp.exchange.proofs import circuit
    from zkcmp.groth16.verifying_key import VerifyingKey

    found = VerifyingKey.from_bytes(verifying_key).circuit_digest
    if found != circuit.build(asked).r1cs.digest:
        raise VerificationError(
            "verifying key",
            "one made for these images and this method",
            "that of another circuit",
            "give what `setup` returned for them",
        )


def _asked(architecture: Architecture, images: Array, labels: Array, method: str) -> Asked:
    samples, chosen = as_test_set(images, labels), as_method(method)
    check_no_wrap(architecture)
    samples.check(architecture)
    check_proof_size(architecture, len(samples), chosen)
    return Asked(architecture, samples, chosen)
