"""Options that several commands share, and how a chain is opened."""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bitcoin_scripts.chain.kernel import KernelChain
    from zkcmp.exchange.method import Method

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


class Mode(StrEnum):
    """What Groth16 proves of the network's products."""

    FREIVALDS = "freivalds"
    FULL = "full"
    SAMPLED = "sampled"


class Backend(StrEnum):
    """What makes the proof."""

    GROTH16 = "groth16"
    LIBRA = "libra"


class Commitment(StrEnum):
    """What the Libra backend commits with."""

    HYRAX = "hyrax"
    ZKVPD = "zkvpd"


BackendOption = Annotated[
    Backend,
    typer.Option(
        "--backend",
        help="groth16 (a short proof, keys made by the buyer), or libra (sumchecks).",
    ),
]
CommitmentOption = Annotated[
    Commitment | None,
    typer.Option(
        "--commitment",
        help="With --backend libra: hyrax (no keys), or zkvpd (parameters made by the buyer).",
        show_default="hyrax",
    ),
]
ModeOption = Annotated[
    Mode | None,
    typer.Option(
        "--mode",
        help="Groth16: freivalds (two rounds, sound, cheap), full (every product a constraint), "
        "or the paper's sampled, which is not sound.",
        show_default="freivalds",
    ),
]
Sample = Annotated[
    str,
    typer.Option(
        "--sample", metavar="U", help="With --mode sampled: the share of constraints kept, as 3%."
    ),
]

SELLER_HOME = Path("~/.zkcmp/seller")
BUYER_HOME = Path("~/.zkcmp/buyer")
CHAIN_DIR = Path("~/.zkcmp/regtest")


def chosen_method(
    backend: Backend, commitment: Commitment | None, mode: Mode | None, sample: str
) -> "Method":
    """The method that the options name, without a seed. Raises BadParameter, ZkcmpError."""
    from zkcmp.exchange.method import Method

    if backend is Backend.LIBRA:
        if mode is not None or sample:
            raise typer.BadParameter("--mode and --sample go with --backend groth16")
        return Method("libra", commitment=(commitment or Commitment.HYRAX).value)
    if commitment is not None:
        raise typer.BadParameter("--commitment goes with --backend libra")

    if bool(sample) != (mode is Mode.SAMPLED):
        raise typer.BadParameter("--mode sampled and --sample go together")
    if mode is Mode.SAMPLED:
        from circuits.sampling import parse_selecting_parameter

        return Method("sampled", parse_selecting_parameter(sample))
    return Method((mode or Mode.FREIVALDS).value)


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
