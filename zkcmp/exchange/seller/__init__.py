"""The seller's side of a deal: seal, audit, prove, redeem.

What must never happen twice, or out of order, and how it is prevented:
- the preimage is on disk before the offer exists (`sealing`);
- one seal serves one request of one buyer: it is bound durably, with its key material, before
  anything about it is computed (`binding`);
- every refusal after a request was read looks the same from outside, and as a proof does up to its
  last moment: the deal folder is only read, and the reason is told on this side alone. Silence,
  too, is an answer of sorts: a seller that refuses should refuse for good (`answering`);
- the claim is on disk before it is broadcast, and the key is revealed only for a lock that the
  chain has, deep enough and long enough before its timeout (`redeeming`).
"""

from pathlib import Path

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.fee_rates import FeeChoice
from zkcmp.exchange.deal import SellerState
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.party import Damaged, Deal
from zkcmp.exchange.seller import answering, binding, redeeming, sealing, watching
from zkcmp.exchange.seller.answering import Proved
from zkcmp.exchange.seller.binding import Accepted, Audited, Inspected
from zkcmp.exchange.seller.redeeming import Redeemed
from zkcmp.exchange.seller.sealing import Terms, weights_digest
from zkcmp.exchange.settlement.watched import Watched
from zkcmp.exchange.settlement.withdrawing import WithdrawingParty, Withdrawn
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent

__all__ = [
    "Audited",
    "Inspected",
    "Proved",
    "Redeemed",
    "Seller",
    "Terms",
    "Withdrawn",
    "weights_digest",
]


class Seller(WithdrawingParty[SellerState]):
    """A seller at work: finds its deal in the shared folder and takes one step of it."""

    state_type = SellerState

    def seal(self, folder: Path, network: Network, terms: Terms) -> Offer:
        """Encrypt the network under a fresh key and publish the offer."""
        return sealing.seal(self, folder, network, terms)

    def audit(
        self,
        folder: Path,
        buyer_fingerprint: str | None = None,
        progress: Progress = silent,
        mode: str | None = None,
    ) -> Audited:
        """Take request and key material in and check that proving with the key is safe, or refuse.

        Nothing of the network is used, so what comes out depends on the buyer's messages alone.
        With `mode`, a request for a proof in any other mode is refused. Other commands may have the
        private directory during the audit, here and in `prove`, and during the proof.
        """
        deal = self.need(folder)
        with self.home.lock_deal(deal.directory):
            return binding.audit(self, deal, Accepted(buyer_fingerprint, mode), progress)

    def prove(
        self,
        folder: Path,
        buyer_fingerprint: str | None = None,
        progress: Progress = silent,
        mode: str | None = None,
        publish: bool = True,
    ) -> Proved:
        """Answer the request in the folder with ciphertext and proof, or refuse.

        Audits the key material first, unless that was done. Without `publish`, the answer stays in
        the private directory until `publish` or `prove` is called.
        """
        deal = self.need(folder)
        with self.home.lock_deal(deal.directory):
            proved = answering.prove(self, deal, Accepted(buyer_fingerprint, mode), progress)
            if publish:
                answering.publish(deal)
        return proved

    def publish(self, folder: Path) -> None:
        """Put the answer that `prove` made into the deal folder."""
        answering.publish(self.need(folder))

    def inspect(self, folder: Path) -> Inspected:
        """What the request in the folder asks for, checked as `prove` does; nothing is bound."""
        deal = self.need(folder)
        with self.home.lock_deal(deal.directory):
            return binding.inspect(deal)

    def damaged(self) -> list[Damaged]:
        return [*super().damaged(), *answering.damaged_ledger(self)]

    def answered(self, deal: Deal[SellerState]) -> int | None:
        """How many requests the deal's weights have answered, in all deals.

        None when the ledger cannot be read; `damaged` names it then.
        """
        return None if answering.damaged_ledger(self) else answering.answered(self, deal)

    def redeem(
        self,
        folder: Path,
        chain: Chain,
        fee_sat_per_vb: int | None = None,
        accept_high_fee: bool = False,
    ) -> Redeemed:
        """Claim the locked coins, which publishes the key, once that is safe.

        Repeated, it sends the claim again, or one that pays more: at the rate that is given, else
        at what the chain estimates.
        """
        choice = FeeChoice(fee_sat_per_vb, accept_high_fee)
        return redeeming.redeem(self, self.need(folder), chain, choice)

    def watch(self, folder: Path, chain: Chain, choice: FeeChoice) -> Watched[Redeemed]:
        """Redeem as soon as that is safe, and then get the claim mined and buried."""
        return watching.look(self, self.need(folder), chain, choice)
