"""`zkcmp setup`: new, contribute, verify, finalise: a key that several parties make in turn."""

from pathlib import Path
from typing import Annotated

import typer

from zkcmp.cli.console import progress_bars, say

app = typer.Typer(
    help="Make a key together: sound if one contributor forgets its secrets. Hand the directory "
    "from one to the next; phase 1 (powers) and phase 2 (key) both need contributions."
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The ceremony.")]
Circuit = Annotated[
    Path, typer.Argument(metavar="CIRCUIT.r1cs", help="The circuit, from a source of your own.")
]


@app.command()
def new(directory: Directory, circuit: Circuit) -> None:
    """Begin a ceremony for a circuit."""
    from zkcmp.groth16.ceremony import Ceremony
    from zkcmp.groth16.snarkjs import read_r1cs

    r1cs = read_r1cs(circuit)
    Ceremony.begin(directory, r1cs)
    say(f"begun      for {r1cs.n_constraints} constraints, in {directory}")
    say(f"next       everybody in turn: `zkcmp setup contribute {directory}`")


@app.command()
def contribute(directory: Directory) -> None:
    """Multiply the secrets of the current phase by fresh ones of ours, and forget them."""
    from zkcmp.groth16.ceremony import Ceremony

    ceremony = Ceremony(directory)
    phase = ceremony.phase
    with progress_bars() as progress:
        record = ceremony.contribute(progress)
    number = ceremony.count(phase)
    say(f"contributed {phase} {number}")
    say(f"record     {record.digest.hex()}   (keep this: `verify` must show it)")


@app.command()
def verify(directory: Directory, circuit: Circuit) -> None:
    """Check every step of the ceremony and list the contributions."""
    from zkcmp.groth16.ceremony import Ceremony
    from zkcmp.groth16.snarkjs import read_r1cs

    r1cs = read_r1cs(circuit)
    with progress_bars() as progress:
        records = Ceremony(directory).verify(r1cs, progress)
    for phase, digests in records.items():
        for number, digest in enumerate(digests, 1):
            say(f"{phase:<10} {number}   {digest.hex()}")
    total = sum(len(digests) for digests in records.values())
    say(f"verified   {total} contributions; look for your own")


@app.command()
def finalise(
    directory: Directory,
    circuit: Circuit,
    key: Annotated[
        Path | None, typer.Argument(metavar="KEY", help="Written at the end of phase 2.")
    ] = None,
) -> None:
    """Verify and end the current phase: derive the circuit's key, or write the final one to KEY."""
    from zkcmp.groth16.ceremony import Ceremony
    from zkcmp.groth16.snarkjs import read_r1cs

    ceremony, r1cs = Ceremony(directory), read_r1cs(circuit)
    if ceremony.phase == "powers":
        with progress_bars() as progress:
            ceremony.begin_circuit(r1cs, progress)
        say(f"derived    the circuit's key from {ceremony.count('powers')} contributions")
        say(f"next       everybody in turn, again: `zkcmp setup contribute {directory}`")
        return
    if key is None:
        raise typer.BadParameter("name the KEY to write")
    with progress_bars() as progress:
        made = ceremony.finalise(r1cs, key, progress)
    say(f"key        {made.digest.hex()} in {key}")
    say(f"           made by {ceremony.count('key')} contributors to its last phase")
