"""SIGKILL before every durable step of every command: repeating the command goes on from there."""

from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import NETWORK, PRICE_SAT, Sale, Stages
from test_command_order import COMMANDS

from bitcoin_scripts.chain.kernel import KernelChain
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.private.ledger import AnsweredRequests, SpentSamples
from zkcmp.exchange.seller import weights_digest
from zkcmp.model.onnx import read_onnx
from zkcmp.model.quantize import quantize

MAX_STEPS = 40
REST = ["seal", "request", "setup", "prove", "verify", "lock", "redeem", "open"]

Killed = Callable[[int, list[str]], bool]


def finish(sale: Sale, commands: list[str]) -> None:
    """The rest of the deal, unharmed, ends with the right network and one payment."""
    for name in commands:
        assert COMMANDS[name](sale).code == 0, name
        if name in ("lock", "redeem"):
            assert sale.run("chain", "mine", "1").code == 0
    assert quantize(read_onnx(sale.root / "bought.onnx")) == NETWORK
    with Buyer.opened(sale.root / "buyer") as buyer:
        assert len(SpentSamples(buyer.home.path / "spent-samples").load()) == 6
    answered = AnsweredRequests(sale.root / "seller" / "answered.json")
    assert answered.count(weights_digest(NETWORK)) == 2
    with KernelChain(sale.root / "chain") as chain:
        paid = chain.find_output(lock_script(sale))
    assert [(output.amount_sat, bool(output.spent_by)) for output in paid] == [(PRICE_SAT, True)]


def lock_script(sale: Sale) -> bytes:
    """Where the price of this deal was paid to."""
    with Buyer.opened(sale.root / "buyer") as buyer:
        htlc, _ = buyer.locked(buyer.need(sale.deal))
    return bytes(htlc.script_pubkey)


@pytest.mark.parametrize(
    ("stage", "command", "arguments"),
    [
        ("ready", "seal", ("{root}/model.onnx", "--price-sat", str(PRICE_SAT))),
        ("sealed", "request", ("--test-set", "{root}/samples1.npz", "--threshold", "2")),
        ("requested", "setup", ()),
        ("set_up", "prove", ()),
        ("set_up", "audit", ()),
        ("proved", "verify", ()),
        ("verified", "lock", ()),
        ("locked", "redeem", ()),
        ("redeemed", "open", ("--out", "{root}/bought.onnx")),
    ],
)
def test_killed(
    sale: Callable[[str], Sale],
    killed: Killed,
    stage: str,
    command: str,
    arguments: tuple[str, ...],
) -> None:
    """Before its 1st step, before its 2nd, …, each time on what the one before left."""
    deal = sale(stage)
    party = "seller" if command in ("seal", "audit", "prove", "redeem") else "buyer"
    given = deal.arguments(party, command, *(text.format(root=deal.root) for text in arguments))
    deaths = next(step for step in range(1, MAX_STEPS) if not killed(step, given)) - 1
    assert deaths >= 2
    finish(deal, REST[REST.index("prove" if command == "audit" else command) :])


class TestUnfinishedDeal:
    """What a killed `seal` or `request` left of a deal that it had not begun."""

    BEGINNINGS = pytest.mark.parametrize(
        ("stage", "party", "command"),
        [
            ("ready", "seller", ("seal", "{root}/model.onnx", "--price-sat", str(PRICE_SAT))),
            (
                "sealed",
                "buyer",
                ("request", "--test-set", "{root}/samples1.npz", "--threshold", "2"),
            ),
        ],
    )

    @BEGINNINGS
    def test_is_removed_with_a_word(
        self,
        stages: Stages,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        killed: Killed,
        stage: str,
        party: str,
        command: tuple[str, ...],
    ) -> None:
        """A directory of a deal is whole from the beginning, and one that is not is gone."""
        removed = 0
        for step in range(1, MAX_STEPS):
            deal = stages.copy(stage, tmp_path / str(step), capsys)
            deals = deal.root / party / "deals"
            earlier = set(deals.iterdir())
            arguments = deal.arguments(party, *(text.format(root=deal.root) for text in command))
            if not killed(step, arguments):
                break
            left = set(deals.iterdir()) - earlier
            status = deal.run(party, "status")
            assert status.code == 0
            assert "damaged" not in status.out
            for path in left:
                if (deals / path.name[:32]).exists():
                    assert f"deal       {path.name} in {deal.deal}" in status.out
                    assert {"keys", "state.json", "offer.zkcmp"} <= {p.name for p in path.iterdir()}
                else:
                    removed += 1
                    assert f"cleaned    {path}:" in status.out
                    assert not path.exists()
            assert not deal.message("offer" if party == "seller" else "request").exists()
            assert deal.run(party, "status").out.count("cleaned") == 0
        assert removed >= 4
        assert step > removed

    @BEGINNINGS
    def test_leaves_nothing_in_the_end(
        self,
        sale: Callable[[str], Sale],
        killed: Killed,
        stage: str,
        party: str,
        command: tuple[str, ...],
    ) -> None:
        deal = sale(stage)
        arguments = deal.arguments(party, *(text.format(root=deal.root) for text in command))
        for step in range(1, MAX_STEPS):
            if not killed(step, arguments):
                break
        assert len(list((deal.root / party / "deals").iterdir())) == 2, "the other and this"
        assert not [path for path in (deal.root / party).rglob(".*.part")]

    def test_deal_that_lost_its_state_is_not_removed(self, sale: Callable[[str], Sale]) -> None:
        """It holds the preimage that the seller is paid for."""
        deal = sale("locked")
        bad = deal.private("seller")
        (bad / "state.json").unlink()
        assert str(bad) in deal.run("seller", "status").out
        assert (bad / "preimage").exists()
