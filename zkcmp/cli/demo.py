"""`zkcmp demo`: a whole sale on this machine, and how three dishonest acts end.

Both parties have their own private directory and share only the deal folder and an embedded
regtest chain. Everything is done by the same code as the two-party commands.
"""

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.options import (
    DEFAULT_FEE_SAT_PER_VB,
    Backend,
    BackendOption,
    CommitmentOption,
    Mode,
    chosen_method,
    open_embedded_chain,
)
from zkcmp.cli.terminal.console import progress_bars, say

if TYPE_CHECKING:
    from bitcoin_scripts.chain.kernel import KernelChain
    from zkcmp.exchange.buyer import Buyer
    from zkcmp.exchange.method import Method
    from zkcmp.exchange.seller import Seller
    from zkcmp.model.dataset import TestSet
    from zkcmp.model.network import Network

PRICE_SAT = 250_000
ACCURACY = "0.8"
_FUNDING_BLOCKS = 101  # a mined coin can be spent 100 blocks later


class SoundMode(StrEnum):
    """What the demo can sell by: modes that show the accuracy."""

    FREIVALDS = "freivalds"
    FULL = "full"


@dataclass
class Stage:
    """The two parties, what lies between them, how they prove, and the step number."""

    method: "Method"
    folder: Path
    deal: Path
    seller: "Seller"
    buyer: "Buyer"
    chain: "KernelChain"
    step: int = field(default=0)

    @contextlib.contextmanager
    def act(self, title: str) -> Iterator[None]:
        self.step += 1
        say()
        say(f"{self.step}. {title}")
        started = time.monotonic()
        yield
        say(f"   ({time.monotonic() - started:.1f} s)")


def demo(
    images: Annotated[
        int, typer.Option(min=1, max=360, help="How many test images the proof is about.")
    ] = 10,
    keep: Annotated[
        Path | None, typer.Option(help="Work in this new directory and leave it there.")
    ] = None,
    backend: BackendOption = Backend.GROTH16,
    commitment: CommitmentOption = None,
    mode: Annotated[
        SoundMode | None,
        typer.Option(
            "--mode",
            help="Groth16: freivalds (two rounds), or full (every product a constraint).",
            show_default="freivalds",
        ),
    ] = None,
) -> None:
    """Sell a small digits network from one folder to another, on an embedded regtest chain."""
    from zkcmp.errors import DealError
    from zkcmp.model.data_files import digits_onnx, load_digits_test
    from zkcmp.model.onnx import read_onnx
    from zkcmp.model.quantize import quantize

    method = chosen_method(backend, commitment, None if mode is None else Mode(mode.value), "")
    if keep is not None and keep.exists():
        raise DealError(f"{keep} exists; name a directory that does not, or remove it")
    network = quantize(read_onnx(digits_onnx()))
    test_set = load_digits_test().take(slice(0, images))
    say("zkcmp demo: a network that reads handwritten digits is sold for bitcoin on regtest.")
    say("Experimental software: do not use it with money.")
    say("On the first run, kernels are compiled, which takes a minute or two.")
    with contextlib.ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zkcmp-demo-")))
        else:
            folder = keep.absolute()
            folder.mkdir(mode=0o700, parents=True)
        _sell(_stage(stack, folder, method), network, test_set)
    say()
    say("The buyer has the network, the seller has the coins, and neither had to trust the other.")
    say("Next: docs/tutorial-seller.md and docs/tutorial-buyer.md, with a network of your own.")
    if keep is not None:
        say(f"Everything is in {folder}.")


def _stage(stack: contextlib.ExitStack, folder: Path, method: "Method") -> Stage:
    from zkcmp.exchange.buyer import Buyer
    from zkcmp.exchange.seller import Seller

    return Stage(
        method,
        folder,
        folder / "deal",
        stack.enter_context(Seller.opened(folder / "seller")),
        stack.enter_context(Buyer.opened(folder / "buyer")),
        stack.enter_context(open_embedded_chain(folder / "chain")),
    )


def _sell(stage: Stage, network: "Network", test_set: "TestSet") -> None:
    _seal(stage, network)
    _request(stage, test_set)
    _setup(stage)
    _wrong_model(stage)
    _prove(stage)
    _forged_delivery(stage)
    _verify(stage)
    _lock(stage)
    _early_refund(stage)
    _redeem(stage)
    _open(stage, network)


def _seal(stage: Stage, network: "Network") -> None:
    from zkcmp.exchange.seller import Terms

    with stage.act("The seller seals the network under a fresh key and publishes an offer"):
        offer = stage.seller.seal(stage.deal, network, Terms(PRICE_SAT))
        weights = network.architecture.n_weights
        say(f"   sends   offer.zkcmp: architecture, {PRICE_SAT} sat, E, hash of the ciphertext")
        say(f"           E = {offer.commitment.hex()}")
        say(f"   keeps   {weights} weights in {offer.n_blocks} blocks, and the key, to itself")


def _request(stage: Stage, test_set: "TestSet") -> None:
    from zkcmp.exchange.statement import parse_threshold

    with stage.act("The buyer checks the offer and answers with its own test set"):
        threshold = parse_threshold(ACCURACY, len(test_set))
        seller = stage.seller.identity.fingerprint
        stage.buyer.request(stage.deal, test_set, threshold, seller, stage.method)
        say("   checks  signature, the seller's fingerprint, that no sum can wrap the field")
        say(f"   sends   request.zkcmp, encrypted: {len(test_set)} images, at least {threshold} of")
        say("           them to be right; the weights were fixed before the seller saw any image,")
        say("           and the images are marked as spent")
        say(f"   asks    for a proof by {stage.method.backend}, mode {stage.method.title}")


def _setup(stage: Stage) -> None:
    if not stage.method.has_key_material:
        with stage.act("The buyer has no keys to make"):
            say("   knows   the commitment's generators are hashes: nobody has a trapdoor")
        return
    with stage.act("The buyer makes the keys of the proof system"):
        with progress_bars() as progress:
            size_bytes = stage.buyer.setup(stage.deal, progress)
        say(f"   sends   key-material.zkcmp, encrypted, {size_bytes / 1e6:.1f} MB")
        say("   knows   nobody else can forge a proof for these keys: it made them itself")


def _wrong_model(stage: Stage) -> None:
    """Proof construction itself fails for another network than the sealed one."""
    from zkcmp.cli.dishonest import prove_another_network
    from zkcmp.errors import VerificationError

    with stage.act("Dishonest: the seller tries to prove with another network than it sealed"):
        try:
            prove_another_network(stage.seller, stage.deal)
        except VerificationError as error:
            say(f"   caught  {error}")
        else:
            raise AssertionError("a proof about another network was made")


def _prove(stage: Stage) -> None:
    with stage.act("The seller checks the request, audits the key material and proves"):
        buyer = stage.buyer.identity.fingerprint
        with progress_bars() as progress:
            proved = stage.seller.prove(stage.deal, buyer, progress)
        say("   checks  signature, the buyer's fingerprint, test set in range")
        if stage.method.has_key_material:
            say("   audits  all of the key material: whoever made it, a proof hides the weights")
        size = f"ciphertext and {proved.proof_bytes} bytes of proof"
        say(f"   sends   delivery.zkcmp, encrypted: {size}")
        say(f"   counts  {proved.answered} answered request about these weights: one bit leaked")


def _forged_delivery(stage: Stage) -> None:
    from zkcmp.cli.dishonest import FORGERIES, forge_delivery
    from zkcmp.errors import VerificationError

    with stage.act("Dishonest: the seller sends forged deliveries, validly signed"):
        for forgery in FORGERIES:
            with forge_delivery(stage.seller, stage.buyer, stage.deal, forgery):
                try:
                    stage.buyer.verify(stage.deal)
                except VerificationError as error:
                    say(f"   caught  {forgery}:")
                    say(f"           {error}")
                else:
                    raise AssertionError(f"the buyer accepted {forgery}")


def _verify(stage: Stage) -> None:
    with stage.act("The buyer verifies the honest delivery"):
        verified = stage.buyer.verify(stage.deal)
        right = f"{verified.threshold} of {verified.n_images}"
        own = "its own key" if stage.method.has_key_material else "what it asked"
        say(f"   checks  hash of the ciphertext against the offer, the proof against {own}")
        say(f"   knows   the sealed network gets at least {right} right, and the preimage of E")
        say("           opens it; nothing else about the weights")
        say(f"   trusts  {verified.soundness}")


def _lock(stage: Stage) -> None:
    with stage.act("The buyer locks the price on the chain"):
        stage.chain.mine(_FUNDING_BLOCKS, stage.buyer.wallet_script)
        locked = stage.buyer.lock(stage.deal, stage.chain, DEFAULT_FEE_SAT_PER_VB)
        stage.chain.mine(1, stage.buyer.wallet_script)
        say("   sends   lock.zkcmp: where the coins are; the script pays the seller against the")
        say(f"           preimage of E, or the buyer after block {locked.timeout_height}")
        say(f"           transaction {locked.outpoint.txid}")


def _early_refund(stage: Stage) -> None:
    from bitcoin_scripts.errors import SettlementError
    from zkcmp.cli.dishonest import refund_now

    with stage.act("Dishonest: the buyer tries to take the coins back before the timeout"):
        try:
            refund_now(stage.buyer, stage.deal, stage.chain)
        except SettlementError as error:
            say(f"   caught  {error}")
        else:
            raise AssertionError("the chain accepted an early refund")


def _redeem(stage: Stage) -> None:
    with stage.act("The seller redeems, which publishes the key"):
        redeemed = stage.seller.redeem(stage.deal, stage.chain, DEFAULT_FEE_SAT_PER_VB)
        stage.chain.mine(1, stage.buyer.wallet_script)
        say("   checks  script, amount, confirmations and remaining blocks on the chain itself")
        coins = stage.chain.find_spendable(stage.seller.wallet_script)
        say(f"   gets    {sum(c.amount_sat for c in coins)} sat, price minus fee")
        say(f"           transaction {redeemed.txid}")


def _open(stage: Stage, network: "Network") -> None:
    from zkcmp.model.data_files import load_digits_test
    from zkcmp.model.onnx import read_onnx
    from zkcmp.model.quantize import quantize

    with stage.act("The buyer reads the key off the chain and opens the seal"):
        out = stage.folder / "bought.onnx"
        stage.buyer.open(stage.deal, stage.chain, out)
        bought, everything = quantize(read_onnx(out)), load_digits_test()
        if bought != network:
            raise AssertionError("the bought network is not the sealed one")
        right = int((bought.predict(everything.images) == everything.labels).sum())
        say(f"   checks  SHA-256 of the key is E, every weight in its width; writes {out.name}")
        say(f"   has     exactly the sealed network: {right} of {len(everything)} digits right")
