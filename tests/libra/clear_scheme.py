"""A commitment that hides nothing, to test what stands on a commitment."""

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.errors import VerificationError
from zkcmp.libra.conversation.channel import ProverChannel, VerifierChannel
from zkcmp.libra.multilinear.layout import Layout
from zkcmp.libra.multilinear.tables import evaluate
from zkcmp.libra.requirements.opening import PADS, Batch, reduce_to_opening, tail_length
from zkcmp.libra.requirements.products import prove_products
from zkcmp.transcript import Transcript


def new_transcript(vector: FrVector, tail: FrVector) -> Transcript:
    transcript = Transcript(b"test")
    transcript.absorb(b"commitment", vector.to_words().tobytes() + tail.to_words().tobytes())
    return transcript


def run(
    reduction,
    sizes,
    tensors,
    n_pads=256,
    tamper=None,
    pads=None,
    tail=None,
    make=ProverChannel,
):
    """Prove by `reduction(channel, tensors or None)` and verify; returns the proof's bytes.

    `make` makes the prover's channel.
    """
    layout = Layout({**sizes, PADS: n_pads})
    pads = FrVector.random(n_pads) if pads is None else pads
    tail = FrVector.random(tail_length(layout)) if tail is None else tail
    vector = layout.assemble({**tensors, PADS: pads})
    prover = make(new_transcript(vector, tail), pads.to_ints())
    reduction(prover, tensors)
    prove_products(prover)
    batch = Batch(prover, layout)
    prover.use_pads(tail.to_ints())
    reduce_to_opening(prover, batch, vector)
    proof = bytes(prover.proof)
    if tamper is not None:
        proof = tamper(proof)
    verifier = VerifierChannel(new_transcript(vector, tail), proof)
    reduction(verifier, None)
    prove_products(verifier)
    batch = Batch(verifier, layout)
    verifier.use_pads()
    claim = reduce_to_opening(verifier, batch, None)
    if verifier.rest:
        raise VerificationError("proof", "its end", f"{len(verifier.rest)} more bytes")
    opened = evaluate(vector, claim.point)
    opened += sum(w * t for w, t in zip(claim.tail_weights, tail.to_ints(), strict=True))
    if opened % FR_MODULUS != claim.value:
        raise VerificationError("opening", claim.value, opened % FR_MODULUS)
    return proof
