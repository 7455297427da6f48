"""The buyer's side of a deal: request, setup, verify, lock, then open or refund.

What must never happen twice, or out of order, and how it is prevented:
- a test set is spent once sent: its samples are in the ledger before the request is in the folder;
- the proof is checked with the verifying key of our own store, against the hash in the offer, and
  coins are locked to the very E of that proof, never twice to the same E: a second lock would pay
  again for a key that the first claim makes public;
- the funding and refund transactions are on disk before they are broadcast.
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bitcoin.core import CTransaction, b2lx

from bitcoin_scripts.chain import Chain, Outpoint, txid_of
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import build_lock, lock_outpoint
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.preimage import extract_preimage
from bitcoin_scripts.refund import build_refund
from circuits.size import check_size
from zkcmp import seal as sealing
from zkcmp.errors import DealError, VerificationError
from zkcmp.exchange import checks, messages
from zkcmp.exchange.deal import BuyerState, missing
from zkcmp.exchange.envelope import Kind
from zkcmp.exchange.identity import fingerprint, is_fingerprint_of
from zkcmp.exchange.ledger import SpentSamples
from zkcmp.exchange.messages import Delivery, Offer
from zkcmp.exchange.party import Deal, DealKeys, Party, refuse_foreign, taking_in
from zkcmp.exchange.statement import ciphertext_words
from zkcmp.exchange.store import SHARED_FILE, replacing, write_atomic
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent

if TYPE_CHECKING:
    from zkcmp.exchange.prover import DealStatement

MODE = "full"


@dataclass(frozen=True)
class Locked:
    """Coins in the hash-lock."""

    outpoint: Outpoint
    timeout_height: int
    confirmations: int
    repeated: bool


class Buyer(Party[BuyerState]):
    state_type = BuyerState

    def not_begun(self, folder: Path) -> DealError:
        if os.path.lexists(folder / messages.FILE_NAMES[Kind.OFFER]):
            return DealError(
                f"nothing was requested in {folder}; `zkcmp buyer request` begins a deal"
            )
        return missing(Kind.OFFER, folder)

    def inspect(self, folder: Path) -> Offer:
        """The offer in the folder, checked as `request` does; nothing is kept or sent."""
        with taking_in(folder, self.home.path, Kind.OFFER) as copy:
            offer = messages.read_offer(copy)
            checks.check_offer(offer)
            checks.check_not_expired(offer)
        return offer

    def request(
        self,
        folder: Path,
        test_set: TestSet,
        threshold: int,
        seller_fingerprint: str | None = None,
    ) -> Offer:
        """Accept the offer in the folder and send it the test set and the threshold."""
        self.home.check_outside(folder)
        deal = self.find(folder)
        if deal is None:
            deal = self._new_deal(folder, test_set, threshold, seller_fingerprint)
        state = deal.state
        same_set = (deal.directory / "test_set").read_bytes() == test_set.to_bytes()
        if not same_set or state.threshold != threshold:
            raise DealError(
                f"{folder} already has our request with another test set or threshold; an offer "
                "answers one request"
            )
        self._spent().spend(test_set.sample_digests(), bytes.fromhex(state.request))
        deal.save()
        deal.publish(Kind.REQUEST)
        return deal.offer()

    def _new_deal(
        self, folder: Path, test_set: TestSet, threshold: int, seller_fingerprint: str | None
    ) -> Deal[BuyerState]:
        with taking_in(folder, self.home.path, Kind.OFFER) as copy:
            offer = messages.read_offer(copy)
            architecture = checks.check_offer(offer)
            checks.check_not_expired(offer)
            found = fingerprint(offer.sender)
            asked = seller_fingerprint
            if asked is not None and not is_fingerprint_of(asked, offer.sender):
                raise VerificationError("offer: seller's fingerprint", repr(asked), found)
            test_set.check(architecture)
            check_size(architecture, len(test_set))
            if not 1 <= threshold <= len(test_set):
                raise VerificationError("threshold", f"1 to {len(test_set)} images", threshold)
            refuse_foreign(folder, Kind.REQUEST)
            self._spent().check(test_set.sample_digests())
            if (self.home.deal_directory(offer.deal) / "state.json").exists():
                raise DealError(
                    "we have this deal in another folder with another offer; ask for a new offer"
                )
            directory = self.begin(offer.deal)
            place = folder.resolve()
            state = BuyerState(
                offer.deal.hex(),
                str(place),
                offer.digest.hex(),
                offer.sender.hex(),
                offer.commitment.hex(),
                threshold=threshold,
                mode=MODE,
            )
            deal = Deal(directory, place, state)
            deal.accept(Kind.OFFER, copy)
        self._write_request(deal, offer, test_set)
        deal.save()
        return deal

    def _write_request(self, deal: Deal[BuyerState], offer: Offer, test_set: TestSet) -> None:
        keys = DealKeys.generate()
        keys.save(deal.directory / "keys")
        encoded = test_set.to_bytes()
        write_atomic(deal.directory / "test_set", encoded)
        record: dict[str, int | str | bytes] = {
            "reading_key": keys.reading.public_key,
            "refund_key": keys.coin_public,
            "threshold": deal.state.threshold,
            "mode": deal.state.mode,
            "nonce": secrets.token_bytes(16),
        }
        with replacing(deal.own(Kind.REQUEST)) as path:
            digest = messages.write_request(path, self.identity, offer, record, encoded)
        deal.state.request = digest.hex()

    def setup(
        self,
        folder: Path,
        progress: Progress = silent,
        ceremony: Path | None = None,
        ours: Sequence[bytes] = (),
    ) -> int:
        """Make proving and verifying key and send the former; returns the message's size.

        With the directory of a ceremony, take its key instead, provided that the records `ours` of
        our own contributions are in it, one in each phase.
        """
        deal = self.need(folder)
        if not deal.state.key_material:
            self._make_keys(deal, progress, ceremony, ours)
        if deal.state.delivery:
            return 0  # answered: the key material has served and is gone
        return deal.publish(Kind.KEY_MATERIAL).stat().st_size

    def _make_keys(
        self,
        deal: Deal[BuyerState],
        progress: Progress,
        ceremony: Path | None,
        ours: Sequence[bytes],
    ) -> None:
        from zkcmp.exchange import prover
        from zkcmp.exchange.forecast import require_setup_memory

        state, offer = deal.state, deal.offer()
        architecture = checks.check_offer(offer)
        test_set = self._test_set(deal)
        require_setup_memory(architecture, len(test_set), self.force)
        refuse_foreign(deal.folder, Kind.KEY_MATERIAL)
        with replacing(deal.directory / "proving.key") as proving_key:
            if ceremony is None:
                verifying_key = prover.setup(architecture, len(test_set), proving_key, progress)
            else:
                verifying_key = prover.take_ceremony(
                    architecture, len(test_set), ceremony, ours, proving_key, progress
                )
            write_atomic(deal.directory / "verifying.key", verifying_key)
            with replacing(deal.own(Kind.KEY_MATERIAL)) as path:
                digest = messages.write_key_material(
                    path,
                    self.identity,
                    offer,
                    bytes.fromhex(state.request),
                    prover.key_digest(verifying_key),
                    proving_key,
                    progress,
                )
        (deal.directory / "proving.key").unlink()
        state.verifying_key = prover.key_digest(verifying_key).hex()
        state.key_material = digest.hex()
        deal.save()

    def verify(self, folder: Path) -> tuple[Offer, int, int]:
        """Check the delivery against the offer: (offer, threshold, number of images)."""
        deal = self.need(folder)
        state, offer = deal.state, deal.offer()
        if not state.key_material:
            raise missing(Kind.KEY_MATERIAL)
        test_set = self._test_set(deal)
        if not state.delivery:
            with deal.taking_in(Kind.DELIVERY) as copy:
                delivery = self._read_delivery(deal, offer, copy)
                self._verify(deal, offer, test_set, delivery)
                deal.accept(Kind.DELIVERY, copy)
            state.delivery = delivery.digest.hex()
            deal.save()
            deal.own(Kind.KEY_MATERIAL).unlink(missing_ok=True)
        return offer, state.threshold, len(test_set)

    def _verify(
        self, deal: Deal[BuyerState], offer: Offer, test_set: TestSet, delivery: Delivery
    ) -> None:
        from zkcmp.exchange import prover

        statement = self._statement(deal, offer, test_set, delivery)
        verifying_key = (deal.directory / "verifying.key").read_bytes()
        prover.verify(statement, verifying_key, delivery.proof)

    def _statement(
        self, deal: Deal[BuyerState], offer: Offer, test_set: TestSet, delivery: Delivery
    ) -> "DealStatement":
        """What the delivery must prove. Raises VerificationError when it is no answer to us."""
        from zkcmp.exchange import prover

        state = deal.state
        architecture = checks.check_offer(offer)
        verifying_key_digest = bytes.fromhex(state.verifying_key)
        checks.check_delivery(delivery, offer, verifying_key_digest)
        return prover.DealStatement(
            architecture,
            ciphertext_words(delivery.ciphertext, offer.n_blocks),
            offer.commitment,
            test_set,
            state.threshold,
            state.mode,
            bytes.fromhex(state.request),
            verifying_key_digest,
        )

    def export(self, folder: Path, out: Path) -> None:
        """Write what `verify` verified for snarkjs, into the directory `out`.

        public.json holds the ciphertext and the test set, so `out` is made for us alone.
        """
        from zkcmp.exchange import prover

        deal = self.need(folder)
        offer = deal.offer()
        if not deal.state.delivery:
            raise DealError("the delivery was not verified yet; run `zkcmp buyer verify` first")
        if out.resolve() == folder.resolve():
            raise DealError(f"{out} is the deal folder, which others read; choose another --out")
        delivery = self._read_delivery(deal, offer, deal.own(Kind.DELIVERY))
        statement = self._statement(deal, offer, self._test_set(deal), delivery)
        verifying_key = (deal.directory / "verifying.key").read_bytes()
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        prover.export(statement, verifying_key, delivery.proof, out)

    def lock(self, folder: Path, chain: Chain, fee_sat_per_vb: int) -> Locked:
        """Lock the price to the verified E and tell the seller where."""
        deal = self.need(folder)
        state, offer = deal.state, deal.offer()
        if not state.delivery:
            raise DealError("the delivery was not verified yet; run `zkcmp buyer verify` first")
        checks.check_chain(offer, chain)
        repeated = bool(state.lock)
        if not state.funding_txid:
            self._fund(deal, offer, chain, fee_sat_per_vb)
        tx = deal.load_transaction("funding.tx")
        try:
            chain.broadcast(tx)
        except SettlementError:
            if not state.lock:  # once it was sent, only the refund or the claim ends it
                self._drop_superseded(deal, tx, chain)
            raise
        htlc, outpoint = self.locked(deal)
        if not state.lock:
            self._write_lock(deal, offer, htlc, outpoint)
        deal.publish(Kind.LOCK)
        depth = chain.confirmations(outpoint.txid)
        return Locked(outpoint, state.timeout_height, depth, repeated)

    def _drop_superseded(self, deal: Deal[BuyerState], tx: CTransaction, chain: Chain) -> None:
        """Forget a prepared funding transaction that can never be mined any more.

        Only a known other spend of its coins proves that; a refusal alone does not, and a second
        funding transaction beside a living first one would pay twice. Raises DealError then.
        """
        ours = txid_of(tx)
        coins = (Outpoint(b2lx(i.prevout.hash), i.prevout.n, 0) for i in tx.vin)
        spends = (chain.find_spend(coin) for coin in coins)
        if any(spend is not None and txid_of(spend) != ours for spend in spends):
            deal.state.funding_txid, deal.state.timeout_height = "", 0
            deal.save()
            raise DealError(
                "the coins of the prepared lock were spent elsewhere; repeat the command"
            )

    def _fund(
        self, deal: Deal[BuyerState], offer: Offer, chain: Chain, fee_sat_per_vb: int
    ) -> None:
        """Sign the funding transaction and put it on disk, with the timeout that it fixes."""
        state = deal.state
        for other in self.deals():
            same = other.state.commitment == state.commitment and other.state.deal != state.deal
            if same and other.state.funding_txid:
                raise DealError(
                    f"coins were already locked to this key in {other.folder}; a key is bought once"
                )
        refuse_foreign(deal.folder, Kind.LOCK)
        coins = chain.find_spendable(self.wallet_script)
        if not coins:
            raise DealError(
                f"no spendable coins at {self.wallet_address(chain.name)}; send some there "
                f"(on regtest: `zkcmp chain mine 101 --to {self.wallet_address(chain.name)}`)"
            )
        timeout_height = chain.height() + offer.timeout_blocks
        htlc = Htlc(offer.commitment, offer.claim_key, deal.keys().coin_public, timeout_height)
        tx = build_lock(
            coins, htlc, offer.price_sat, self.wallet_script, self._coin_secret, fee_sat_per_vb
        )
        deal.save_transaction("funding.tx", tx)
        state.timeout_height, state.funding_txid = timeout_height, txid_of(tx)
        deal.save()

    def _write_lock(
        self, deal: Deal[BuyerState], offer: Offer, htlc: Htlc, outpoint: Outpoint
    ) -> None:
        fields: dict[str, int | str | bytes] = {
            "deal": offer.deal,
            "answers": bytes.fromhex(deal.state.delivery),
            "redeem_script": bytes(htlc.redeem_script),
            "txid": bytes.fromhex(outpoint.txid),
            "vout": outpoint.vout,
            "amount_sat": outpoint.amount_sat,
            "timeout_height": htlc.timeout_height,
        }
        with replacing(deal.own(Kind.LOCK)) as path:
            digest = messages.write_lock(path, self.identity, fields)
        deal.state.lock = digest.hex()
        deal.save()

    def open(self, folder: Path, chain: Chain, out: Path) -> Network:
        """Read the key off the chain, open the seal, write the network as ONNX to `out`."""
        from zkcmp.model.onnx_io import export_onnx

        deal = self.need(folder)
        state, offer = deal.state, deal.offer()
        htlc, outpoint = self._need_lock(deal, offer, chain)
        spend = chain.find_spend(outpoint)
        if spend is None:
            raise DealError(
                "the seller has not redeemed yet (`zkcmp seller redeem`), so the key is unknown; "
                f"from height {state.timeout_height} on, `zkcmp buyer refund` returns the coins"
            )
        preimage = extract_preimage(spend, htlc)
        if preimage is None:
            raise DealError("the lock was refunded, so no key was published; the deal is over")
        architecture = checks.check_offer(offer)
        delivery = self._read_delivery(deal, offer, deal.own(Kind.DELIVERY))
        words = ciphertext_words(delivery.ciphertext, offer.n_blocks)
        network = sealing.open_seal(preimage, words, offer.commitment, architecture)
        self._write_model(out, export_onnx(network))
        state.opened = str(out.absolute())
        deal.save()
        return network

    def surely_labelled(self, folder: Path, network: Network) -> tuple[int, int]:
        """On how many of our test images the ONNX file surely labels as was proved, of how many.

        The proof is about integers, the file computes in doubles, and a seller can choose weights
        whose sums need more digits than a double has.
        """
        from zkcmp.model.double_rounding import stable_in_double

        test_set = self._test_set(self.need(folder))
        return int(stable_in_double(network, test_set.images).sum()), len(test_set)

    @staticmethod
    def _write_model(out: Path, data: bytes) -> None:
        if out.exists():
            if out.is_file() and out.read_bytes() == data:
                return
            raise DealError(f"{out} exists and is something else; choose another --out")
        write_atomic(out, data, SHARED_FILE & ~0o044)

    def refund(self, folder: Path, chain: Chain, fee_sat_per_vb: int) -> str:
        """Take the coins back after the timeout; the refund's transaction id."""
        deal = self.need(folder)
        state, offer = deal.state, deal.offer()
        htlc, outpoint = self._need_lock(deal, offer, chain)
        spend = chain.find_spend(outpoint)
        if spend is not None and extract_preimage(spend, htlc) is not None:
            raise DealError("the seller has redeemed; run `zkcmp buyer open` to get the network")
        if spend is not None:
            return txid_of(spend)
        wait = state.timeout_height - chain.height()
        if wait > 0:
            raise DealError(
                f"the refund is possible from height {state.timeout_height} on, {wait} blocks from "
                "now; repeat this then"
            )
        secret = deal.keys().coin_secret
        tx: CTransaction = build_refund(htlc, outpoint, secret, self.wallet_script, fee_sat_per_vb)
        deal.save_transaction("refund.tx", tx)
        state.refund_txid = txid_of(tx)
        deal.save()
        return chain.broadcast(tx)

    def _need_lock(
        self, deal: Deal[BuyerState], offer: Offer, chain: Chain
    ) -> tuple[Htlc, Outpoint]:
        if not deal.state.funding_txid:
            raise missing(Kind.LOCK)
        checks.check_chain(offer, chain)
        return self.locked(deal)

    def locked(self, deal: Deal[BuyerState]) -> tuple[Htlc, Outpoint]:
        """Terms and place of our lock, from our own records."""
        offer = deal.offer()
        refund_key = deal.keys().coin_public
        htlc = Htlc(offer.commitment, offer.claim_key, refund_key, deal.state.timeout_height)
        return htlc, lock_outpoint(deal.load_transaction("funding.tx"), htlc)

    def _read_delivery(self, deal: Deal[BuyerState], offer: Offer, path: Path) -> Delivery:
        return messages.read_delivery(
            path,
            offer,
            self.identity.public_key,
            bytes.fromhex(deal.state.request),
            bytes.fromhex(deal.state.key_material),
            deal.keys().reading,
        )

    @staticmethod
    def _test_set(deal: Deal[BuyerState]) -> TestSet:
        return TestSet.from_bytes((deal.directory / "test_set").read_bytes())

    def _spent(self) -> SpentSamples:
        return SpentSamples(self.home.path / "spent-samples")
