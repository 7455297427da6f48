"""End a command at the moment it hands the chain a transaction, before or after the chain has it.

What is on disk then is what SIGKILL leaves: nothing of a party's is written while this unwinds.
"""

import contextlib
from collections.abc import Iterator
from unittest.mock import patch

from bitcoin.core import CTransaction
from deal_stages import Sale

from bitcoin_scripts.chain.kernel import KernelChain

INTERRUPTED = 130


@contextlib.contextmanager
def interrupted(when: str) -> Iterator[list[CTransaction]]:
    """Every broadcast ends the command, `before` or `after` it; the transactions it was given."""
    real, given = KernelChain.broadcast, []

    def broadcast(chain: KernelChain, tx: CTransaction) -> str:
        given.append(tx)
        if when == "after":
            real(chain, tx)
        raise KeyboardInterrupt

    with patch.object(KernelChain, "broadcast", broadcast):
        yield given


def interrupt(sale: Sale, when: str, *command: str) -> CTransaction:
    """Run the command up to its broadcast; the transaction."""
    with interrupted(when) as given:
        result = sale.run(*command)
    assert result.code == INTERRUPTED, result
    return given[-1]
