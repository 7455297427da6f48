"""Options that several commands share, and how a chain is opened."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitcoin_scripts.chain.kernel import KernelChain

DEFAULT_FEE_SAT_PER_VB = 2


def _path(path: Path) -> Path:
    try:
        path.expanduser().resolve()
    except RuntimeError:  # an unknown ~user, or (before Python 3.13) links in a circle
        raise typer.BadParameter(f"{path} leads nowhere") from None
    return path


DealFolder = Annotated[
    Path,
    typer.Option(
        "--deal", callback=_path, help="The folder of message files that both parties see."
    ),
]
SellerHome = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="ZKCMP_SELLER_HOME",
        callback=_path,
        help="The seller's private directory.",
    ),
]
BuyerHome = Annotated[
    Path,
    typer.Option(
        "--home", envvar="ZKCMP_BUYER_HOME", callback=_path, help="The buyer's private directory."
    ),
]
ChainDir = Annotated[
    Path,
    typer.Option(
        "--chain-dir",
        envvar="ZKCMP_CHAIN_DIR",
        callback=_path,
        help="Directory of the embedded regtest chain.",
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Begin although memory will probably not suffice.")
]
FeeRate = Annotated[
    int, typer.Option("--fee", min=1, max=10_000, help="Fee rate, satoshi per virtual byte.")
]

SELLER_HOME = Path("~/.zkcmp/seller")
BUYER_HOME = Path("~/.zkcmp/buyer")
CHAIN_DIR = Path("~/.zkcmp/regtest")


@contextlib.contextmanager
def open_chain(directory: Path) -> Iterator["KernelChain"]:
    """The embedded chain in `directory`, closed again afterwards."""
    from zkcmp.errors import DealError

    try:
        from bitcoin_scripts.chain.kernel import KernelChain
    except ImportError as error:
        raise DealError(
            f"the embedded chain needs py-bitcoinkernel, which is not available here: {error}"
        ) from None
    chain = KernelChain(directory.expanduser())
    try:
        yield chain
    finally:
        chain.close()
