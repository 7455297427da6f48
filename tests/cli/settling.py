"""What tests of settlement need of a sale: the chain with estimates, outages and conflicts."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from unittest.mock import patch

from bitcoin.core import CTransaction
from deal_stages import Sale

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from zkcmp.exchange.buyer import Buyer

MINER = b"\x51"


@dataclass
class Weather:
    """What the chain says of fees, and whether it can be asked."""

    fee_rate: int | None = None
    rates: dict[int, int] = field(default_factory=dict)
    outages: int = 0

    def estimate(self, target_blocks: int) -> int | None:
        """`rates` by the greatest target that is not above the one asked for."""
        known = [target for target in self.rates if target <= target_blocks]
        return self.rates[max(known)] if known else self.fee_rate


@contextlib.contextmanager
def weather(**conditions: object) -> Iterator[Weather]:
    """Every embedded chain meanwhile has these estimates; it is away for `outages` looks."""
    now = Weather(**conditions)
    height = KernelChain.height

    def height_or_away(chain: KernelChain) -> int:
        if now.outages:
            now.outages -= 1
            raise SettlementError("the node does not answer; is it running?")
        return height(chain)

    with (
        patch.object(KernelChain, "fee_rate", lambda _, target: now.estimate(target)),
        patch.object(KernelChain, "height", height_or_away),
    ):
        yield now


@contextlib.contextmanager
def chain_of(sale: Sale) -> Iterator[KernelChain]:
    with KernelChain(sale.root / "chain") as chain:
        yield chain


def mine(sale: Sale, blocks: int) -> int:
    """The height afterwards."""
    with chain_of(sale) as chain:
        chain.mine(blocks, MINER)
        return chain.height()


def reorganise(sale: Sale, depth: int, *forget: str) -> None:
    with chain_of(sale) as chain:
        chain.reorganise(depth, forget)


def lock_place(sale: Sale) -> Outpoint:
    with Buyer.opened(sale.root / "buyer") as buyer:
        return buyer.locked(buyer.need(sale.deal))[1]


def spend_of_lock(sale: Sale) -> CTransaction | None:
    """What the chain has that spends the lock."""
    place = lock_place(sale)
    with chain_of(sale) as chain:
        return chain.find_spend(place)


def fee_sat(tx: CTransaction, amount_sat: int) -> int:
    return amount_sat - sum(output.nValue for output in tx.vout)
