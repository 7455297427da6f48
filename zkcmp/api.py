"""The project from Python: arrays and paths in, small results out.

    Seller, Buyer      a party at work in its private directory, one method a step of a deal
    read, quantize, save
                       from a trained network to the integer one that is sold
    seal, setup, prove, verify, open_seal
                       the same statement without a deal: for research and for tests. Nothing here
                       stops anyone from proving twice about one seal; that is what a deal is for.

Images are (n, C, H, W) or (n, H, W) integers, labels (n,) class numbers from 0. A `model` is a path
to an ONNX file, or a Network. Every error on purpose is a ZkcmpError of one line. Each method of a
party opens its directory and locks it meanwhile, as the commands do: commands and scripts may take
turns. docs/api.md has examples.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkcmp import seal as sealing
from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.exchange import buyer as buying
from zkcmp.exchange import seller as selling
from zkcmp.exchange.buyer import Locked, Refunded, Verified
from zkcmp.exchange.costs import Cost, predict_all
from zkcmp.exchange.identity import fingerprint
from zkcmp.exchange.messages import Offer
from zkcmp.exchange.method import Method
from zkcmp.exchange.proof_size import check_proof_size
from zkcmp.exchange.proofs import Asked, DealStatement, backend
from zkcmp.exchange.seller import Audited, Inspected, Proved, Redeemed, Terms
from zkcmp.exchange.statement import parse_threshold
from zkcmp.exchange.store import write_atomic
from zkcmp.exchange.withdrawing import Withdrawn
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.calibrate import choose_widths, parse_drop
from zkcmp.model.dataset import TestSet
from zkcmp.model.float_network import FloatNetwork
from zkcmp.model.network import Network
from zkcmp.model.onnx import export_onnx, read_onnx
from zkcmp.model.pixels import with_pixels
from zkcmp.model.quantize import quantize as quantize_network
from zkcmp.model.report import QuantisationReport, report
from zkcmp.progress import Progress, silent

if TYPE_CHECKING:
    from bitcoin_scripts.chain import Chain
    from bitcoin_scripts.chain.kernel import KernelChain

__all__ = [
    "Buyer",
    "Sealed",
    "SealedNetwork",
    "Seller",
    "costs",
    "evaluate",
    "open_seal",
    "prove",
    "quantize",
    "read",
    "regtest",
    "save",
    "seal",
    "setup",
    "verify",
]

StrPath = str | os.PathLike[str]
Model = StrPath | Network
Array = NDArray[Any]

DEFAULT_FEE_SAT_PER_VB = 2
_SOUND = ("freivalds", "full", "libra hyrax", "libra zkvpd")


# --- networks ---------------------------------------------------------------------------------


def read(
    path: StrPath,
    input_bits: int | None = None,
    divide_by: int | None = None,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> FloatNetwork:
    """The float network in an ONNX file, and how pixels enter it where the file does not say so.

    Training fed it (pixel / divide_by − mean) / std with pixels 0 … 2^input_bits − 1; mean and std
    are one number, or one for each channel.
    """
    return with_pixels(read_onnx(Path(path)), input_bits, divide_by, mean, std)


def quantize(
    model: StrPath | FloatNetwork,
    images: Array | None = None,
    labels: Array | None = None,
    max_drop: str = "0.2%",
    weight_bits: int | list[int] | None = None,
    per_channel: bool | None = None,
    progress: Progress = silent,
) -> Network:
    """The integer network of an ONNX file, or of what `read` returned.

    With labelled images (which no buyer will send), the one of fewest bits that loses at most
    `max_drop` of the float accuracy on them. Without, weights have the width that is given, or the
    one that the file asks for, or 8 bits.
    """
    float_network = _float(model)
    if (images is None) != (labels is None):
        raise ZkcmpError("give images and labels, or neither")
    if images is None or labels is None:
        network = quantize_network(float_network, weight_bits, per_channel=bool(per_channel))
        check_no_wrap(network.architecture)
        return network
    if weight_bits is not None:
        raise ZkcmpError(
            "weight_bits leaves nothing to search for; leave out images or weight_bits"
        )
    samples, drop = _samples(images, labels), parse_drop(max_drop)
    return choose_widths(float_network, samples, drop, per_channel, progress).network


def evaluate(
    model: StrPath | FloatNetwork, network: Network, images: Array, labels: Array
) -> QuantisationReport:
    """Accuracies and confusion matrix of an integer network beside the float one it came from."""
    return report(_float(model), network, _samples(images, labels))


def costs(network: Network, n_images: int) -> list[Cost]:
    """What a proof about so many images would cost by each sound method, on this machine."""
    return predict_all(network.architecture, n_images)


def save(network: Network, path: StrPath) -> None:
    """Write the integer network as an ONNX file that onnxruntime runs on raw pixels."""
    write_atomic(Path(path), export_onnx(network))


# --- parties ----------------------------------------------------------------------------------


class _Party:
    """Acts from the private directory `home`, which is made on first use."""

    _kind: type[selling.Seller] | type[buying.Buyer]

    def __init__(self, home: StrPath):
        self.home = Path(home)

    @property
    def fingerprint(self) -> str:
        """What the other party compares, by another channel, with what its tools show."""
        with self._kind.opened(self.home) as party:
            return party.identity.fingerprint

    def withdraw(
        self,
        chain: "Chain",
        address: str,
        amount_sat: int | None = None,
        fee_sat_per_vb: int | None = None,
        again: bool = False,
    ) -> Withdrawn:
        """Send coins of the wallet to an address of the chain, an amount or all.

        Repeated, it is the same withdrawal; with `again` it is another one.
        """
        with self._kind.opened(self.home) as party:
            return party.withdraw(chain, address, amount_sat, fee_sat_per_vb, again=again)


class Seller(_Party):
    """Sells networks from the private directory `home`, which is made on first use."""

    _kind = selling.Seller

    def seal(self, deal: StrPath, model: Model, price_sat: int, **terms: Any) -> Offer:
        """Encrypt the network under a fresh key and put an offer into the deal folder.

        terms: fields of `Terms`, such as timeout_blocks.
        """
        network = _network(model)
        with selling.Seller.opened(self.home) as seller:
            return seller.seal(Path(deal), network, Terms(price_sat, **terms))

    def inspect(self, deal: StrPath) -> Inspected:
        """What the request in the deal folder asks for; nothing is bound by it."""
        with selling.Seller.opened(self.home) as seller:
            return seller.inspect(Path(deal))

    def audit(
        self, deal: StrPath, buyer: str | None = None, progress: Progress = silent
    ) -> Audited:
        """Check that proving with the buyer's key material is safe; `prove` does it, too."""
        with selling.Seller.opened(self.home) as seller:
            return seller.audit(Path(deal), buyer, progress)

    def prove(self, deal: StrPath, buyer: str | None = None, progress: Progress = silent) -> Proved:
        """Answer the request, if it is of the buyer with this fingerprint (None: of any).

        An answered request tells one bit about the weights, and a seal answers one request.
        """
        with selling.Seller.opened(self.home) as seller:
            return seller.prove(Path(deal), buyer, progress)

    def redeem(self, deal: StrPath, chain: "Chain", fee_sat_per_vb: int | None = None) -> Redeemed:
        """Claim the locked coins, which publishes the key, once that is safe."""
        with selling.Seller.opened(self.home) as seller:
            return seller.redeem(Path(deal), chain, fee_sat_per_vb)


class Buyer(_Party):
    """Buys networks from the private directory `home`, which is made on first use."""

    _kind = buying.Buyer

    @property
    def wallet_script(self) -> bytes:
        """Where the coins for a lock are taken from."""
        with buying.Buyer.opened(self.home) as buyer:
            return buyer.wallet_script

    def inspect(self, deal: StrPath) -> tuple[str, Offer]:
        """The seller's fingerprint and the offer; nothing is sent and no sample is spent."""
        with buying.Buyer.opened(self.home) as buyer:
            offer = buyer.inspect(Path(deal))
        return fingerprint(offer.sender), offer

    def request(
        self,
        deal: StrPath,
        images: Array,
        labels: Array,
        accuracy: str | None = None,
        threshold: int | None = None,
        seller: str | None = None,
        method: str = "freivalds",
        accept_unaudited_on_mainnet: bool = False,
        price_sat: int | None = None,
        max_price_sat: int | None = None,
    ) -> Offer:
        """Send the test set, which is spent from then on, and ask for a proof.

        accuracy: exact text such as "0.95" or "95%"; or threshold: how many must be right.
        seller: refuse an offer of any other fingerprint. method: freivalds, full, libra hyrax or
        libra zkvpd. An offer about real coins needs accept_unaudited_on_mainnet. price_sat: refuse
        an offer of any other price; max_price_sat: of a higher one.
        """
        samples, chosen = _samples(images, labels), _method(method)
        needed = _threshold(accuracy, threshold, len(samples))
        with buying.Buyer.opened(self.home) as buyer:
            return buyer.request(
                Path(deal),
                samples,
                needed,
                seller,
                chosen,
                accept_unaudited_on_mainnet,
                price_sat,
                max_price_sat,
            )

    def setup(self, deal: StrPath, progress: Progress = silent) -> int:
        """Make the keys of the proof system; the size of the message, 0 where there are none."""
        with buying.Buyer.opened(self.home) as buyer:
            return buyer.setup(Path(deal), progress)

    def verify(self, deal: StrPath) -> Verified:
        """Check ciphertext and proof against the offer and our request."""
        with buying.Buyer.opened(self.home) as buyer:
            return buyer.verify(Path(deal))

    def lock(
        self, deal: StrPath, chain: "Chain", fee_sat_per_vb: int = DEFAULT_FEE_SAT_PER_VB
    ) -> Locked:
        """Lock the price so that only the key, or the timeout, releases it."""
        with buying.Buyer.opened(self.home) as buyer:
            return buyer.lock(Path(deal), chain, fee_sat_per_vb)

    def open(self, deal: StrPath, chain: "Chain", out: StrPath) -> Network:
        """Read the key off the chain, open the seal, write the network as ONNX to `out`."""
        with buying.Buyer.opened(self.home) as buyer:
            return buyer.open(Path(deal), chain, Path(out))

    def refund(self, deal: StrPath, chain: "Chain", fee_sat_per_vb: int | None = None) -> Refunded:
        """Take the coins back after the timeout."""
        with buying.Buyer.opened(self.home) as buyer:
            return buyer.refund(Path(deal), chain, fee_sat_per_vb)


@contextmanager
def regtest(directory: StrPath) -> Iterator["KernelChain"]:
    """The embedded regtest chain in `directory`. Raises ImportError where its wheel is missing."""
    from bitcoin_scripts.chain.kernel import KernelChain

    chain = KernelChain(Path(directory))
    try:
        yield chain
    finally:
        chain.close()


# --- the statement alone ----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SealedNetwork:
    """What everyone may see of a seal. ciphertext: (blocks, 4) uint64; commitment: SHA-256, E."""

    architecture: Architecture
    ciphertext: NDArray[np.uint64] = field(repr=False)
    commitment: bytes


@dataclass(frozen=True, eq=False)
class Sealed:
    """A seal with its secrets: the network, and the 32-byte preimage of E that opens it."""

    public: SealedNetwork
    network: Network = field(repr=False)
    preimage: bytes = field(repr=False)


def seal(model: Model) -> Sealed:
    """Encrypt a network under a fresh key."""
    network = _network(model)
    check_no_wrap(network.architecture)
    sealed, preimage = sealing.seal(network)
    public = SealedNetwork(network.architecture, sealed.ciphertext, sealed.commitment)
    return Sealed(public, network, preimage)


def open_seal(public: SealedNetwork, preimage: bytes) -> Network:
    """The network in a seal. Raises VerificationError for the preimage of another."""
    return sealing.open_seal(preimage, public.ciphertext, public.commitment, public.architecture)


def setup(
    architecture: Architecture,
    images: Array,
    labels: Array,
    method: str,
    key: StrPath,
    progress: Progress = silent,
) -> bytes:
    """Write key material for such statements to the file `key`; what to verify with.

    Whoever runs this can forge proofs, so it is the verifier's to run.
    """
    asked = _asked(architecture, images, labels, method)
    if not asked.method.has_key_material:
        raise ZkcmpError(f"method {method} has no key material; leave setup out")
    return backend(asked.method).setup(asked, Path(key), progress)


def prove(
    sealed: Sealed,
    images: Array,
    labels: Array,
    accuracy: str | None = None,
    threshold: int | None = None,
    method: str = "libra hyrax",
    key: StrPath | None = None,
    context: bytes = b"",
    progress: Progress = silent,
) -> bytes:
    """A proof that the sealed network gets at least so many of the images right.

    key: the file of key material, for methods that have one: our own copy, which nobody else can
    write to; all of it is audited before anything is computed from the weights. context: whatever
    the proof shall be bound to. Raises ZkcmpError when the network does not reach the threshold.
    """
    asked = _asked(sealed.public.architecture, images, labels, method)
    needed = _threshold(accuracy, threshold, asked.n_images)
    prover = backend(asked.method)
    path = None if key is None else Path(key)
    if (path is None) == asked.method.has_key_material:
        need = "needs a" if path is None else "has no"
        raise ZkcmpError(f"method {method} {need} key; see `setup`")
    if path is None:
        parameters = prover.parameters_digest(None)
    else:
        parameters = prover.audit(path, asked, progress).parameters
    right = int((sealed.network.predict(asked.test_set.images) == asked.test_set.labels).sum())
    if right < needed:
        raise ZkcmpError(f"the network gets {right} of {asked.n_images} right, not {needed}")
    statement = _statement(sealed.public, asked, needed, context, parameters)
    return prover.prove(statement, sealed.network, sealed.preimage, path, progress)


def verify(
    public: SealedNetwork,
    images: Array,
    labels: Array,
    proof: bytes,
    accuracy: str | None = None,
    threshold: int | None = None,
    method: str = "libra hyrax",
    verifying_key: bytes | None = None,
    context: bytes = b"",
) -> str:
    """What the proof is worth, in words. Raises VerificationError or DecodeError for a false one.

    verifying_key: what our own `setup` returned.
    """
    asked = _asked(public.architecture, images, labels, method)
    needed = _threshold(accuracy, threshold, asked.n_images)
    if (verifying_key is None) == asked.method.has_key_material:
        need = "needs a" if verifying_key is None else "has no"
        raise ZkcmpError(f"method {method} {need} verifying key; see `setup`")
    verifier = backend(asked.method)
    parameters = verifier.parameters_digest(verifying_key)
    statement = _statement(public, asked, needed, context, parameters)
    verifier.verify(statement, verifying_key, proof)
    return verifier.soundness(asked)


def _statement(
    public: SealedNetwork, asked: Asked, threshold: int, context: bytes, parameters: bytes
) -> DealStatement:
    bound = hashlib.sha256(b"zkcmp api context" + context).digest()
    return DealStatement(asked, public.ciphertext, public.commitment, threshold, bound, parameters)


def _asked(architecture: Architecture, images: Array, labels: Array, method: str) -> Asked:
    samples, chosen = _samples(images, labels), _method(method)
    check_no_wrap(architecture)
    samples.check(architecture)
    check_proof_size(architecture, len(samples), chosen)
    return Asked(architecture, samples, chosen)


def _float(model: StrPath | FloatNetwork) -> FloatNetwork:
    return model if isinstance(model, FloatNetwork) else read(model)


def _network(model: Model) -> Network:
    return model if isinstance(model, Network) else quantize(model)


def _samples(images: Array, labels: Array) -> TestSet:
    images = np.asarray(images)
    return TestSet(images[:, None] if images.ndim == 3 else images, labels)


def _method(name: str) -> Method:
    if name not in _SOUND:
        raise ZkcmpError(f"method {name!r} is not one of {', '.join(_SOUND)}")
    return Method.from_line(name)


def _threshold(accuracy: str | None, threshold: int | None, n_images: int) -> int:
    if (accuracy is None) == (threshold is None):
        raise ZkcmpError("give one of accuracy, as text like '0.95', and threshold")
    if accuracy is not None:
        if not isinstance(accuracy, str):
            raise ZkcmpError(f"accuracy must be text, so that it is exact: '{accuracy}'")
        return parse_threshold(accuracy, n_images)
    if type(threshold) is not int or not 1 <= threshold <= n_images:
        raise VerificationError("threshold", f"an integer from 1 to {n_images}", threshold)
    return threshold
