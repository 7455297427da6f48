"""snarkjs knows Groth16 of one round only: what has two is refused here, in one sentence.

Its files have no place for a commitment. A circuit of two rounds written as a .r1cs would even be
dangerous: to whoever reads it, the challenges are public inputs that a prover may choose.
"""

from zkcmp.errors import ZkcmpError


def require_one_round(two_rounds: bool, what: str) -> None:
    """Raise a ZkcmpError when `what` has two rounds."""
    if two_rounds:
        raise ZkcmpError(
            f"this {what} has two rounds, and snarkjs knows Groth16 of one round only; "
            "use a circuit of one round (mode full)"
        )
