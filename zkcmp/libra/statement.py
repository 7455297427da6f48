"""The statement S1–S5 over one commitment: what is public, what is committed, what is reduced.

    S1  E = SHA-256(k ‖ salt)                               sha256
    S2  c_i = pack_i(w) + MiMC7_k(i)                        mimc7
    S3  every weight has its declared width                 ranges, lookup
    S4  correct_j = 1 ⇒ label_j = arg max F(w, x_j)         accuracy, network
    S5  correct_j ∈ {0, 1}, Σ correct_j = T                 accuracy

The committed vector V (multilinear/layout.py) holds

    the weight tensors        k and salt as bits, with SHA-256's       MiMC7's states
    limbs of wide weights     flags, limbs of margins                  multiplicities     pads

`reduce` is the conversation: the same code for the prover, who has a `Secret`, and the verifier.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.multilinear.layout import Layout
from zkcmp.libra.relations import mimc7, sha256
from zkcmp.libra.relations.accuracy import FLAGS, limbs, margins, prove_accuracy
from zkcmp.libra.relations.lookup import MULTIPLICITIES, prove_lookup
from zkcmp.libra.relations.network import (
    Activations,
    evaluate_network,
    prove_network,
    sealed_tensors,
)
from zkcmp.libra.relations.ranges import Ranges, prove_padding
from zkcmp.libra.requirements.opening import PADS
from zkcmp.model.bounds import check_no_wrap, logit_difference_bound
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Architecture, Network
from zkcmp.seal import commit, encrypt, key_of, n_blocks
from zkcmp.transcript import Transcript

PROTOCOL = b"zkcmp libra v1"
_PADS_BASE, _PADS_PER_LAYER = 2048, 256


@dataclass(frozen=True, eq=False)
class Secret:
    """The prover's side: every block of V but the pads, and the activations of the images."""

    blocks: dict[str, FrVector]
    key: int
    activations: Activations | None

    def __repr__(self) -> str:
        return "Secret()"


@dataclass(frozen=True, eq=False)
class Statement:
    """Everything public. ciphertext: (ℓ, 4) uint64 words; commitment (E), context: 32 bytes.

    `testset` is None for a statement about the seal alone (S1–S3); `threshold` is 0 then.
    """

    architecture: Architecture
    ciphertext: np.ndarray
    commitment: bytes
    testset: TestSet | None
    threshold: int
    context: bytes

    def check(self) -> None:
        """Raise a VerificationError unless the parts fit each other and nothing can wrap r."""
        check_no_wrap(self.architecture)
        shape = (n_blocks(self.architecture), 4)
        if np.shape(self.ciphertext) != shape:
            raise VerificationError("ciphertext shape", shape, np.shape(self.ciphertext))
        for name, data in (("commitment", self.commitment), ("context", self.context)):
            if len(data) != 32:
                raise VerificationError(name, "32 bytes", f"{len(data)} bytes")
        if self.testset is None:
            allowed = self.threshold == 0
        else:
            self.testset.check(self.architecture)
            allowed = type(self.threshold) is int and 1 <= self.threshold <= len(self.testset)
        if not allowed:
            raise VerificationError("threshold", "1 to the number of images", self.threshold)

    @property
    def n_images(self) -> int:
        return 0 if self.testset is None else len(self.testset)

    @cached_property
    def ranges(self) -> Ranges:
        architecture = self.architecture
        bound = logit_difference_bound(architecture)
        tensors = sealed_tensors(architecture)
        return Ranges.plan(tensors, self.n_images, architecture.n_classes, bound)

    @cached_property
    def layout(self) -> Layout:
        ranges = self.ranges
        sizes = {tensor.name: 1 << tensor.n_vars for tensor in ranges.tensors}
        sizes |= ranges.sizes()
        sizes[sha256.BITS] = sha256.SIZE
        sizes[mimc7.STATES] = mimc7.states_size(len(self.ciphertext))
        sizes[MULTIPLICITIES] = 1 << ranges.table_bits
        if ranges.margins is not None:
            sizes |= ranges.margins.sizes()
        sizes[PADS] = _PADS_BASE + _PADS_PER_LAYER * len(self.architecture.layers)
        return Layout(sizes)

    @cached_property
    def cipher(self) -> FrVector:
        """The ciphertext's blocks. Raises DecodeError when one is not below r."""
        return FrVector.from_words(self.ciphertext)

    def absorb(self, transcript: Transcript) -> None:
        """Everything a proof is bound to, before anything a prover chooses."""
        words = np.ascontiguousarray(self.ciphertext, "<u8")
        transcript.absorb(b"architecture", self.architecture.digest)
        transcript.absorb(b"context", self.context)
        transcript.absorb(b"commitment to the key", self.commitment)
        transcript.absorb(b"ciphertext", words.tobytes())
        if self.testset is not None:
            transcript.absorb(b"test set", self.testset.digest)
        transcript.absorb(b"threshold", self.threshold.to_bytes(8, "big"))

    # --- the prover's side ----------------------------------------------------------------

    def secret(self, network: Network, preimage: bytes) -> Secret:
        """An honest prover's secret.

        Raises VerificationError when network or preimage are not those of the statement, ZkcmpError
        when the network does not reach the threshold.
        """
        if network.architecture != self.architecture:
            raise VerificationError("network", "the statement's architecture", "another one")
        if commit(preimage) != self.commitment:
            raise VerificationError("commitment", self.commitment.hex(), "another preimage's hash")
        if not np.array_equal(encrypt(network, preimage).ciphertext, self.ciphertext):
            raise VerificationError("ciphertext", "this network's", "another network's")
        return self.assign(network, preimage)

    def assign(self, network: Network, preimage: bytes, flags: np.ndarray | None = None) -> Secret:
        """What a prover commits to, whether or not it satisfies the statement.

        `flags` (n,): by default those of the first T images that are right.
        """
        ranges = self.ranges
        small = {
            tensor.name: tensor.block(values)
            for tensor, values in zip(ranges.tensors, network.tensors, strict=True)
        }
        small |= ranges.limbs(small)
        activations = None
        if self.testset is not None and ranges.margins is not None:
            activations = evaluate_network(network, self.testset.images)
            labels = self.testset.labels
            if flags is None:
                flags = self._choose_flags(activations.predictions == labels)
            small[FLAGS] = np.zeros(1 << ranges.margins.image_vars, np.int64)
            small[FLAGS][: len(flags)] = flags
            table = margins(ranges.margins, activations.logits, labels, flags)
            small |= limbs(ranges.margins, table)
        small[MULTIPLICITIES] = ranges.lookup.multiplicities(small)
        blocks = {name: FrVector.from_int64(values.reshape(-1)) for name, values in small.items()}
        key = key_of(preimage)
        blocks[sha256.BITS] = sha256.bits(preimage)
        blocks[mimc7.STATES] = mimc7.states(key, len(self.ciphertext))
        return Secret(blocks, key, activations)

    def _choose_flags(self, is_correct: np.ndarray) -> np.ndarray:
        """Flags of the first T correct images."""
        chosen = np.flatnonzero(is_correct)[: self.threshold]
        if len(chosen) < self.threshold:
            raise ZkcmpError("the network does not reach the threshold; nothing can be proved")
        flags = np.zeros(len(is_correct), np.int64)
        flags[chosen] = 1
        return flags

    # --- both sides -----------------------------------------------------------------------

    def reduce(self, channel: Channel, secret: Secret | None) -> None:
        """All of S1–S5, to linear equations and products that the channel collects."""
        blocks = None if secret is None else secret.blocks
        tensors = self.ranges.tensors
        (key,) = channel.send(b"key", None if secret is None else [secret.key], 1)
        sha256.prove_hash(channel, self.commitment, None if blocks is None else blocks[sha256.BITS])
        sha256.require_key(channel, key)
        states = None if blocks is None else blocks[mimc7.STATES]
        mimc7.prove_rounds(channel, len(self.ciphertext), key, states)
        sealed = None
        if blocks is not None and states is not None:
            sealed = (states, [blocks[tensor.name] for tensor in tensors])
        mimc7.prove_ciphertext(channel, self.architecture, tensors, self.cipher, key, sealed)
        prove_padding(channel, tensors)
        self.ranges.prove_limbs(channel, blocks)
        prove_lookup(channel, self.ranges.lookup, blocks)
        if self.testset is not None and self.ranges.margins is not None:
            self._reduce_images(channel, self.testset, secret)

    def _reduce_images(self, channel: Channel, testset: TestSet, secret: Secret | None) -> None:
        if self.ranges.margins is None:
            raise ValueError("a statement about images has margins")
        logits = activations = blocks = None
        if secret is not None and secret.activations is not None:
            activations, blocks = secret.activations, secret.blocks
            logits = (activations.logits, blocks)
        point, form = prove_accuracy(
            channel, self.ranges.margins, testset.labels, self.threshold, logits
        )
        prove_network(channel, self.architecture, testset.images, point, form, activations, blocks)
