"""Which rate a claim or a refund should pay: what the user says, or what the chain estimates.

    claim    mined within min(6, left / 6) blocks, `left` of them remaining before the timeout
    refund   mined within a day: nothing competes with it but a late claim

An estimate is held between a floor that nodes relay and a ceiling, so that neither a node gone
wrong nor a spike makes a party pay away what it is about to receive.
"""

from dataclasses import dataclass

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Chain
from bitcoin_scripts.errors import SettlementError

FALLBACK_SAT_PER_VB = 2
"""Where the chain can say nothing, as on regtest."""

FLOOR_SAT_PER_VB = 1
CLAIM_TARGET_BLOCKS = 6
REFUND_TARGET_BLOCKS = 144


def claim_target(blocks_left: int) -> int:
    """Within how many blocks a claim should be mined."""
    return max(1, min(CLAIM_TARGET_BLOCKS, blocks_left // CLAIM_TARGET_BLOCKS))


@dataclass(frozen=True)
class FeeChoice:
    """What the user said about fees; without a rate, or with the least one, the chain is asked.

    Raises SettlementError for a rate that is below the floor, or above the ceiling and not
    accepted as high.
    """

    sat_per_vb: int | None = None
    accept_high: bool = False
    at_least: bool = False

    def __post_init__(self) -> None:
        if self.sat_per_vb is not None:
            if self.sat_per_vb < FLOOR_SAT_PER_VB:
                raise SettlementError("a fee rate is at least 1 sat/vB; raise --fee")
            fees.check_rate(self.sat_per_vb, self.accept_high)

    @property
    def follows(self) -> bool:
        """Whether the rate may rise with the chain's estimate, and when time is short."""
        return self.sat_per_vb is None or self.at_least

    def wanted(self, chain: Chain, target_blocks: int) -> int:
        """The rate that was said, or else the chain's for this target; it may be unaffordable."""
        said = self.sat_per_vb or FLOOR_SAT_PER_VB
        return max(said, estimate(chain, target_blocks)) if self.follows else said

    def most(self, affordable: int) -> int:
        """The highest rate to go to without being told, of what can be paid at all."""
        return affordable if self.accept_high else min(affordable, fees.CEILING_SAT_PER_VB)


def estimate(chain: Chain, target_blocks: int) -> int:
    """sat/vB that should be mined within so many blocks."""
    rate = chain.fee_rate(target_blocks)
    return FALLBACK_SAT_PER_VB if rate is None else max(rate, FLOOR_SAT_PER_VB)
