"""Outputs with two leaves: Q = P + H("TapTweak", P, root) G, root = branch(leaf 1, leaf 2).

A spend through a leaf shows the leaf and a *control block*: leaf version and parity of Q, x of P,
hash of the other leaf (BIP 341).
"""

from dataclasses import dataclass

from bitcoin.core import VarIntSerializer

from bitcoin_scripts.ecdsa import FIELD_MODULUS, ORDER, base_multiple
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.taproot.schnorr import INFINITY, Point, add, tagged_hash

TAPSCRIPT = 0xC0
"""The leaf version of BIP 342."""


def leaf_hash(script: bytes, version: int = TAPSCRIPT) -> bytes:
    """The hash under which a leaf hangs in its tree."""
    size = VarIntSerializer.serialize(len(script))
    return tagged_hash("TapLeaf", bytes([version]), size, script)


def branch_hash(one: bytes, other: bytes) -> bytes:
    """The hash of two nodes, in either order."""
    return tagged_hash("TapBranch", *sorted((one, other)))


@dataclass(frozen=True)
class Tree:
    """An internal key over two leaves, given by their hashes."""

    internal: Point
    leaves: tuple[bytes, bytes]

    @property
    def tweak(self) -> int:
        """What the output key has on top of the internal one. Raises SettlementError if none."""
        x = self.internal[0].to_bytes(32, "big")
        tweak = int.from_bytes(tagged_hash("TapTweak", x, branch_hash(*self.leaves)), "big")
        if tweak >= ORDER:
            raise SettlementError("these terms have no taproot output; use other shares")
        return tweak

    @property
    def output(self) -> Point:
        """Q; its x is in the output script, its parity in the control blocks."""
        x, y = self.internal
        even = (x, y if y % 2 == 0 else FIELD_MODULUS - y)
        output = add(even, base_multiple(self.tweak) if self.tweak else INFINITY)
        if output == INFINITY:
            raise SettlementError("these terms have no taproot output; use other shares")
        return output

    def output_secret(self, internal_secret: int) -> bytes:
        """The secret key of the output, given the internal key's."""
        even = internal_secret if self.internal[1] % 2 == 0 else ORDER - internal_secret
        return ((even + self.tweak) % ORDER).to_bytes(32, "big")

    def control_block(self, leaf: bytes) -> bytes:
        """What shows that the leaf with this hash is one of the two."""
        other = self.leaves[1] if leaf == self.leaves[0] else self.leaves[0]
        first = TAPSCRIPT | self.output[1] % 2
        return bytes([first]) + self.internal[0].to_bytes(32, "big") + other
