"""Groth16 proofs that were changed by whoever saw them.

(−A, −B, C) and (s·A, s⁻¹·B, C) prove what (A, B, C) proves, in this deal and in no other: nothing
is decided by a proof's bytes. Everything else that can be made of proofs is refused.
"""

from collections.abc import Callable
from pathlib import Path

from deal_stages import Sale
from forged_messages import refused_without_a_trace
from malicious import CheatingSeller, verify

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.curve.encoding import decode_g1, decode_g2, encode_g1, encode_g2
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.reference import G1, G2

A, B, C, D = slice(0, 32), slice(32, 96), slice(96, 128), slice(128, 160)


def negated(proof: bytes, *elements: slice) -> bytes:
    """The flag that tells y from −y, turned over."""
    changed = bytearray(proof)
    for element in elements:
        changed[element.start] ^= 0x40
    return bytes(changed)


def scaled(proof: bytes, s: int, t: int) -> bytes:
    """s·A and t·B."""
    a, b = g1.to_affine_ints(decode_g1(proof[A]))[0], g2.to_affine_ints(decode_g2(proof[B]))[0]
    return (
        encode_g1(g1.from_affine_ints([G1.mul(a, s)]))
        + encode_g2(g2.from_affine_ints([G2.mul(b, t)]))
        + proof[C.start :]
    )


def test_what_proves_the_same(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    """What it would win: nothing; a buyer that refused it could be made to refuse honest ones."""
    deal = sale("set_up")
    cheat = CheatingSeller.of(deal, tmp_path / "key")
    proof = cheat.prove()
    turned = negated(scaled(proof, 3, pow(3, -1, FR_MODULUS)), A, B)
    assert not {turned[A], turned[B]} & {proof[A], proof[B]}
    cheat.deliver(deal, turned)
    assert deal.run("buyer", "verify").code == 0


def test_what_proves_nothing(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    """What it would win: parts of proofs of other witnesses put together to one of no witness."""
    deal = sale("set_up")
    cheat = CheatingSeller.of(deal, tmp_path / "key")
    proof, again = cheat.prove(), cheat.prove()
    forged = {
        "-A": negated(proof, A),
        "-B": negated(proof, B),
        "-C": negated(proof, C),
        "-D": negated(proof, D),
        "all negated": negated(proof, A, B, C, D),
        "A scaled": scaled(proof, 3, 1),
        "B scaled": scaled(proof, 1, 3),
        "C of another": proof[: C.start] + again[C] + proof[D],
        "D of another": proof[: D.start] + again[D],
        "C and D of another": proof[: C.start] + again[C] + again[D],
        "without D": proof[: D.start],
        "D twice": proof + proof[D],
    }
    for name, forgery in forged.items():
        cheat.deliver(deal, forgery)
        assert "proof" in refused_without_a_trace(deal, verify), name
