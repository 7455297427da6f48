"""`zkcmp groth16`: setup, audit, prove, verify, export, import, in snarkjs's order of arguments.

A key whose name ends in .zkey is snarkjs's, any other is ours.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.options import BUYER_HOME, BuyerHome, DealFolder, Force
from zkcmp.cli.party import opened
from zkcmp.cli.terminal.compiling import announce_compiling
from zkcmp.cli.terminal.console import progress_bars, say
from zkcmp.cli.terminal.listing import Listing

if TYPE_CHECKING:
    from zkcmp.groth16.keys import VerifyingKey

app = typer.Typer(
    cls=Listing,
    help="Groth16 over BN254 with the files of circom and snarkjs. Where snarkjs has a command of "
    "the same name, the arguments come in the same order.",
)
export = typer.Typer(cls=Listing, help="Write keys and proofs of ours in snarkjs's formats.")
import_ = typer.Typer(cls=Listing, help="Take snarkjs's keys in as ours.")
app.add_typer(export, name="export")
app.add_typer(import_, name="import")

Circuit = Annotated[Path, typer.Argument(metavar="CIRCUIT.r1cs", help="A circuit, as of circom.")]
Key = Annotated[
    Path, typer.Argument(metavar="KEY", help="KEY.zkey of snarkjs's, or a key of ours.")
]
OurKey = Annotated[Path, typer.Argument(metavar="KEY", help="A key of ours.")]
Zkey = Annotated[Path, typer.Argument(metavar="KEY.zkey", help="A key of snarkjs's.")]


def _is_zkey(path: Path) -> bool:
    return path.suffix == ".zkey"


@app.command()
def setup(circuit: Circuit, key: Key, force: Force = False) -> None:
    """Make a fresh key for a circuit. Whoever runs this could forge proofs under it."""
    from zkcmp.disk import require_room
    from zkcmp.errors import ZkcmpError
    from zkcmp.groth16 import setup as make_key
    from zkcmp.groth16.estimate import CircuitSize, key_bytes, setup_memory_bytes, zkey_bytes
    from zkcmp.groth16.snarkjs import read_r1cs, setup_zkey
    from zkcmp.machine import require_memory

    r1cs = read_r1cs(circuit)
    size = CircuitSize.of(r1cs)
    require_memory(setup_memory_bytes(size), "setup", force, "use a smaller circuit,")
    require_room(key, zkey_bytes(size) if _is_zkey(key) else key_bytes(size), "setup", force)
    with progress_bars() as progress:
        try:
            if _is_zkey(key):
                setup_zkey(r1cs, key, progress)
            else:
                make_key(r1cs, key, progress)
        except ValueError as error:
            raise ZkcmpError(f"{error}; use a smaller circuit") from None
    say(f"circuit    {r1cs.n_constraints} constraints, {r1cs.n_public} public inputs")
    say(f"key        {key.stat().st_size / 1e6:.1f} MB, made by us alone")


@app.command()
def audit(key: OurKey, circuit: Circuit) -> None:
    """Check that a key made by somebody else cannot make proofs reveal the witness.

    CIRCUIT.r1cs must come from a source of your own. Copy the key to where nobody else can write
    before you audit it, and prove with that copy. An audit does not tell who could forge proofs.
    """
    from zkcmp.errors import ZkcmpError
    from zkcmp.groth16 import ProvingKey
    from zkcmp.groth16.audit import audit as audit_key
    from zkcmp.groth16.snarkjs import read_r1cs

    if _is_zkey(key):
        raise ZkcmpError(
            f"{key} cannot be audited: a .zkey is without the powers of tau; ask for the key that "
            "`zkcmp groth16 setup` or `zkcmp setup` writes, audit it and export it"
        )
    r1cs, proving_key = read_r1cs(circuit), ProvingKey.open(key)
    with progress_bars() as progress:
        audit_key(proving_key, r1cs, progress)
    say(f"circuit    {r1cs.n_constraints} constraints, {r1cs.n_public} public inputs")
    say(f"audited    key {proving_key.digest.hex()}")
    say("           under this key, no proof for this circuit reveals the witness")


@app.command()
def prove(
    key: Key,
    witness: Annotated[
        Path, typer.Argument(metavar="WITNESS.wtns", help="The witness, as circom computes it.")
    ],
    proof: Annotated[Path, typer.Argument(metavar="PROOF.json", help="Written.")],
    public: Annotated[Path, typer.Argument(metavar="PUBLIC.json", help="Written.")],
    circuit: Annotated[
        Path | None,
        typer.Option(
            metavar="CIRCUIT.r1cs",
            help="A key of ours needs it; with a .zkey, it names the constraint that a false "
            "witness breaks.",
        ),
    ] = None,
) -> None:
    """Prove that we know a witness, and write the proof and the public inputs.

    With a key that somebody else made, the proof can give the witness away unless the key was
    audited first, by `zkcmp groth16 audit`.
    """
    from zkcmp.groth16 import ProvingKey
    from zkcmp.groth16 import prove as make_proof
    from zkcmp.groth16.snarkjs import (
        ZKey,
        prove_with_zkey,
        read_r1cs,
        read_wtns,
        write_proof,
        write_public,
    )

    values = read_wtns(witness)
    r1cs = None if circuit is None else read_r1cs(circuit)
    with progress_bars() as progress:
        if _is_zkey(key):
            zkey = ZKey(key)
            if r1cs is not None:
                r1cs.check(values)
            made, n_public = prove_with_zkey(zkey, values, progress), zkey.n_public
        elif r1cs is None:
            raise typer.BadParameter("a key of ours needs --circuit")
        else:
            made, n_public = make_proof(ProvingKey.open(key), r1cs, values, progress), r1cs.n_public
    write_proof(proof, made)
    write_public(public, values.slice(1, n_public + 1))
    say(f"proved     {proof}, for the {n_public} public inputs in {public}")


@app.command()
def verify(
    verification_key: Annotated[
        Path,
        typer.Argument(
            metavar="VERIFICATION_KEY.json",
            help="From a source of your own: `zkcmp groth16 export verificationkey` writes it.",
        ),
    ],
    files: Annotated[
        list[Path],
        typer.Argument(metavar="PUBLIC.json PROOF.json", help="Several pairs are checked at once."),
    ],
) -> None:
    """Check proofs under one key."""
    from zkcmp.groth16 import verify_batch
    from zkcmp.groth16.snarkjs import read_proof, read_public, read_verification_key

    if len(files) % 2:
        raise typer.BadParameter("give PUBLIC.json and PROOF.json in pairs")
    announce_compiling()
    key = read_verification_key(verification_key)
    pairs = zip(files[::2], files[1::2], strict=True)
    verify_batch(key, [(read_public(public), read_proof(proof)) for public, proof in pairs])
    say(f"verified   {len(files) // 2} of {len(files) // 2}")


@export.command("verificationkey")
def export_verification_key(
    key: Key,
    verification_key: Annotated[
        Path, typer.Argument(metavar="VERIFICATION_KEY.json", help="Written.")
    ],
) -> None:
    """Write the verification key of a proving key."""
    from zkcmp.groth16.snarkjs import write_verification_key

    write_verification_key(verification_key, _verifying_key(key))
    say(f"written    {verification_key}")


@export.command("zkey")
def export_key(key: OurKey, circuit: Circuit, zkey: Zkey) -> None:
    """Write a key of ours, made from CIRCUIT.r1cs, as a .zkey."""
    from zkcmp.groth16 import ProvingKey
    from zkcmp.groth16.snarkjs import export_zkey, read_r1cs

    r1cs = read_r1cs(circuit)
    with progress_bars() as progress:
        export_zkey(ProvingKey.open(key), r1cs, zkey, progress)
    say(f"written    {zkey}")


@export.command("deal")
def export_deal(
    deal: DealFolder,
    out: Annotated[Path, typer.Option(help="A directory for the files.")],
    home: BuyerHome = BUYER_HOME,
) -> None:
    """Write what `zkcmp buyer verify` verified for `snarkjs groth16 verify`, and the circuit."""
    from zkcmp.exchange.buyer import Buyer

    with opened(Buyer, home) as buyer:
        buyer.export(deal, out)
    say(f"written    verification_key.json, public.json, proof.json, circuit.r1cs in {out}")
    say("check      snarkjs groth16 verify verification_key.json public.json proof.json")


@import_.command("zkey")
def import_key(
    circuit: Circuit,
    zkey: Zkey,
    key: Annotated[Path, typer.Argument(metavar="KEY", help="Written: a key of ours.")],
) -> None:
    """Write a .zkey of CIRCUIT.r1cs as a key of ours, every point checked."""
    from zkcmp.groth16.snarkjs import ZKey, import_zkey, read_r1cs

    r1cs = read_r1cs(circuit)
    with progress_bars() as progress:
        import_zkey(ZKey(zkey), r1cs, key, progress)
    say(f"written    {key}")


def _verifying_key(path: Path) -> "VerifyingKey":
    from zkcmp.groth16 import ProvingKey
    from zkcmp.groth16.snarkjs import ZKey

    return ZKey(path).verifying_key if _is_zkey(path) else ProvingKey.open(path).verifying_key
