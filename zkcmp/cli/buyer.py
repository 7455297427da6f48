"""`zkcmp buyer`: from `inspect` and `request` to `open` or `refund`, `withdraw` and `status`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.deal import funding, withdrawing
from zkcmp.cli.deal.buyer_words import say_offer, say_opened, say_refunded, say_unsound
from zkcmp.cli.deal.steps import buyer_step
from zkcmp.cli.deal.watching import Interval, Once, keep_looking
from zkcmp.cli.deal.withdrawing import (
    Address,
    Again,
    AmountSat,
    Everything,
)
from zkcmp.cli.node_options import ChainTyper
from zkcmp.cli.options import (
    BUYER_HOME,
    CHAIN_DIR,
    AcceptHighFee,
    AcceptMainnet,
    Backend,
    BackendOption,
    BuyerHome,
    ChainDir,
    CommitmentOption,
    DealFolder,
    Force,
    Mode,
    ModeOption,
    Sample,
    SpendFee,
    chosen_method,
    open_chain,
)
from zkcmp.cli.party import opened, say_damaged, say_first_step, say_wallets
from zkcmp.cli.samples import (
    Labels,
    TestSetName,
    load_samples,
    offered_architecture,
    refuse_shared_samples,
    say_repeated,
)
from zkcmp.cli.terminal.console import count, progress_bars, say, typed

if TYPE_CHECKING:
    from zkcmp.exchange.buyer import Refunded
    from zkcmp.model.network import Network

app = ChainTyper(help="Buy a network.")

NetworkOut = Annotated[
    Path, typer.Option("--out", help="Where to write the network, an ONNX file.")
]


@app.command()
def inspect(deal: DealFolder, home: BuyerHome = BUYER_HOME) -> None:
    """Show the offer in the deal folder; nothing is sent and no sample is spent."""
    from zkcmp.exchange.buyer import Buyer
    from zkcmp.exchange.messages.identity import fingerprint

    with opened(Buyer, home) as buyer:
        offer = buyer.inspect(deal)
    say_offer(offer)
    say(
        f"terms      refund after {offer.timeout_blocks} blocks, "
        f"{count(offer.confirmations, 'confirmation')}, "
        f"redeemed only with {offer.min_blocks_left} blocks left"
    )
    say("next       compare the fingerprint, then, with your samples and the share to be right:")
    say(
        f"           zkcmp buyer request --deal {typed(deal)} --test-set FILE --accuracy SHARE "
        f"--seller '{fingerprint(offer.sender)}' --price-sat {offer.price_sat}"
    )


@app.command()
def request(
    deal: DealFolder,
    test_set: TestSetName,
    home: BuyerHome = BUYER_HOME,
    accuracy: Annotated[
        str, typer.Option(help="Share that must be right, like 0.95 or 95%, as an exact decimal.")
    ] = "",
    threshold: Annotated[
        int | None, typer.Option(min=1, help="Or: how many must be right.")
    ] = None,
    images: Annotated[int, typer.Option(min=0, help="Use so many of the set; 0: all.")] = 0,
    skip: Annotated[int, typer.Option(min=0, help="Leave out so many at its start.")] = 0,
    data: Annotated[
        Path | None, typer.Option(envvar="ZKCMP_DATA", help="Where MNIST's files are.")
    ] = None,
    labels: Labels = None,
    seller: Annotated[
        str | None, typer.Option(help="Refuse an offer of any other fingerprint.")
    ] = None,
    price_sat: Annotated[
        int | None, typer.Option(min=1, help="Refuse an offer of any other price.")
    ] = None,
    max_price_sat: Annotated[
        int | None, typer.Option(min=1, help="Refuse an offer of a higher price.")
    ] = None,
    backend: BackendOption = Backend.GROTH16,
    commitment: CommitmentOption = None,
    mode: ModeOption = None,
    sample: Sample = "",
    accept_unsound_sampling: Annotated[
        bool,
        typer.Option(
            "--accept-unsound-sampling",
            help="With --mode sampled: we know that it says nothing about the accuracy.",
        ),
    ] = False,
    accept_unaudited_on_mainnet: AcceptMainnet = False,
    force: Force = False,
) -> None:
    """Accept the offer and send the seller a test set, which is spent from then on."""
    from zkcmp.exchange.buyer import Buyer
    from zkcmp.exchange.statement import parse_threshold

    if bool(accuracy) == (threshold is not None):
        raise typer.BadParameter("give one of --accuracy and --threshold")
    if mode is Mode.SAMPLED and not accept_unsound_sampling:
        raise typer.BadParameter(
            "with --mode sampled a seller with random weights passes at any threshold "
            "(docs/sampling.md); use freivalds, or say --accept-unsound-sampling"
        )
    method = chosen_method(backend, commitment, mode, sample)
    refuse_shared_samples(test_set, labels, deal)
    samples = load_samples(test_set, images, skip, data, labels, offered_architecture(deal))
    wanted = threshold or parse_threshold(accuracy, len(samples))
    with opened(Buyer, home, beside=deal) as buyer:
        buyer.force = force
        offer = buyer.request(
            deal,
            samples,
            wanted,
            seller,
            method,
            accept_unaudited_on_mainnet,
            price_sat,
            max_price_sat,
        )
        say_offer(offer)
        say(f"asked      at least {wanted} of {len(samples)} images right; these are spent now")
        say_repeated(samples)
        say(f"mode       {method.title}")
        if not method.is_sound:
            say_unsound()
        say(f"buyer      {buyer.identity.fingerprint}   (tell the seller by another channel)")
    if method.has_key_material:
        say(f"next       `zkcmp buyer setup --deal {typed(deal)}`")
    else:
        say("next       give the folder to the seller, who runs `zkcmp seller prove`;")
        say("           there are no keys to make")


@app.command()
def setup(
    deal: DealFolder,
    home: BuyerHome = BUYER_HOME,
    force: Force = False,
    ceremony: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Take the key of this ceremony, see `zkcmp setup`."),
    ] = None,
    record: Annotated[
        list[str] | None,
        typer.Option(metavar="DIGEST", help="With --ceremony: our own records, one of each phase."),
    ] = None,
) -> None:
    """Make the keys of the proof system and send the seller the proving key."""
    from zkcmp.exchange.buyer import Buyer

    try:
        ours = [bytes.fromhex(text) for text in record or []]
    except ValueError:
        raise typer.BadParameter("a --record is what `zkcmp setup contribute` printed") from None
    if ours and ceremony is None:
        raise typer.BadParameter("--record goes with --ceremony")
    with opened(Buyer, home) as buyer, progress_bars() as progress:
        buyer.force = force
        method = buyer.method(deal)
        size_bytes = buyer.setup(deal, progress, ceremony, ours)
    if not method.has_key_material:
        say(f"key        nothing is to be done: mode {method.title} needs no key material")
        say("next       give the folder to the seller, who runs `zkcmp seller prove`")
        return
    if not size_bytes:
        say("key        nothing is to be done: the seller has answered, and its proof is verified")
        say("next       what `zkcmp buyer status` says")
        return
    whose = "made and trusted by us alone" if ceremony is None else "which we contributed to"
    say(f"key        {size_bytes / 1e6:.1f} MB of key material, {whose}")
    say("next       give the folder to the seller, who runs `zkcmp seller prove`")


@app.command()
def verify(deal: DealFolder, home: BuyerHome = BUYER_HOME, force: Force = False) -> None:
    """Check ciphertext and proof against the offer and the request."""
    from zkcmp.exchange.buyer import Buyer

    with opened(Buyer, home) as buyer:
        buyer.force = force
        verified = buyer.verify(deal)
    commitment = verified.offer.commitment.hex()
    images = f"{verified.threshold} of {verified.n_images} images"
    if verified.method.is_sound:
        say(f"verified   the sealed network gets at least {images} right,")
        say(f"           and the key that opens it is the preimage of {commitment}")
    else:
        say(f"verified   the key that opens the seal is the preimage of {commitment};")
        say(f"           that the network gets {images} right is claimed, and NOT proved")
        say_unsound()
    say(f"mode       {verified.method.title}")
    say(f"soundness  {verified.soundness}")
    say(f"next       `zkcmp buyer lock --deal {typed(deal)}`")


@app.command()
def export(
    deal: DealFolder,
    out: Annotated[Path, typer.Option(help="A directory that only you enter; made if needed.")],
    home: BuyerHome = BUYER_HOME,
) -> None:
    """Write what `verify` verified, and the lock, for a verifier of your own.

    The ciphertext is among it: whoever has that has the network once the key is on the chain.
    """
    from zkcmp.exchange.buyer import Buyer

    with opened(Buyer, home) as buyer:
        names, method = buyer.export_files(deal, out), buyer.method(deal)
    say(f"written    {', '.join(names)} in {out}")
    if method.backend == "libra":
        say("check      nothing but this program verifies proofs of libra yet")
        return
    say("check      with the project's experiments/verify_standalone.py, which shares no code with")
    say(f"           this program: python verify_standalone.py {typed(out)} --seller FINGERPRINT")


@app.command()
def lock(
    deal: DealFolder,
    home: BuyerHome = BUYER_HOME,
    chain_dir: ChainDir = CHAIN_DIR,
    fee: SpendFee = None,
    accept_high_fee: AcceptHighFee = False,
    psbt_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the lock as a PSBT, for another wallet to sign."),
    ] = None,
    source: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="ADDRESS",
            help="With --psbt-out: take the coins of this address, not of the node's wallet.",
        ),
    ] = "",
    psbt_in: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Send the lock that --psbt-out wrote, signed by now."),
    ] = None,
    external: Annotated[
        bool,
        typer.Option("--external", help="Show what any wallet is to pay; repeated, look for it."),
    ] = False,
    abandon: Annotated[
        bool,
        typer.Option(
            "--abandon",
            help="We know that nothing was or will be paid in the way of funding that was begun "
            "before.",
        ),
    ] = False,
) -> None:
    """Lock the price so that only the key, or the timeout, releases it.

    From our own wallet; with --wallet from a node's; or in the other ways below.
    """
    from zkcmp.exchange.buyer import Buyer, Drafted, Locked, Payable

    ways = [psbt_out is not None, psbt_in is not None, external]
    if sum(ways) > 1:
        raise typer.BadParameter("give one of --psbt-out, --psbt-in and --external")
    if source and psbt_out is None:
        raise typer.BadParameter("--from goes with --psbt-out")
    if abandon and psbt_in is not None:
        raise typer.BadParameter("--psbt-in goes on with what was begun; leave out --abandon")
    signed = None if psbt_in is None else funding.read_signed(psbt_in)
    with opened(Buyer, home) as buyer, open_chain(chain_dir) as chain:
        rate = funding.lock_rate(chain, fee, accept_high_fee)
        done: Locked | Drafted | Payable
        if psbt_out is not None:
            done = funding.write_psbt(buyer, deal, chain, psbt_out, source, rate, abandon)
        elif signed is not None:
            done = buyer.lock_signed(deal, chain, signed)
        elif external:
            done = buyer.ask_payment(deal, chain, abandon)
        elif getattr(chain, "wallet", ""):
            done = buyer.lock_from_node(deal, funding.wallet_of(chain), rate, abandon)
        else:
            done = buyer.lock(deal, chain, rate, abandon)
        height = chain.height()
    if isinstance(done, Locked):
        funding.say_locked(done, deal)
    elif isinstance(done, Drafted) and psbt_out is not None:
        funding.say_drafted(done, psbt_out, height)
    elif isinstance(done, Payable):
        funding.say_payable(done)


@app.command("open")
def open_(
    deal: DealFolder,
    out: NetworkOut,
    home: BuyerHome = BUYER_HOME,
    chain_dir: ChainDir = CHAIN_DIR,
) -> None:
    """Read the key off the chain, open the seal and write the network."""
    from zkcmp.exchange.buyer import Buyer

    with opened(Buyer, home) as buyer, open_chain(chain_dir) as chain:
        network = buyer.open(deal, chain, out)
        sure = buyer.surely_labelled(deal, network)
    say_opened(network, out, *sure)


@app.command()
def refund(
    deal: DealFolder,
    home: BuyerHome = BUYER_HOME,
    chain_dir: ChainDir = CHAIN_DIR,
    fee: SpendFee = None,
    accept_high_fee: AcceptHighFee = False,
) -> None:
    """Take the coins back after the timeout.

    Repeated, it sends the refund again, or one with a higher fee in its place.
    """
    from zkcmp.exchange.buyer import Buyer

    with opened(Buyer, home) as buyer, open_chain(chain_dir) as chain:
        refunded = buyer.refund(deal, chain, fee, accept_high_fee)
    say_refunded(refunded)


@app.command()
def watch(
    deal: DealFolder,
    out: NetworkOut,
    home: BuyerHome = BUYER_HOME,
    chain_dir: ChainDir = CHAIN_DIR,
    no_refund: Annotated[
        bool, typer.Option("--no-refund", help="Do not take the coins back after the timeout.")
    ] = False,
    fee: SpendFee = None,
    accept_high_fee: AcceptHighFee = False,
    interval: Interval = 30,
    once: Once = False,
) -> None:
    """Wait for the key, open the seal as soon as it is out, or take the refund after the timeout.

    It may be interrupted and started again at any time. A --fee is the least to pay; it is raised
    with the chain's estimate, and when time is short.
    """
    from bitcoin_scripts.fee_rates import FeeChoice
    from zkcmp.exchange.buyer import Buyer, Refunded
    from zkcmp.exchange.settlement.watched import Watched

    choice = FeeChoice(fee, accept_high_fee, at_least=True)
    sure = (0, 0)

    def look(buyer: Buyer) -> "Watched[Network | Refunded]":
        nonlocal sure
        with open_chain(chain_dir) as chain:
            watched = buyer.watch(deal, chain, out, not no_refund, choice)
        if watched.result is not None and not isinstance(watched.result, Refunded):
            sure = buyer.surely_labelled(deal, watched.result)
        return watched

    result = keep_looking(Buyer, home, look, interval, once)
    if isinstance(result, Refunded):
        say_refunded(result)
    elif result is not None:
        say_opened(result, out, *sure)


@app.command()
def withdraw(
    address: Address,
    home: BuyerHome = BUYER_HOME,
    chain_dir: ChainDir = CHAIN_DIR,
    amount_sat: AmountSat = None,
    everything: Everything = False,
    fee: SpendFee = None,
    accept_high_fee: AcceptHighFee = False,
    again: Again = False,
) -> None:
    """Send coins of our wallet to an address of any wallet: refunded, or never locked.

    Repeated, it sends the same transaction again, or one with a higher fee in its place.
    """
    from zkcmp.exchange.buyer import Buyer

    withdrawing.withdraw(
        Buyer,
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
def status(home: BuyerHome = BUYER_HOME) -> None:
    """What has been done in every deal, and what comes next."""
    from zkcmp.exchange.buyer import Buyer
    from zkcmp.exchange.messages.identity import fingerprint
    from zkcmp.exchange.method import Method

    with opened(Buyer, home) as buyer:
        say(f"buyer      {buyer.identity.fingerprint}")
        say_wallets(buyer)
        say_first_step(buyer, "zkcmp buyer inspect --deal DIR, where an offer is")
        for deal in buyer.deals():
            say()
            say(f"deal       {deal.state.deal} in {deal.state.folder}")
            say(f"seller     {fingerprint(bytes.fromhex(deal.state.seller))}")
            say(f"mode       {Method.from_line(deal.state.method).title}")
            say(f"step       {buyer_step(deal)}")
        say_damaged(buyer)
