"""Proofs of a statement: commit, reduce, open.

    transcript ← protocol, scheme, statement, commitment to V and to the tail
    reduce     S1–S5 to linear equations in V and products of hidden values        (statement.py)
    products   to linear equations                                    (requirements/products.py)
    batch      all equations to one evaluation V~(r)                   (requirements/opening.py)
    open       V~(r) + <weights, tail> = value                                     (commitments)

The proof is

    magic "zkcmp-lp", version u32, length of the commitment u32, commitment,
    every message (32 bytes an element, in order), the opening

Zero knowledge: every element of a message is padded with a fresh entry of the pads or of the tail,
apart from three that are uniformly random by construction (requirements/products.py), the
commitment is hiding, and the opening proves one equation between public numbers. docs/libra.md has
the simulator.
"""

import struct

from zkcmp.bn254.field.fr import FrVector
from zkcmp.commitments.scheme import Scheme
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.libra.conversation.channel import ProverChannel, VerifierChannel
from zkcmp.libra.requirements.opening import PADS, Batch, reduce_to_opening, tail_length
from zkcmp.libra.requirements.products import prove_products
from zkcmp.libra.statement import PROTOCOL, Secret, Statement
from zkcmp.progress import Progress, silent
from zkcmp.transcript import Transcript

MAGIC, VERSION = b"zkcmp-lp", 1
_HEAD = struct.Struct("<8sII")
_STAGES = ("commitment", "statement", "products", "batch", "opening")


def prove(
    statement: Statement, secret: Secret, scheme: Scheme, progress: Progress = silent
) -> bytes:
    """A proof of the statement, with fresh pads and blinders, verified before it is returned.

    The opening of a false claim would let its reader test guesses about the secret, so whatever
    went wrong (another network, a fault of the machine), such a proof does not leave this function.
    Raises VerificationError then, ValueError when the scheme is for another size.
    """
    proof = prove_unchecked(statement, secret, scheme, progress)
    try:
        verify(statement, scheme, proof)
    except VerificationError as error:
        raise VerificationError(
            "self-check of the new proof", hint=f"{error}; the secret is not one of this statement"
        ) from None
    return proof


def prove_unchecked(
    statement: Statement, secret: Secret, scheme: Scheme, progress: Progress = silent
) -> bytes:
    """The same, whether or not the secret satisfies the statement; not to be sent to anybody."""
    layout = statement.layout
    pads = FrVector.random(layout.blocks[PADS].size)
    tail = FrVector.random(tail_length(layout))
    vector = layout.assemble({**secret.blocks, PADS: pads})
    commitment, opening = scheme.commit(vector, tail)
    progress(f"prove: {_STAGES[0]}", 1, len(_STAGES))
    encoded = commitment.to_bytes()
    channel = ProverChannel(_transcript(statement, scheme, encoded), pads.to_ints())
    statement.reduce(channel, secret)
    progress(f"prove: {_STAGES[1]}", 2, len(_STAGES))
    prove_products(channel)
    progress(f"prove: {_STAGES[2]}", 3, len(_STAGES))
    batch = Batch(channel, layout)
    channel.use_pads(tail.to_ints())
    claim = reduce_to_opening(channel, batch, vector)
    progress(f"prove: {_STAGES[3]}", 4, len(_STAGES))
    opened = scheme.open(opening, channel.transcript, claim.point, claim.tail_weights, claim.value)
    progress(f"prove: {_STAGES[4]}", 5, len(_STAGES))
    head = _HEAD.pack(MAGIC, VERSION, len(encoded))
    return bytes(head + encoded + channel.proof + opened)


def verify(statement: Statement, scheme: Scheme, proof: bytes) -> None:
    """Accept, or raise.

    Raises:
        VerificationError: the statement's parts do not fit, or the proof is not one of it.
        DecodeError: the bytes are no proof; the error names the message they end or break in.
    """
    statement.check()
    if len(proof) < _HEAD.size or not proof.startswith(MAGIC):
        raise DecodeError("this is not a proof of the libra backend; get it again")
    _, version, length = _HEAD.unpack(proof[: _HEAD.size])
    if version != VERSION:
        raise DecodeError(f"libra proof of version {version}, this tool reads {VERSION}")
    end = _HEAD.size + length
    if len(proof) < end:
        raise DecodeError("the proof ends inside the commitment; get it again")
    layout = statement.layout
    sizes = layout.n_vars, tail_length(layout)
    # before its points are decompressed: a commitment of many rows takes time
    if length != scheme.commitment_bytes(*sizes):
        raise VerificationError("commitment", scheme.commitment_bytes(*sizes), length)
    encoded = proof[_HEAD.size : end]
    commitment = scheme.decode(encoded)
    if (commitment.n_vars, commitment.tail_length) != sizes:
        raise VerificationError("commitment", f"to 2^{layout.n_vars} values", "of another size")
    channel = VerifierChannel(_transcript(statement, scheme, encoded), proof[end:])
    statement.reduce(channel, None)
    prove_products(channel)
    batch = Batch(channel, layout)
    channel.use_pads()
    claim = reduce_to_opening(channel, batch, None)
    scheme.verify(
        commitment,
        channel.transcript,
        claim.point,
        claim.tail_weights,
        claim.value,
        channel.rest,
    )


def _transcript(statement: Statement, scheme: Scheme, commitment: bytes) -> Transcript:
    transcript = Transcript(PROTOCOL)
    transcript.absorb(b"scheme", scheme.digest)
    statement.absorb(transcript)
    transcript.absorb(b"committed", commitment)
    return transcript
