"""What the buyer's commands say of an offer, of an unsound mode, and at the end of a deal."""

from pathlib import Path
from typing import TYPE_CHECKING

from zkcmp.cli.terminal.console import count, say

if TYPE_CHECKING:
    from zkcmp.exchange.buyer import Refunded
    from zkcmp.exchange.messages.contents import Offer
    from zkcmp.model.network import Network


def say_offer(offer: "Offer") -> None:
    """What is offered, by whom."""
    from zkcmp.exchange.messages.identity import fingerprint

    say(f"seller     {fingerprint(offer.sender)}   (compare by another channel)")
    say(f"offer      {offer.price_sat} sat on {offer.chain}, hash-lock {offer.commitment.hex()}")
    say(f"network    {_describe(offer.architecture)}")


def _describe(encoded: bytes) -> str:
    """The architecture of an offer, layer by layer."""
    from zkcmp.model.architecture import Architecture

    architecture = Architecture.from_bytes(encoded)
    layers = " ".join(layer.kind for layer in architecture.layers)
    shape = "x".join(map(str, architecture.input_shape))
    largest = (1 << architecture.input_bits) - 1
    return (
        f"{layers}; {architecture.n_weights} weights; pixels {shape} from 0 to {largest}; "
        f"{architecture.n_classes} classes"
    )


def say_unsound() -> None:
    """What a proof of mode `sampled` does not show."""
    say("caution    this mode proves that the sealed weights are opened by the key, and no more.")
    say("           The seller knows which constraints were dropped before it proves, and can get")
    say("           random weights through at any threshold: the accuracy is NOT guaranteed")


def say_opened(network: "Network", out: Path, sure: int, n_images: int) -> None:
    """The network that was bought; sure: of how many images its labels are certain in doubles."""
    say(f"opened     {network.architecture.n_weights} weights, written to {out}")
    if sure < n_images:
        say("caution    the file computes in doubles, which round: of our images, only")
        say(f"           {sure} of {n_images} surely get the label that was proved. Its integers")
        say("           are exact: zkcmp.model's read_onnx and quantize, then Network.predict")


def say_refunded(refunded: "Refunded") -> None:
    """The refund, and those of coins that were paid besides."""
    for each in (refunded, *refunded.others):
        say(f"refunded   transaction {each.txid}, {count(each.confirmations, 'confirmation')}")
        if each.replaced:
            say(f"fee        raised to {each.fee_sat_per_vb} sat/vB; it replaces the waiting one")
    if refunded.redeemed:
        say("redeemed   by the seller, who was paid by another output: the key is known;")
        say("           run `zkcmp buyer open` to get the network")
