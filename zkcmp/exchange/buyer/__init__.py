"""The buyer's side of a deal: request, setup, verify, lock, then open or refund.

What must never happen twice, or out of order, and how it is prevented:
- a test set is spent once sent: its samples are in the ledger before the request is in the folder
  (`requesting`);
- the proof is checked with the verifying key of our own store, against the hash in the offer
  (`key_material`, `verifying`);
- coins are locked to the very E of that proof, and never twice to the same E: a second lock would
  pay again for a key that the first claim makes public (`locking`, `funding.signed_locks`), and so
  are two ways of funding at a time (`funding.ways`);
- lock and refund are on disk before they are broadcast, and are called sent only afterwards
  (`locking`, `refunding`); so are a transaction and an address before others are to sign the one or
  pay to the other (`funding.record`).
"""

import os
from collections.abc import Sequence
from pathlib import Path

from bitcoin_scripts.chain import Chain, Outpoint
from bitcoin_scripts.fee_rates import FeeChoice
from bitcoin_scripts.htlc import Htlc
from zkcmp.errors import DealError
from zkcmp.exchange.buyer import (
    exporting,
    key_material,
    locking,
    opening,
    refunding,
    requesting,
    verifying,
    watching,
)
from zkcmp.exchange.buyer.funding import kept_coins, psbt_draft
from zkcmp.exchange.buyer.funding.external import Payable
from zkcmp.exchange.buyer.funding.lost_locks import Trail
from zkcmp.exchange.buyer.funding.psbt_draft import Drafted, WalletChain
from zkcmp.exchange.buyer.locking import Locked
from zkcmp.exchange.buyer.refunding import Refunded
from zkcmp.exchange.buyer.verifying import Verified
from zkcmp.exchange.deal import BuyerState, missing
from zkcmp.exchange.messages.contents import FILE_NAMES, Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.method import FREIVALDS, Method
from zkcmp.exchange.party import Deal
from zkcmp.exchange.settlement.watched import Watched
from zkcmp.exchange.settlement.withdrawing import Kept, WithdrawingParty, Withdrawn
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent

__all__ = ["Buyer", "Drafted", "Locked", "Payable", "Refunded", "Verified", "Withdrawn"]


class Buyer(WithdrawingParty[BuyerState]):
    """A buyer at work: finds its deal in the shared folder and takes one step of it."""

    state_type = BuyerState

    def not_begun(self, folder: Path) -> DealError:
        if os.path.lexists(folder / FILE_NAMES[Kind.OFFER]):
            return DealError(
                f"nothing was requested in {folder} by {self.home.path}; `zkcmp buyer request` "
                "begins a deal, --home names another private directory"
            )
        return missing(Kind.OFFER, folder)

    def inspect(self, folder: Path) -> Offer:
        """The offer in the folder, checked as `request` does; nothing is kept or sent."""
        return requesting.inspect(self, folder)

    def request(
        self,
        folder: Path,
        test_set: TestSet,
        threshold: int,
        seller_fingerprint: str | None = None,
        method: Method = FREIVALDS,
        accept_unaudited_on_mainnet: bool = False,
        price_sat: int | None = None,
        max_price_sat: int | None = None,
    ) -> Offer:
        """Accept the offer in the folder and send it test set, threshold and method.

        With `price_sat`, an offer of any other price is refused; with `max_price_sat`, of a higher.
        """
        accepted = requesting.Accepted(
            seller_fingerprint, accept_unaudited_on_mainnet, price_sat, max_price_sat
        )
        return requesting.request(self, folder, test_set, threshold, method, accepted)

    def setup(
        self,
        folder: Path,
        progress: Progress = silent,
        ceremony: Path | None = None,
        ours: Sequence[bytes] = (),
    ) -> int:
        """Make proving and verifying key and send the former; returns the message's size.

        0 when there is nothing to send: the deal was answered, or its method needs no keys.

        With the directory of a ceremony, take its key instead, provided that the records `ours` of
        our own contributions are in it, one in each phase.
        """
        return key_material.send(self, self.need(folder), progress, ceremony, ours)

    def method(self, folder: Path) -> Method:
        """How the request of this deal asked to be answered."""
        return requesting.own_method(self.need(folder))

    def verify(self, folder: Path) -> Verified:
        """Check the delivery against the offer."""
        return verifying.verify(self, self.need(folder))

    def export(self, folder: Path, out: Path) -> None:
        """Write what `verify` verified for snarkjs, into the directory `out`.

        public.json holds the ciphertext and the test set, so `out` is made for us alone.
        """
        deal = self.need(folder)
        self.check_unshared(out, folder)
        verifying.export(self, deal, out)

    def export_files(self, folder: Path, out: Path) -> list[str]:
        """Write what `verify` verified as plain files into the directory `out`; their names.

        Raises DealError before `verify`, and for an `out` that others can enter: whoever has the
        ciphertext has the network once the key is on the chain.
        """
        deal = self.need(folder)
        self.check_unshared(out, folder)
        return exporting.export_files(self, deal, out)

    def lock(
        self, folder: Path, chain: Chain, fee_sat_per_vb: int, abandon: bool = False
    ) -> Locked:
        """Lock the price to the verified E and tell the seller where.

        With `abandon`, here and below, whoever calls knows that nothing was or will be paid in the
        way of funding that was begun before.
        """
        return locking.lock(self, self.need(folder), chain, fee_sat_per_vb, abandon)

    def lock_from_node(
        self, folder: Path, chain: WalletChain, fee_sat_per_vb: int, abandon: bool = False
    ) -> Locked:
        """As `lock`, from coins of the node's wallet, which signs."""
        return locking.lock_from_node(self, self.need(folder), chain, fee_sat_per_vb, abandon)

    def draft_from_node(
        self, folder: Path, chain: WalletChain, fee_sat_per_vb: int, abandon: bool = False
    ) -> Drafted | Locked:
        """A lock over coins of the node's wallet for another wallet to sign."""
        deal = self.need(folder)
        fund = psbt_draft.from_node(self, chain, deal, deal.offer(), fee_sat_per_vb)
        return locking.draft(self, deal, chain, fund, abandon, locking.noted_by(deal, chain))

    def draft_from_script(
        self,
        folder: Path,
        chain: Chain,
        script_pubkey: bytes,
        fee_sat_per_vb: int,
        abandon: bool = False,
    ) -> Drafted | Locked:
        """As `draft_from_node`, over the coins at one script, to which the change goes back."""
        deal = self.need(folder)
        terms = deal.offer(), script_pubkey, fee_sat_per_vb
        fund = psbt_draft.from_script(self, chain, deal, *terms)
        return locking.draft(self, deal, chain, fund, abandon, lambda: Trail(script_pubkey))

    def lock_signed(self, folder: Path, chain: Chain, data: bytes) -> Locked:
        """Send a drafted lock that came back signed, a PSBT or a transaction in hexadecimal."""
        return locking.lock_signed(self, self.need(folder), chain, data)

    def ask_payment(self, folder: Path, chain: Chain, abandon: bool = False) -> Payable | Locked:
        """Address and amount for any wallet to pay, or the lock if that was paid and mined."""
        return locking.ask_payment(self, self.need(folder), chain, abandon)

    def locked(self, deal: Deal[BuyerState]) -> tuple[Htlc, Outpoint]:
        """Terms and place of the lock that was signed last, from our own records."""
        return locking.signed_last(deal)

    def open(self, folder: Path, chain: Chain, out: Path) -> Network:
        """Read the key off the chain, open the seal, write the network as ONNX to `out`."""
        deal = self.need(folder)
        self.check_unshared(out, folder)
        return opening.open_network(self, deal, chain, out)

    def surely_labelled(self, folder: Path, network: Network) -> tuple[int, int]:
        """On how many of our test images the ONNX file surely labels as was proved, of how many.

        The proof is about integers, the file computes in doubles, and a seller can choose weights
        whose sums need more digits than a double has.
        """
        return opening.surely_labelled(self.need(folder), network)

    def refund(
        self,
        folder: Path,
        chain: Chain,
        fee_sat_per_vb: int | None = None,
        accept_high_fee: bool = False,
    ) -> Refunded:
        """Take the coins back after the timeout.

        Repeated, it sends the refund again, or one that pays more: at the rate that is given, else
        at what the chain estimates.
        """
        choice = FeeChoice(fee_sat_per_vb, accept_high_fee)
        return refunding.refund(self, self.need(folder), chain, choice)

    def watch(
        self, folder: Path, chain: Chain, out: Path, refunds: bool, choice: FeeChoice
    ) -> Watched[Network | Refunded]:
        """Open as soon as the key is out, and with `refunds` refund once that is possible."""
        deal = self.need(folder)
        self.check_unshared(out, folder)
        opening.check_out(out)
        return watching.look(self, deal, chain, out, refunds, choice)

    def kept_coins(self, chain: Chain) -> Kept:
        """Coins of locks that were signed or drafted, up to their timeouts."""
        return kept_coins.kept_coins(self, chain)
