"""The tip of a node's chain, and whether the node can be believed about it.

One that is still loading old blocks, or whose newest block is hours old, would report too few
blocks and so too much time before a refund: outside of regtest every question about the chain is
refused then. Answers that need several calls are put together from one tip: when it changed
meanwhile, everything is asked again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bitcoin_scripts.chain.node_client import NodeClient, NodeUnreachable
from bitcoin_scripts.errors import SettlementError

T = TypeVar("T")

MAX_TIP_AGE_S = 4 * 3600
"""Four hours without a block happen by chance once in millions of years."""

MAX_TIP_AHEAD_S = 2 * 3600
"""Nodes take no block that is dated further ahead of their clock (consensus)."""

MAX_BLOCKS_BEHIND = 2
"""More headers than this without their blocks: the node is catching up."""

_ATTEMPTS = 10


@dataclass(frozen=True)
class Tip:
    """The newest block of the active chain."""

    height: int
    block_hash: str


class NodeTip:
    """The tip that a node reports; `node_chain`, its name of the chain, must stay the same."""

    def __init__(self, node: NodeClient, node_chain: str):
        self._node = node
        self._node_chain = node_chain

    def now(self) -> Tip:
        """The tip. Raises NodeUnreachable when the node cannot be believed about it."""
        info = self._node.ask(dict, "getblockchaininfo")

        def read(info: dict[str, Any]) -> tuple[Tip, str, bool, int, int]:
            tip = Tip(int(info["blocks"]), str(info["bestblockhash"]))
            ahead = int(info["headers"]) - tip.height
            loading = bool(info["initialblockdownload"])
            return tip, str(info["chain"]), loading, ahead, int(info["time"])

        tip, chain, loading, ahead, mined_at = self._node.understood(
            "getblockchaininfo", read, info
        )
        if chain != self._node_chain:
            raise SettlementError(
                f"the node was on {self._node_chain} and is on {chain[:40]!r} now; repeat the "
                "command with the right node"
            )
        if chain == "regtest":  # its blocks come when somebody asks for them
            return tip
        if loading or ahead > MAX_BLOCKS_BEHIND:
            raise NodeUnreachable(
                f"the node is still catching up (block {tip.height}, {ahead} behind), so its word "
                "on confirmations counts for nothing; wait until it has all blocks"
            )
        age_s = int(time.time()) - mined_at
        if age_s > MAX_TIP_AGE_S:
            raise NodeUnreachable(
                f"the node's newest block is {age_s // 3600} hours old, so it may be cut off; "
                "check its connections and this machine's clock"
            )
        if age_s < -MAX_TIP_AHEAD_S:  # by such a clock, an old block would look young
            raise NodeUnreachable(
                f"the node's newest block is {-age_s // 3600} hours ahead of this machine's clock; "
                "set that right"
            )
        return tip

    def steadily(self, look: Callable[[Tip], T]) -> T:
        """What `look` sees of one tip: again, if the tip changed meanwhile."""
        for attempt in range(_ATTEMPTS):
            tip = self.now()
            try:
                seen = look(tip)
            except SettlementError:
                if self._best() == tip.block_hash or attempt + 1 == _ATTEMPTS:
                    raise
                continue
            if self._best() == tip.block_hash:
                return seen
        raise NodeUnreachable("the node's chain changes all the time; repeat this in a minute")

    def _best(self) -> str:
        return self._node.ask(str, "getbestblockhash")
