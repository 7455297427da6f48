"""Options and words of `zkcmp seller withdraw` and `zkcmp buyer withdraw`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zkcmp.cli.options import open_chain
from zkcmp.cli.party import opened
from zkcmp.cli.terminal.console import count, say

if TYPE_CHECKING:
    from zkcmp.exchange.settlement.withdrawing import WithdrawingParty, Withdrawn

Address = Annotated[str, typer.Argument(help="Where to, an address on the chain of the deals.")]
AmountSat = Annotated[
    int | None,
    typer.Option(
        "--amount-sat", min=1, help="So many satoshi arrive; the rest stays.", show_default="all"
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="All coins, less the fee; the default.")]
Again = Annotated[
    bool,
    typer.Option(
        "--again",
        help="This is another withdrawal than an equal one before, and may spend coins of any that "
        "the chain does not have.",
    ),
]


def withdraw(
    kind: "type[WithdrawingParty[Any]]",
    home: Path,
    chain_dir: Path,
    address: str,
    amount_sat: int | None,
    everything: bool,
    **choices: Any,
) -> None:
    """Withdraw and say so; choices: the rest that a party's `withdraw` takes."""
    if everything and amount_sat is not None:
        raise typer.BadParameter("give one of --amount-sat and --all")
    with opened(kind, home) as party, open_chain(chain_dir) as chain:
        done = party.withdraw(chain, address, amount_sat, **choices)
    _say_withdrawn(done)


def _say_withdrawn(done: "Withdrawn") -> None:
    word = "already withdrawn" if done.repeated and not done.replaced else "withdrawn"
    say(f"{word:<10} {done.sent_sat} sat, transaction {done.txid}")
    raised = "raised to " if done.replaced else ""
    say(f"fee        {raised}{done.fee_sat} sat, {done.fee_sat_per_vb} sat/vB")
    say(f"depth      {count(done.confirmations, 'confirmation')}")
    say(f"left       {done.left_sat} sat to be spent; change counts once it is mined")
    if done.kept_sat:
        say(f"kept       {done.kept_sat} sat, which locks depend on until their timeout")
    if not done.confirmations:
        say("next       repeat this to send it again, or with a higher --fee to replace it")
