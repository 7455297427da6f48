"""One record of a reorganisation, whole or not there at all:

    record = depth | n | n transaction ids (32 each, serialised order) | m | m times (length, block)

with numbers of 4 bytes, little-endian. The last `depth` blocks give way to the `m` blocks, and of
the transactions that were in them all but the listed ones wait again.
"""

from dataclasses import dataclass

from bitcoin.core import b2lx, lx

_NUMBER_BYTES = 4
_ID_BYTES = 32


@dataclass(frozen=True)
class Branch:
    """The blocks that take the place of the last `depth`, and the transactions then forgotten."""

    depth: int
    forgotten: tuple[str, ...]
    raw_blocks: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        ids = [lx(txid) for txid in self.forgotten]
        blocks = [part for raw in self.raw_blocks for part in (_number(len(raw)), raw)]
        counts = _number(self.depth), _number(len(ids)), _number(len(self.raw_blocks))
        return b"".join([counts[0], counts[1], *ids, counts[2], *blocks])

    @classmethod
    def from_bytes(cls, data: bytes) -> "Branch":
        """Raises ValueError for anything but what `to_bytes` writes."""
        at = 0

        def take(size: int) -> bytes:
            nonlocal at
            part = data[at : at + size]
            if len(part) != size:
                raise ValueError("a record cut short")
            at += size
            return part

        def number() -> int:
            return int.from_bytes(take(_NUMBER_BYTES), "little")

        depth = number()
        forgotten = tuple(str(b2lx(take(_ID_BYTES))) for _ in range(number()))
        raw_blocks = tuple(take(number()) for _ in range(number()))
        if at != len(data):
            raise ValueError("bytes after the record")
        return cls(depth, forgotten, raw_blocks)


def _number(value: int) -> bytes:
    return value.to_bytes(_NUMBER_BYTES, "little")
