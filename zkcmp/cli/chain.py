"""`zkcmp chain`: the embedded regtest chain, where whoever asks mines."""

from typing import Annotated

import typer

from zkcmp.cli.node_options import ChainTyper
from zkcmp.cli.options import CHAIN_DIR, ChainDir, open_chain, open_embedded_chain
from zkcmp.cli.terminal.console import say

app = ChainTyper(help="The embedded regtest chain, for trying things out.")
_ANYONE_CAN_SPEND = b"\x51"


@app.command()
def mine(
    blocks: Annotated[int, typer.Argument(min=1, max=10_000, help="How many blocks.")] = 1,
    to: Annotated[str, typer.Option(help="The regtest address that gets the new coins.")] = "",
    chain_dir: ChainDir = CHAIN_DIR,
) -> None:
    """Mine blocks, the first with every transaction that waits."""
    script = _script(to) if to else _ANYONE_CAN_SPEND
    with open_embedded_chain(chain_dir) as chain:
        chain.mine(blocks, script)
        say(f"the chain has {chain.height()} blocks")


@app.command()
def reorg(
    blocks: Annotated[int, typer.Argument(min=1, max=1_000, help="How many blocks.")],
    forget: Annotated[
        list[str] | None,
        typer.Option(metavar="TXID", help="Leave this transaction out, as if never sent."),
    ] = None,
    chain_dir: ChainDir = CHAIN_DIR,
) -> None:
    """Replace the last blocks by one more than that; their transactions wait again."""
    with open_embedded_chain(chain_dir) as chain:
        chain.reorganise(blocks, forget or ())
        say(f"the chain has {chain.height()} blocks, the last {blocks + 1} of them new")


@app.command()
def height(chain_dir: ChainDir = CHAIN_DIR) -> None:
    """How many blocks the chain has."""
    with open_chain(chain_dir) as chain:
        say(str(chain.height()))


def _script(address: str) -> bytes:
    """The output script of a regtest address, version 0."""
    from bitcoin import segwit_addr

    version, program = segwit_addr.decode("bcrt", address)
    if version != 0:
        raise typer.BadParameter(f"{address} is not a regtest address", param_hint="--to")
    return bytes([0, len(program), *program])
