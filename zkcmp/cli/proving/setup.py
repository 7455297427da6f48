"""`zkcmp setup`: new, contribute, verify, finalise: a key that several parties make in turn."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.terminal.console import count, progress_bars, say, typed
from zkcmp.cli.terminal.listing import Listing

if TYPE_CHECKING:
    from zkcmp.groth16.snarkjs import Ptau
    from zkcmp.r1cs import R1CS

app = typer.Typer(
    cls=Listing,
    help="Make a key together: sound if one contributor forgets its secrets. Hand the directory "
    "from one to the next; phase 1 (powers) and phase 2 (key) both need contributions.",
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The ceremony.")]
Circuit = Annotated[
    Path,
    typer.Argument(
        metavar="CIRCUIT",
        help="CIRCUIT.r1cs, or a deal folder or its offer, with --images; from a source of your "
        "own.",
    ),
]
Images = Annotated[int, typer.Option(min=0, help="With an offer: how many test images.")]
PtauFile = Annotated[
    Path | None,
    typer.Option("--ptau", metavar="FILE.ptau", help="Begin with powers of another ceremony."),
]


def _circuit(path: Path, images: int) -> "R1CS":
    if path.suffix == ".r1cs":
        from zkcmp.groth16.snarkjs import read_r1cs

        return read_r1cs(path)
    from circuits.full.statement import build
    from zkcmp.exchange.checks import check_offer
    from zkcmp.exchange.costs.proof_size import check_circuit_size
    from zkcmp.exchange.messages.contents import FILE_NAMES, read_offer
    from zkcmp.exchange.messages.envelope import Kind
    from zkcmp.exchange.method import FULL

    if not images:
        raise typer.BadParameter("an offer needs --images")
    offer = path / FILE_NAMES[Kind.OFFER] if path.is_dir() else path
    architecture = check_offer(read_offer(offer))
    check_circuit_size(architecture, images, FULL)
    return build(architecture, images).r1cs


def _ptau(path: Path | None) -> "Ptau | None":
    from zkcmp.groth16.snarkjs import Ptau

    return None if path is None else Ptau(path)


@app.command()
def new(directory: Directory, circuit: Circuit, images: Images = 0, ptau: PtauFile = None) -> None:
    """Begin a ceremony for a circuit."""
    from zkcmp.groth16.ceremony import Ceremony

    r1cs = _circuit(circuit, images)
    Ceremony.begin(directory, r1cs, _ptau(ptau))
    say(f"begun      for {r1cs.n_constraints} constraints, in {directory}")
    say(f"next       everybody in turn: `zkcmp setup contribute {typed(directory)}`")


@app.command()
def contribute(directory: Directory) -> None:
    """Check the points before us, multiply their secrets by fresh ones of ours, and forget those.

    Interrupted, it leaves nothing behind: run it again, with fresh ones. Private copies go to
    TMPDIR.
    """
    from zkcmp.groth16.ceremony import Ceremony

    ceremony = Ceremony(directory)
    phase = ceremony.phase
    with progress_bars() as progress:
        record = ceremony.contribute(progress)
    number, key = ceremony.count(phase), " KEY" if phase == "key" else ""
    say(f"contributed {phase} {number}")
    say(f"record     {record.digest.hex()}   (keep this: `verify` must show it)")
    say(f"next       the others: `zkcmp setup contribute {typed(directory)}`; then one of you")
    say(f"           `zkcmp setup finalise {typed(directory)} CIRCUIT{key}`")


@app.command()
def verify(
    directory: Directory, circuit: Circuit, images: Images = 0, ptau: PtauFile = None
) -> None:
    """Check every step of the ceremony and list the contributions."""
    from zkcmp.groth16.ceremony import Ceremony

    r1cs = _circuit(circuit, images)
    with progress_bars() as progress:
        records = Ceremony(directory).verify(r1cs, progress, _ptau(ptau))
    for phase, digests in records.items():
        for number, digest in enumerate(digests, 1):
            say(f"{phase:<10} {number}   {digest.hex()}")
    total = sum(len(digests) for digests in records.values())
    say(f"verified   {count(total, 'contribution')}; look for your own")


@app.command()
def finalise(
    directory: Directory,
    circuit: Circuit,
    key: Annotated[
        Path | None, typer.Argument(metavar="KEY", help="Written at the end of phase 2.")
    ] = None,
    images: Images = 0,
    ptau: PtauFile = None,
) -> None:
    """Verify and end the current phase: derive the circuit's key, or write the final one to KEY."""
    from zkcmp.groth16.ceremony import Ceremony

    ceremony, r1cs = Ceremony(directory), _circuit(circuit, images)
    if ceremony.phase == "powers":
        with progress_bars() as progress:
            ceremony.begin_circuit(r1cs, progress, _ptau(ptau))
        say(f"derived    the circuit's key from {ceremony.count('powers')} contributions")
        say(f"next       everybody in turn, again: `zkcmp setup contribute {typed(directory)}`")
        return
    if key is None:
        raise typer.BadParameter("name the KEY to write")
    with progress_bars() as progress:
        made = ceremony.finalise(r1cs, key, progress, _ptau(ptau))
    say(f"key        {made.digest.hex()} in {key}")
    say(f"           made by {ceremony.count('key')} contributors to its last phase")
