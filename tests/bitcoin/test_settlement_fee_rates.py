"""Which rate a claim or a refund pays, and what a replacement has to."""

import pytest

from bitcoin_scripts import fees
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fee_rates import FALLBACK_SAT_PER_VB, FeeChoice, claim_target, estimate

SCRIPT = bytes.fromhex("0014" + "00" * 20)


class Estimating:
    """A chain that says what it is told about fees."""

    def __init__(self, rate: int | None):
        self.rate = rate

    def fee_rate(self, target_blocks: int) -> int | None:
        return self.rate


def test_a_claim_is_wanted_sooner_as_the_timeout_nears() -> None:
    targets = [claim_target(left) for left in (144, 36, 35, 12, 7, 6, 1, 0, -5)]
    assert targets == [6, 6, 5, 2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("said", "used"), [(None, FALLBACK_SAT_PER_VB), (0, 1), (1, 1), (77, 77)])
def test_an_estimate_has_a_floor_and_a_fallback(said: int | None, used: int) -> None:
    assert estimate(Estimating(said), 6) == used


def test_what_the_user_says_counts() -> None:
    assert FeeChoice(3).wanted(Estimating(90), 6) == 3
    assert FeeChoice().wanted(Estimating(90), 6) == 90
    least = FeeChoice(30, at_least=True)
    assert [least.wanted(Estimating(rate), 6) for rate in (90, 7, None)] == [90, 30, 30]
    assert (FeeChoice().follows, FeeChoice(3).follows, least.follows) == (True, False, True)


def test_a_choice_is_bounded() -> None:
    ceiling = fees.CEILING_SAT_PER_VB
    FeeChoice(ceiling)
    FeeChoice(ceiling + 1, accept_high=True)
    with pytest.raises(SettlementError, match="--accept-high-fee"):
        FeeChoice(ceiling + 1)
    with pytest.raises(SettlementError, match="at least 1 sat/vB"):
        FeeChoice(0)
    assert (FeeChoice().most(10**6), FeeChoice(accept_high=True).most(10**6)) == (ceiling, 10**6)
    assert FeeChoice().most(7) == 7


def test_what_can_be_paid_leaves_half_and_no_dust() -> None:
    assert fees.affordable_sat_per_vb(100, 100_000, SCRIPT) == 500
    assert fees.affordable_sat_per_vb(100, 560, SCRIPT) == 2  # 294 are dust
    assert fees.affordable_sat_per_vb(100, 294, SCRIPT) == 0
    assert fees.affordable_sat_per_vb(100, 1, SCRIPT) == 0


@pytest.mark.parametrize("replaced_vb", [90, 100, 111, 150])
@pytest.mark.parametrize("size_vb", [90, 139])
@pytest.mark.parametrize("replaced_fee", [0, 1, 111, 1110, 1111, 99_999])
def test_a_replacement_pays_more_in_all_and_by_the_vbyte(
    replaced_fee: int, replaced_vb: int, size_vb: int
) -> None:
    rate = fees.replacing_sat_per_vb(replaced_fee, replaced_vb, size_vb)

    def may_replace(rate: int) -> bool:
        more_in_all = rate * size_vb >= replaced_fee + fees.INCREMENT_SAT_PER_VB * size_vb
        return more_in_all and rate * replaced_vb > replaced_fee

    assert may_replace(rate)
    assert not may_replace(rate - 1)
