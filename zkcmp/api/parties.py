"""Seller and buyer, each at work in its private directory, one method a step of a deal.

Each method opens the directory and locks it meanwhile, as the commands do: commands and scripts may
take turns. A step that comes too early or was refused is a DealError; what the other party sent and
is not what it must be, a DecodeError or VerificationError.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkcmp.api.arguments import Array, StrPath, as_method, as_test_set, as_threshold
from zkcmp.api.networks import Model, as_network
from zkcmp.exchange import buyer as buying
from zkcmp.exchange import seller as selling
from zkcmp.exchange.buyer import Locked, Refunded, Verified
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.messages.identity import fingerprint
from zkcmp.exchange.seller import Audited, Inspected, Proved, Redeemed, Terms
from zkcmp.exchange.settlement.withdrawing import Withdrawn
from zkcmp.exchange.shared_places import refuse_shared
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent

if TYPE_CHECKING:
    from bitcoin_scripts.chain import Chain
    from bitcoin_scripts.chain.kernel import KernelChain

DEFAULT_FEE_SAT_PER_VB = 2


class _Party:
    """Acts from the private directory `home`, which is made on first use.

    With `force`, steps begin although memory, or room on a disk, will not suffice.
    """

    _kind: type[selling.Seller] | type[buying.Buyer]

    def __init__(self, home: StrPath, force: bool = False):
        self.home, self.force = Path(home), force

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
        if not isinstance(model, Network):
            refuse_shared(Path(model), Path(deal))
        network = as_network(model)
        with selling.Seller.opened(self.home, beside=Path(deal)) as seller:
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
            seller.force = self.force
            return seller.audit(Path(deal), buyer, progress)

    def prove(self, deal: StrPath, buyer: str | None = None, progress: Progress = silent) -> Proved:
        """Answer the request, if it is of the buyer with this fingerprint (None: of any).

        An answered request tells one bit about the weights, and a seal answers one request.
        """
        with selling.Seller.opened(self.home) as seller:
            seller.force = self.force
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
        samples, chosen = as_test_set(images, labels), as_method(method)
        needed = as_threshold(accuracy, threshold, len(samples))
        with buying.Buyer.opened(self.home, beside=Path(deal)) as buyer:
            buyer.force = self.force
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
            buyer.force = self.force
            return buyer.setup(Path(deal), progress)

    def verify(self, deal: StrPath) -> Verified:
        """Check ciphertext and proof against the offer and our request."""
        with buying.Buyer.opened(self.home) as buyer:
            buyer.force = self.force
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
