"""The options that put a bitcoind in the place of the embedded chain.

`ChainTyper` adds them to every command that has a `chain_dir`; the command itself knows nothing of
them, and `options.open_chain` asks `chosen_node` which chain to open.
"""

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from zkcmp.cli.terminal.listing import Listing
from zkcmp.cli.terminal.reading import tell_blocks_read

if TYPE_CHECKING:
    from bitcoin_scripts.chain.rpc import RpcChain

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class NodeChoice:
    """Which node the command at hand is to use; the fields are the options."""

    node: Annotated[
        str,
        typer.Option(
            "--node",
            envvar="ZKCMP_NODE",
            metavar="URL",
            help="Use the bitcoind at this URL, http://host:port, not the embedded chain.",
            show_default=False,
        ),
    ] = field(default="", repr=False)  # it can have a password in it
    node_cookie: Annotated[
        Path | None,
        typer.Option(
            "--node-cookie",
            envvar="ZKCMP_NODE_COOKIE",
            metavar="FILE",
            help="The cookie file of that bitcoind.",
        ),
    ] = None
    node_conf: Annotated[
        Path | None,
        typer.Option(
            "--node-conf",
            envvar="ZKCMP_NODE_CONF",
            metavar="FILE",
            help="The bitcoin.conf of a bitcoind, or its data directory; tells where it is, too.",
        ),
    ] = None
    wallet: Annotated[
        str,
        typer.Option(
            "--wallet", metavar="NAME", help="A wallet of that bitcoind.", show_default=False
        ),
    ] = ""
    accept_unaudited_on_mainnet: Annotated[
        bool,
        typer.Option(
            "--accept-unaudited-on-mainnet",
            help="We know that this is unaudited, and risk real coins.",
        ),
    ] = False

    @property
    def is_node(self) -> bool:
        return bool(self.node or self.node_conf)

    def connect(self) -> "RpcChain":
        """The chain of that node. Raises SettlementError."""
        from bitcoin_scripts.chain.rpc import RpcChain

        try:
            cookie = self.node_cookie and self.node_cookie.expanduser()
            conf = self.node_conf and self.node_conf.expanduser()
        except RuntimeError:  # an unknown ~user
            raise typer.BadParameter("--node-cookie or --node-conf leads nowhere") from None
        return RpcChain.connect(
            self.node,
            cookie=cookie,
            conf=conf,
            wallet=self.wallet,
            accept_unaudited_on_mainnet=self.accept_unaudited_on_mainnet,
            reading=tell_blocks_read,
        )


_chosen: ContextVar[NodeChoice | None] = ContextVar("node", default=None)


def chosen_node() -> NodeChoice | None:
    """The node that the running command was given; None for the embedded chain."""
    return _chosen.get()


class ChainTyper(typer.Typer):
    """A Typer whose commands with a `chain_dir` take the options of a node as well."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(cls=Listing, **settings)

    def command(self, *arguments: Any, **settings: Any) -> Callable[[F], F]:
        """As Typer's."""
        register = super().command(*arguments, **settings)

        def decorate(function: F) -> F:
            has_chain = "chain_dir" in inspect.signature(function).parameters
            register(_with_node_options(function) if has_chain else function)
            return function

        return decorate


def _with_node_options(function: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(function)
    own = signature.parameters
    node_options = inspect.signature(NodeChoice).parameters

    @functools.wraps(function)
    def command(**values: Any) -> Any:
        choice = NodeChoice(**{option.name: values[option.name] for option in fields(NodeChoice)})
        if not choice.is_node and (choice.node_cookie or choice.wallet):
            raise typer.BadParameter("--node-cookie and --wallet go with --node or --node-conf")
        token = _chosen.set(choice if choice.is_node else None)
        try:
            return function(**{name: value for name, value in values.items() if name in own})
        finally:
            _chosen.reset(token)

    added = [p for name, p in node_options.items() if name not in own]
    keyword_only = [p.replace(kind=p.KEYWORD_ONLY) for p in (*own.values(), *added)]
    command.__signature__ = signature.replace(parameters=keyword_only)  # type: ignore[attr-defined]
    return command
