"""`zkcmp seller`: seal, audit, prove, redeem, watch, withdraw, status."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.deal import answering, withdrawing
from zkcmp.cli.deal.answering import AnswerAfter
from zkcmp.cli.deal.steps import say_last_moment, seller_step
from zkcmp.cli.deal.watching import Interval, Once, keep_looking
from zkcmp.cli.deal.withdrawing import (
    Address,
    Again,
    AmountSat,
    Everything,
)
from zkcmp.cli.node_options import ChainTyper
from zkcmp.cli.options import (
    CHAIN_DIR,
    SELLER_HOME,
    AcceptHighFee,
    AcceptMainnet,
    ChainDir,
    DealFolder,
    Force,
    SellerHome,
    SpendFee,
    open_chain,
)
from zkcmp.cli.party import opened, say_damaged, say_first_step, say_wallets
from zkcmp.cli.terminal.console import count, progress_bars, say, typed

if TYPE_CHECKING:
    from zkcmp.exchange.seller import Inspected

app = ChainTyper(help="Sell a network.")


class SettlingChain(StrEnum):
    """Where a deal can be paid."""

    REGTEST = "regtest"
    SIGNET = "signet"
    TESTNET = "testnet"
    MAIN = "main"


@app.command()
def seal(
    model: Annotated[Path, typer.Argument(help="The trained network, an ONNX file.")],
    deal: DealFolder,
    price_sat: Annotated[int, typer.Option("--price-sat", min=1000, help="Price in satoshi.")],
    home: SellerHome = SELLER_HOME,
    weight_bits: Annotated[
        int | None,
        typer.Option(
            min=2, max=32, help="Width of a weight.", show_default="what the file names, else 8"
        ),
    ] = None,
    timeout_blocks: Annotated[
        int, typer.Option(min=2, max=2016, help="Blocks until the buyer may take a refund.")
    ] = 144,
    min_blocks_left: Annotated[
        int, typer.Option(min=1, max=2015, help="Redeem only with so many blocks left.")
    ] = 36,
    confirmations: Annotated[
        int, typer.Option(min=0, max=1000, help="Depth of the lock; 0 chooses by price.")
    ] = 0,
    expires_in_hours: Annotated[
        int, typer.Option(min=1, max=8760, help="How long a buyer may ask.")
    ] = 168,
    chain: Annotated[
        SettlingChain, typer.Option("--chain", help="Where the deal is paid.")
    ] = SettlingChain.REGTEST,
    accept_unaudited_on_mainnet: AcceptMainnet = False,
) -> None:
    """Encrypt the network under a fresh key and put an offer into the deal folder."""
    from zkcmp.exchange.seller import Seller, Terms
    from zkcmp.exchange.shared_places import refuse_shared
    from zkcmp.model.bounds import check_no_wrap
    from zkcmp.model.onnx import read_onnx
    from zkcmp.model.quantize import quantize

    refuse_shared(model, deal)
    network = quantize(read_onnx(model), weight_bits)
    check_no_wrap(network.architecture)  # before anything is written
    terms = Terms(
        price_sat,
        chain.value,
        timeout_blocks=timeout_blocks,
        min_blocks_left=min_blocks_left,
        confirmations=confirmations or None,
        expires_in_s=expires_in_hours * 3600,
        accept_unaudited_on_mainnet=accept_unaudited_on_mainnet,
    )
    with opened(Seller, home, beside=deal) as seller:
        offer = seller.seal(deal, network, terms)
        say(f"sealed     {offer.n_blocks} blocks, {network.architecture.n_weights} weights")
        say(f"hash-lock  {offer.commitment.hex()}")
        say(f"price      {offer.price_sat} sat on {offer.chain}")
        say(f"seller     {seller.identity.fingerprint}   (tell the buyer by another channel)")
        say(f"next       give the folder {deal} to the buyer, who runs `zkcmp buyer inspect` on it")


BuyerFingerprint = Annotated[
    str | None, typer.Option("--buyer", help="Refuse a request of any other fingerprint.")
]


class AnswerableMode(StrEnum):
    """What a request can ask for, by its first word."""

    FREIVALDS = "freivalds"
    FULL = "full"
    SAMPLED = "sampled"
    LIBRA = "libra"


AcceptedMode = Annotated[
    AnswerableMode | None, typer.Option("--mode", help="Refuse a request for any other mode.")
]


@app.command()
def inspect(deal: DealFolder, home: SellerHome = SELLER_HOME) -> None:
    """Show what the request in the deal folder asks for; nothing is bound and nothing is sent."""
    from zkcmp.exchange.seller import Seller

    with opened(Seller, home) as seller:
        inspected = seller.inspect(deal)
    _say_asked(inspected)
    say("next       compare the fingerprint, then")
    say(f"           zkcmp seller prove --deal {typed(deal)} --buyer '{inspected.buyer}'")


def _say_asked(asked: "Inspected") -> None:
    say(f"buyer      {asked.buyer}   (compare by another channel)")
    say(f"asked      at least {asked.threshold} of {asked.n_images} images right")
    say(f"mode       {asked.method.title}")


@app.command()
def audit(
    deal: DealFolder,
    home: SellerHome = SELLER_HOME,
    buyer: BuyerFingerprint = None,
    mode: AcceptedMode = None,
    force: Force = False,
) -> None:
    """Check that the buyer's key material cannot make a proof reveal the weights."""
    from zkcmp.exchange.seller import Seller

    with opened(Seller, home) as seller, progress_bars() as progress:
        seller.force = force
        audited = seller.audit(deal, buyer, progress, mode and mode.value)
    _say_asked(audited)
    if not audited.proving_key:
        say("audited    nothing is to be audited: this mode has no key material")
        say(f"next       `zkcmp seller prove --deal {typed(deal)}`")
        return
    done = "already audited" if audited.repeated else "audited"
    say(f"{done}    key {audited.proving_key.hex()}")
    say("           is one that an honest setup could have made, whoever made it")
    say(f"next       `zkcmp seller prove --deal {typed(deal)}`")


@app.command()
def prove(
    deal: DealFolder,
    home: SellerHome = SELLER_HOME,
    buyer: BuyerFingerprint = None,
    mode: AcceptedMode = None,
    force: Force = False,
    answer_after: AnswerAfter = 0,
) -> None:
    """Audit the key material, if that was not done, and answer the request, or refuse silently.

    A refusal is known sooner than a proof is made; with --answer-after, nobody can tell by that.
    """
    proved = answering.prove(deal, home, buyer, mode and mode.value, force, answer_after)
    say(f"buyer      {proved.buyer}   (compare by another channel)")
    done = "already proved" if proved.repeated else "proved"
    say(f"{done}     at least {proved.threshold} of {proved.n_images} images right")
    say(f"mode       {proved.method.title}")
    say(f"answered   {count(proved.answered, 'request')} about these weights so far, one bit each")
    say("next       give the folder to the buyer, who runs `zkcmp buyer verify` and `buyer lock`;")
    say(f"           then `zkcmp seller watch --deal {typed(deal)}` takes the coins")


@app.command()
def redeem(
    deal: DealFolder,
    home: SellerHome = SELLER_HOME,
    chain_dir: ChainDir = CHAIN_DIR,
    fee: SpendFee = None,
    accept_high_fee: AcceptHighFee = False,
) -> None:
    """Check the lock on the chain, then claim the coins, which publishes the key.

    Repeated, it sends the claim again, or one with a higher fee in its place.
    """
    from zkcmp.exchange.seller import Seller

    with opened(Seller, home) as seller, open_chain(chain_dir) as chain:
        redeemed = seller.redeem(deal, chain, fee, accept_high_fee)
    done = "already redeemed" if redeemed.repeated else "redeemed"
    say(f"{done}   transaction {redeemed.txid}, {count(redeemed.confirmations, 'confirmation')}")
    if redeemed.replaced:
        say(f"fee        raised to {redeemed.fee_sat_per_vb} sat/vB; it replaces the waiting one")
    if not redeemed.confirmations:
        left = f"before height {redeemed.timeout_height}, {redeemed.blocks_left} blocks from now"
        say(f"next       a block must confirm it {left};")
        say("           repeat this until then, or run `zkcmp seller watch`")
        say("           (on the embedded chain: `zkcmp chain mine`)")


@app.command()
def watch(
    deal: DealFolder,
    home: SellerHome = SELLER_HOME,
    chain_dir: ChainDir = CHAIN_DIR,
    fee: SpendFee = None,
    accept_high_fee: AcceptHighFee = False,
    interval: Interval = 30,
    once: Once = False,
) -> None:
    """Wait for the lock, redeem as soon as that is safe, and get the claim mined and buried.

    It may be interrupted and started again at any time. A --fee is the least to pay; it is raised
    with the chain's estimate, and when time is short.
    """
    from bitcoin_scripts.fee_rates import FeeChoice
    from zkcmp.exchange.seller import Redeemed, Seller
    from zkcmp.exchange.settlement.watched import Watched

    choice = FeeChoice(fee, accept_high_fee, at_least=True)

    def look(seller: Seller) -> Watched[Redeemed]:
        with open_chain(chain_dir) as chain:
            return seller.watch(deal, chain, choice)

    redeemed = keep_looking(Seller, home, look, interval, once)
    if redeemed is not None:
        depth = count(redeemed.confirmations, "confirmation")
        say(f"paid       transaction {redeemed.txid}, {depth}")


@app.command()
def withdraw(
    address: Address,
    home: SellerHome = SELLER_HOME,
    chain_dir: ChainDir = CHAIN_DIR,
    amount_sat: AmountSat = None,
    everything: Everything = False,
    fee: SpendFee = None,
    accept_high_fee: AcceptHighFee = False,
    again: Again = False,
) -> None:
    """Send coins of our wallet to an address of any wallet: what was redeemed.

    Repeated, it sends the same transaction again, or one with a higher fee in its place.
    """
    from zkcmp.exchange.seller import Seller

    withdrawing.withdraw(
        Seller,
        home,
        chain_dir,
        address,
        amount_sat,
        everything,
        fee_sat_per_vb=fee,
        accept_high_fee=accept_high_fee,
        again=again,
    )


@app.command()
def status(home: SellerHome = SELLER_HOME) -> None:
    """What has been done in every deal, and what comes next."""
    from zkcmp.exchange.messages.identity import fingerprint
    from zkcmp.exchange.method import Method
    from zkcmp.exchange.seller import Seller

    with opened(Seller, home) as seller:
        say(f"seller     {seller.identity.fingerprint}")
        say_wallets(seller)
        say_first_step(seller, "zkcmp seller seal MODEL --deal DIR --price-sat PRICE")
        for deal in seller.deals():
            state = deal.state
            say()
            say(f"deal       {state.deal} in {state.folder}")
            if state.buyer:
                say(f"buyer      {fingerprint(bytes.fromhex(state.buyer))}")
                say(f"mode       {Method.from_line(state.method).title}")
            answered = seller.answered(deal)
            if answered is not None:
                say(f"answered   {count(answered, 'request')} about these weights")
            say(f"step       {seller_step(deal)}")
            say_last_moment(deal)
        say_damaged(seller)
