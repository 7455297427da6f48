"""A line on stderr while a node's blocks are read: on a long chain, a minute and more.

A terminal sees it count, and loses it at the end; elsewhere one line stays, where many are read.
"""

import sys

_WORTH_COUNTING, _WORTH_A_LINE = 100, 1_000
"""Blocks that are read before anybody wonders: at a terminal, and elsewhere."""

_CLEAR_LINE = "\r\x1b[K"


def tell_blocks_read(done: int, total: int) -> None:
    """`done` blocks of `total` are read."""
    if sys.stderr.isatty() and total >= _WORTH_COUNTING:
        line = f"zkcmp: block {done} of {total} read from the node" if done < total else ""
        sys.stderr.write(_CLEAR_LINE + line)
    elif done == 0 and total >= _WORTH_A_LINE:
        sys.stderr.write(f"zkcmp: reading {total} blocks of the node, which may take minutes\n")
    sys.stderr.flush()
