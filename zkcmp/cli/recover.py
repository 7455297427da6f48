"""`zkcmp seller|buyer rescue`, and `zkcmp recover`: a deal that goes on on another machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zkcmp.cli import buyer as buyer_commands
from zkcmp.cli import passphrase
from zkcmp.cli import seller as seller_commands
from zkcmp.cli.options import (
    BUYER_HOME,
    CHAIN_DIR,
    SELLER_HOME,
    AcceptHighFee,
    BuyerHome,
    ChainDir,
    DealFolder,
    SellerHome,
    SpendFee,
    open_chain,
)
from zkcmp.cli.party import opened
from zkcmp.cli.terminal.console import say

if TYPE_CHECKING:
    from zkcmp.exchange.party import Party

RescueOut = Annotated[Path, typer.Option("--out", help="Where to write the rescue file.")]
Encrypt = Annotated[
    bool,
    typer.Option(
        "--encrypt", help="Ask for a passphrase of the file; needless where the directory has one."
    ),
]


def seller_rescue(
    deal: DealFolder,
    out: RescueOut,
    home: SellerHome = SELLER_HOME,
    encrypt: Encrypt = False,
    new_file: passphrase.NewFile = None,
) -> None:
    """Write one file with which `zkcmp recover` claims the coins from another machine."""
    from zkcmp.exchange.seller import Seller

    _rescue(Seller, deal, out, home, encrypt, new_file)


def buyer_rescue(
    deal: DealFolder,
    out: RescueOut,
    home: BuyerHome = BUYER_HOME,
    encrypt: Encrypt = False,
    new_file: passphrase.NewFile = None,
) -> None:
    """Write one file with which `zkcmp recover` opens or refunds from another machine."""
    from zkcmp.exchange.buyer import Buyer

    _rescue(Buyer, deal, out, home, encrypt, new_file)


def _rescue(
    kind: "type[Party[Any]]",
    folder: Path,
    out: Path,
    home: Path,
    encrypt: bool,
    new_file: Path | None,
) -> None:
    from zkcmp.errors import DealError
    from zkcmp.exchange import rescue
    from zkcmp.exchange.messages.contents import FILE_NAMES
    from zkcmp.exchange.messages.envelope import Kind
    from zkcmp.exchange.private import rescue_file
    from zkcmp.exchange.private.keyring import Keyring
    from zkcmp.exchange.private.store import write_atomic

    with opened(kind, home) as party:
        deal = party.need(folder)
        party.check_unshared(out, folder)
        if out.exists() and not rescue_file.is_one(out):
            raise DealError(f"{out} exists and is something else; choose another --out")
        keyring = party.files.writing
        if keyring is None and (encrypt or new_file is not None):
            keyring = Keyring.new(passphrase.new_passphrase(new_file, str(out)))
        data = rescue.encode(party, deal, keyring)
        write_atomic(out, data)
        say(f"written    {out}, {len(data)} bytes; `zkcmp recover` goes on from it")
        if keyring is None:
            say("caution    whoever reads it can spend and open what it is for: no passphrase")
        if rescue.lacks_delivery(deal):
            name = FILE_NAMES[Kind.DELIVERY]
            say(f"caution    it is without {name}, which is large: keep that beside it, for")
            say("           `zkcmp recover --deal`; a refund does not need it")


def _leading_somewhere(path: Path | None) -> Path | None:
    if path is not None:
        try:
            path.expanduser().resolve()
        except RuntimeError:  # an unknown ~user, or (before Python 3.13) links in a circle
            raise typer.BadParameter(f"{path} leads nowhere") from None
    return path


def recover(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A rescue file.")],
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            callback=_leading_somewhere,
            help="A private directory for it.",
            show_default="~/.zkcmp/seller, or buyer",
        ),
    ] = None,
    deal: Annotated[
        Path | None,
        typer.Option(
            "--deal", callback=_leading_somewhere, help="The deal folder, where it is now."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to write a bought network, an ONNX file.")
    ] = None,
    chain_dir: ChainDir = CHAIN_DIR,
    fee: SpendFee = None,
    accept_high_fee: AcceptHighFee = False,
) -> None:
    """Go on with a deal from its rescue file alone: claim; or open, else refund.

    Repeated, it sends the claim or refund again, or one with a higher fee in its place.
    """
    from bitcoin_scripts.fee_rates import FeeChoice
    from zkcmp.exchange import rescue

    FeeChoice(fee, accept_high_fee)  # refuses before anything is written
    asked: list[str] = []

    def ask(what: str) -> str:
        asked.append(passphrase.ask(what))
        return asked[-1]

    found = rescue.read(file, ask)
    place = home or (SELLER_HOME if found.seller else BUYER_HOME)
    folder = rescue.restore(found, place, deal, ask)
    say(f"recovered  deal {found.deal.hex()} in {place}")
    with passphrase.remembered(asked[-1] if asked else None):
        if found.seller:
            seller_commands.redeem(folder, place, chain_dir, fee, accept_high_fee)
        else:
            _recover_bought(place, folder, out, chain_dir, fee, accept_high_fee)


def _recover_bought(
    home: Path,
    folder: Path,
    out: Path | None,
    chain_dir: Path,
    fee: int | None,
    accept_high_fee: bool,
) -> None:
    """Open the network if its key is out, else refund, by the ordinary commands."""
    from zkcmp.errors import DealError
    from zkcmp.exchange.buyer import Buyer, known_key, verifying
    from zkcmp.exchange.buyer.funding import lost_locks

    with opened(Buyer, home) as buyer, open_chain(chain_dir) as chain:
        deal = buyer.need(folder)
        verifying.take_again(buyer, deal)
        for lock in lost_locks.find_lost_locks(buyer, deal, chain):
            say(f"found      the lock {lock.txid}, which was signed after the file was written")
        key_is_out = known_key.search(deal, chain) is not None
    if not key_is_out:
        buyer_commands.refund(folder, home, chain_dir, fee, accept_high_fee)
    elif out is None:
        raise DealError("the key is out: repeat this with --out, where to write the network")
    else:
        say("caution    a rescue file is without the test set: whether the ONNX file, which")
        say("           computes in doubles, labels it as was proved is not looked at")
        buyer_commands.open_(deal=folder, out=out, home=home, chain_dir=chain_dir)
