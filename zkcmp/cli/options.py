"""Options that several commands share, and how a chain is opened."""

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.node_options import chosen_node

if TYPE_CHECKING:
    from bitcoin_scripts.chain import Chain
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
    bool,
    typer.Option("--force", help="Begin although memory, or room on a disk, will not suffice."),
]
SpendFee = Annotated[
    int | None,
    typer.Option(
        "--fee",
        min=1,
        max=100_000,
        help="Fee rate, satoshi per virtual byte.",
        show_default="what the chain estimates",
    ),
]
AcceptHighFee = Annotated[
    bool, typer.Option("--accept-high-fee", help="A fee rate above 500 sat/vB is meant.")
]

AcceptMainnet = Annotated[
    bool,
    typer.Option(
        "--accept-unaudited-on-mainnet",
        help="We know that this is unaudited, and risk real coins.",
    ),
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
        from circuits.sampled.sampling import parse_selecting_parameter

        return Method("sampled", parse_selecting_parameter(sample))
    return Method((mode or Mode.FREIVALDS).value)


@contextlib.contextmanager
def open_chain(directory: Path) -> Iterator["Chain"]:
    """The chain that the command was given, closed again afterwards.

    That of a node, if one was named (see `node_options`), else the embedded one in `directory`.
    """
    choice = chosen_node()
    if choice is None:
        with open_embedded_chain(directory) as embedded:
            yield embedded
        return
    if directory != CHAIN_DIR:
        raise typer.BadParameter("give one of --chain-dir and --node, --node-conf")
    with choice.connect() as chain:
        yield chain


@contextlib.contextmanager
def open_embedded_chain(directory: Path) -> Iterator["KernelChain"]:
    """The embedded chain in `directory`, closed again afterwards. Refused where a node is named."""
    if chosen_node() is not None:
        raise typer.BadParameter("this is for the embedded chain; leave out --node, or ZKCMP_NODE")
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
