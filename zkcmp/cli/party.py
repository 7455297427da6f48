"""What the commands of seller and buyer share: opening the private directory, and what is wrong."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zkcmp.cli import passphrase
from zkcmp.cli.terminal.compiling import announce_compiling
from zkcmp.cli.terminal.console import say

if TYPE_CHECKING:
    from zkcmp.exchange.party import Party
    from zkcmp.exchange.private.keyring import AskPassphrase

P = TypeVar("P", bound="Party[Any]")


@contextlib.contextmanager
def opened(
    kind: type[P],
    home: Path,
    ask: "AskPassphrase | None" = None,
    beside: Path | None = None,
) -> Iterator[P]:
    """The party in `home`; says what it removed of a command that was killed.

    A command that begins a deal names its folder as `beside`: no home is made that overlaps it.
    """
    announce_compiling()
    with kind.opened(home, ask or passphrase.ask, beside) as party:
        for path in party.home.remove_unfinished():
            say(f"cleaned    {path}: a command was killed before it had begun this deal;")
            say("           nothing of it was sent, and the command can be repeated")
        yield party


def say_wallets(party: "Party[Any]") -> None:
    """Where this party's coins come from and go to, on every chain that it has a deal on."""
    from zkcmp.errors import DecodeError

    names = set()
    for deal in party.deals():
        with contextlib.suppress(OSError, DecodeError):
            names.add(deal.offer().chain)
    for name in sorted(names) or ["regtest"]:
        say(f"wallet     {party.wallet_address(name)} ({name})")


def say_first_step(party: "Party[Any]", command: str) -> None:
    """What a party begins with that has no deal yet."""
    if not party.deals() and not party.damaged():
        say(f"deals      none yet; next: {command}")


def say_damaged(party: "Party[Any]") -> None:
    """A paragraph for every deal, or ledger, that cannot be read."""
    for damaged in party.damaged():
        say()
        say(f"damaged    {damaged.reason}")
        say(f"           until then {damaged.consequence}")
