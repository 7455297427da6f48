"""A line on stderr while a node's blocks are read: on a long chain, a minute and more.

A terminal sees it count, and loses it at the end; elsewhere it is printed once, and stays.
"""

import sys

_WORTH_A_WORD = 100
"""Blocks that are read before anybody wonders."""

_CLEAR_LINE = "\r\x1b[K"


def tell_blocks_read(done: int, total: int) -> None:
    """`done` blocks of `total` are read."""
    if total < _WORTH_A_WORD:
        return
    if sys.stderr.isatty():
        line = f"zkcmp: block {done} of {total} read from the node" if done < total else ""
        sys.stderr.write(_CLEAR_LINE + line)
    elif done == 0:
        sys.stderr.write(f"zkcmp: reading {total} blocks of the node, which may take minutes\n")
    sys.stderr.flush()
