"""The seller's side of a deal: seal, audit, prove, redeem.

What must never happen twice, or out of order, and how it is prevented:
- one seal serves one request of one buyer: it is bound durably, with its key material, before
  anything about it is computed;
- the preimage is on disk before the offer exists, the claim before it is broadcast, and the key is
  revealed only for a lock that the chain has, deep enough and long enough before its timeout;
- every refusal after a request was read looks the same from outside: nothing is written to the
  deal folder, and the reason is told on this side only. Silence, too, is an answer of sorts: a
  seller that refuses should refuse for good.
"""

import contextlib
import hashlib
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bitcoin.core import CTransaction

from bitcoin_scripts.chain import Chain, txid_of
from bitcoin_scripts.claim import build_claim
from bitcoin_scripts.errors import SettlementError
from circuits.size import check_size
from zkcmp import seal as sealing
from zkcmp.errors import DealError, VerificationError, ZkcmpError
from zkcmp.exchange import checks, messages
from zkcmp.exchange.deal import SellerState, missing
from zkcmp.exchange.envelope import Kind
from zkcmp.exchange.identity import fingerprint, is_fingerprint_of
from zkcmp.exchange.ledger import AnsweredRequests
from zkcmp.exchange.messages import KeyMaterial, Offer, Request
from zkcmp.exchange.party import Deal, DealKeys, Party, refuse_foreign
from zkcmp.exchange.statement import ciphertext_bytes, ciphertext_words
from zkcmp.exchange.store import replacing, same_bytes, write_atomic
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Network
from zkcmp.progress import Progress, silent

_PROVING_KEY = "proving.key"


@dataclass(frozen=True)
class Terms:
    """What the seller asks for; blocks and satoshi. `expires_in_s` counts from now."""

    price_sat: int
    chain: str = "regtest"
    timeout_blocks: int = checks.DEFAULT_TIMEOUT_BLOCKS
    min_blocks_left: int = checks.DEFAULT_MIN_BLOCKS_LEFT
    confirmations: int | None = None
    expires_in_s: int = 7 * 24 * 3600

    @property
    def depth(self) -> int:
        return self.confirmations or checks.default_confirmations(self.chain, self.price_sat)


@dataclass(frozen=True)
class Audited:
    """What `audit` found acceptable: whose key, for how many images, and its digest."""

    buyer: str
    n_images: int
    threshold: int
    proving_key: bytes
    repeated: bool


@dataclass(frozen=True)
class Proved:
    """What `prove` did: for whom, and how often these weights have answered by now."""

    buyer: str
    n_images: int
    threshold: int
    answered: int
    repeated: bool


@dataclass(frozen=True)
class Redeemed:
    """The claim on the chain."""

    txid: str
    confirmations: int
    repeated: bool


class Seller(Party[SellerState]):
    state_type = SellerState

    def seal(self, folder: Path, network: Network, terms: Terms) -> Offer:
        """Encrypt the network under a fresh key and publish the offer."""
        self.home.check_outside(folder)
        check_no_wrap(network.architecture)
        check_size(network.architecture, 1)
        weights = weights_digest(network)
        deal = self.find(folder)
        if deal is None:
            refuse_foreign(folder, Kind.OFFER)
            deal = self._new_deal(folder, network, weights, terms)
        offer = deal.offer()
        kept = (offer.price_sat, offer.chain, offer.timeout_blocks, offer.min_blocks_left)
        asked = (terms.price_sat, terms.chain, terms.timeout_blocks, terms.min_blocks_left)
        if deal.state.weights != weights.hex() or (kept, offer.confirmations) != (
            asked,
            terms.depth,
        ):
            raise DealError(
                f"{folder} already has an offer of another network or on other terms; "
                "seal into a new deal folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        deal.save()
        deal.publish(Kind.OFFER)
        return offer

    def _new_deal(
        self, folder: Path, network: Network, weights: bytes, terms: Terms
    ) -> Deal[SellerState]:
        deal_id = secrets.token_bytes(16)
        seal, preimage = sealing.seal(network)
        directory = self.begin(deal_id)
        write_atomic(directory / "preimage", preimage)
        ciphertext = ciphertext_bytes(seal.ciphertext)
        write_atomic(directory / "ciphertext", ciphertext)
        keys = DealKeys.generate()
        keys.save(directory / "keys")
        fields: dict[str, int | str | bytes] = {
            "deal": deal_id,
            "claim_key": keys.coin_public,
            "reading_key": keys.reading.public_key,
            "commitment": seal.commitment,
            "ciphertext_digest": hashlib.sha256(ciphertext).digest(),
            "n_blocks": len(seal.ciphertext),
            "chain": terms.chain,
            "price_sat": terms.price_sat,
            "timeout_blocks": terms.timeout_blocks,
            "confirmations": terms.depth,
            "min_blocks_left": terms.min_blocks_left,
            "expires_at": int(time.time()) + terms.expires_in_s,
        }
        state = SellerState(deal_id.hex(), str(folder.resolve()), "", weights.hex())
        deal = Deal(directory, folder.resolve(), state)
        with replacing(deal.own(Kind.OFFER)) as path:
            architecture = network.architecture.to_bytes()
            state.offer = messages.write_offer(path, self.identity, fields, architecture).hex()
        checks.check_offer(deal.offer())
        return deal

    def audit(
        self,
        folder: Path,
        buyer_fingerprint: str | None = None,
        progress: Progress = silent,
    ) -> Audited:
        """Take request and key material in and check that proving with the key is safe, or refuse.

        Nothing of the network is used, so what comes out depends on the buyer's messages alone.
        """
        from zkcmp.exchange import prover

        deal = self.need(folder)
        state, offer = deal.state, deal.offer()
        architecture = checks.check_offer(offer)
        repeated = bool(state.request)
        request = self._bind(deal, offer, architecture, buyer_fingerprint, progress)
        test_set = checks.check_request(request, offer, architecture)
        audited = bytes.fromhex(state.audited)
        if not state.delivery:
            prover.check_audited(deal.directory / _PROVING_KEY, audited)
        return Audited(
            fingerprint(request.sender), len(test_set), request.threshold, audited, repeated
        )

    def prove(
        self,
        folder: Path,
        buyer_fingerprint: str | None = None,
        progress: Progress = silent,
    ) -> Proved:
        """Answer the request in the folder with ciphertext and proof, or refuse.

        Audits the key material first, unless that was done.
        """
        deal = self.need(folder)
        state, offer = deal.state, deal.offer()
        architecture = checks.check_offer(offer)
        request = self._bind(deal, offer, architecture, buyer_fingerprint, progress)
        test_set = checks.check_request(request, offer, architecture)
        repeated = bool(state.delivery)
        if not repeated:
            self._deliver(deal, offer, architecture, request, test_set, progress)
        deal.publish(Kind.DELIVERY)
        return Proved(
            fingerprint(request.sender),
            len(test_set),
            request.threshold,
            self.answered(deal),
            repeated,
        )

    def _bind(
        self,
        deal: Deal[SellerState],
        offer: Offer,
        architecture: Architecture,
        buyer_fingerprint: str | None,
        progress: Progress,
    ) -> Request:
        """The one request of this seal, from our own copy, bound together with its audited key.

        Nothing is kept of a pair of which one message is not acceptable.
        """
        state, own = deal.state, deal.own(Kind.REQUEST)
        for kind, kept in (
            (Kind.REQUEST, state.request),
            (Kind.KEY_MATERIAL, state.key_material),
        ):
            if not kept and not deal.offered(kind):
                raise missing(kind, deal.folder)
        with contextlib.ExitStack() as stack:
            path = own
            if deal.offered(Kind.REQUEST):
                copy = stack.enter_context(deal.taking_in(Kind.REQUEST))
                path = own if same_bytes(copy, own) else copy
            try:
                request = messages.read_request(path, offer, deal.keys().reading)
            except ZkcmpError:
                # the request that this seal is bound to is not undone by a bad file
                if not state.request:
                    raise
                request = messages.read_request(own, offer, deal.keys().reading)
            if state.request and request.digest.hex() != state.request:
                raise DealError(
                    "this seal is bound to an earlier request and answers no other: a second "
                    "holder of the ciphertext would get the network for nothing; seal again in "
                    "a new deal folder"
                )
            test_set = checks.check_request(request, offer, architecture)
            if state.request:
                return request
            checks.check_not_expired(offer)
            found = fingerprint(request.sender)
            asked = buyer_fingerprint
            if asked is not None and not is_fingerprint_of(asked, request.sender):
                raise VerificationError("request: buyer's fingerprint", repr(asked), found)
            material, audited = self._take_key(
                deal, offer, architecture, request, len(test_set), progress
            )
            if path != own:
                deal.accept(Kind.REQUEST, path)
            state.request, state.buyer = request.digest.hex(), request.sender.hex()
            state.key_material = material.digest.hex()
            state.audited = audited.hex()
            deal.save()
        return request

    def _take_key(
        self,
        deal: Deal[SellerState],
        offer: Offer,
        architecture: Architecture,
        request: Request,
        n_images: int,
        progress: Progress,
    ) -> tuple[KeyMaterial, bytes]:
        """Decrypt the proving key into the private directory and audit it; also its digest."""
        from zkcmp.exchange import prover
        from zkcmp.exchange.forecast import require_prove_memory

        require_prove_memory(architecture, n_images, self.force)
        limit = checks.key_material_limit(architecture, n_images)
        with (
            deal.taking_in(Kind.KEY_MATERIAL, limit) as copy,
            replacing(deal.directory / _PROVING_KEY) as path,
        ):
            material = messages.read_key_material(
                copy, offer, request, deal.keys().reading, path, progress
            )
            audited = prover.audit(path, architecture, n_images, progress)
            found = audited.verifying_key
            if found != material.verifying_key_digest:
                raise VerificationError("key material: verifying key", "the announced one", found)
        return material, audited.proving_key

    def _deliver(
        self,
        deal: Deal[SellerState],
        offer: Offer,
        architecture: Architecture,
        request: Request,
        test_set: TestSet,
        progress: Progress,
    ) -> None:
        from zkcmp.exchange import prover
        from zkcmp.exchange.forecast import require_prove_memory

        require_prove_memory(architecture, len(test_set), self.force)
        proving_key = deal.directory / _PROVING_KEY
        verifying_key_digest = prover.check_audited(proving_key, bytes.fromhex(deal.state.audited))
        preimage = (deal.directory / "preimage").read_bytes()
        ciphertext = (deal.directory / "ciphertext").read_bytes()
        words = ciphertext_words(ciphertext, offer.n_blocks)
        network = sealing.open_seal(preimage, words, offer.commitment, architecture)
        # a refusal is an answer, too: it tells the same bit
        self._answered().record(bytes.fromhex(deal.state.weights), request.digest)
        correct = int(np.sum(network.predict(test_set.images) == test_set.labels))
        if correct < request.threshold:
            raise DealError(
                f"refused: the network gets {correct} of {len(test_set)} right and the buyer asks "
                f"for {request.threshold}; nothing was sent, and the buyer is not told why"
            )
        statement = prover.DealStatement(
            architecture,
            words,
            offer.commitment,
            test_set,
            request.threshold,
            request.mode,
            request.digest,
            verifying_key_digest,
        )
        proof = prover.prove(statement, network, preimage, proving_key, progress)
        record: dict[str, int | str | bytes] = {
            "proof": proof,
            "request": request.digest,
            "verifying_key_digest": statement.verifying_key_digest,
        }
        with replacing(deal.own(Kind.DELIVERY)) as path:
            digest = messages.write_delivery(
                path,
                self.identity,
                offer,
                request,
                bytes.fromhex(deal.state.key_material),
                record,
                ciphertext,
            )
        deal.state.delivery = digest.hex()
        deal.save()
        proving_key.unlink(missing_ok=True)

    def redeem(self, folder: Path, chain: Chain, fee_sat_per_vb: int) -> Redeemed:
        """Claim the locked coins, which publishes the key, once that is safe."""
        deal = self.need(folder)
        state, offer = deal.state, deal.offer()
        if not state.delivery:
            raise missing(Kind.DELIVERY)
        checks.check_chain(offer, chain)
        known = state.claim_txid and chain.get_transaction(state.claim_txid) is not None
        repeated = bool(state.claim_sent or known)
        if repeated:
            claim = deal.load_transaction("claim.tx")
        else:
            claim = self._build_claim(deal, offer, chain, fee_sat_per_vb)
        if not state.claim_sent:
            # from here on the key may be public, so whatever happens the claim is sent again
            state.claim_sent = True
            deal.save()
        try:
            txid = chain.broadcast(claim)
        except SettlementError:
            if not repeated:
                # refused by consensus, so nobody has seen it
                state.claim_sent = False
                deal.save()
            raise
        return Redeemed(txid, chain.confirmations(txid), repeated)

    def _build_claim(
        self, deal: Deal[SellerState], offer: Offer, chain: Chain, fee_sat_per_vb: int
    ) -> CTransaction:
        """Check the lock message and the chain; the signed claim, already on disk."""
        state, keys = deal.state, deal.keys()
        request = messages.read_request(deal.own(Kind.REQUEST), offer, keys.reading)
        answers = bytes.fromhex(state.delivery)
        try:
            with deal.taking_in(Kind.LOCK) as copy:
                lock = messages.read_lock(copy, offer.deal, request.sender, answers)
                checks.lock_terms(lock, offer, request.refund_key)
                deal.accept(Kind.LOCK, copy)
        except ZkcmpError:
            # one that came earlier and was good is not undone by a bad one
            if not deal.own(Kind.LOCK).exists():
                raise
        lock = messages.read_lock(deal.own(Kind.LOCK), offer.deal, request.sender, answers)
        htlc, outpoint = checks.check_lock(lock, offer, request.refund_key, chain)
        if chain.find_spend(outpoint) is not None:
            raise DealError(
                "the lock was spent already: the buyer took the refund; the deal is over"
            )
        preimage = (deal.directory / "preimage").read_bytes()
        claim = build_claim(
            htlc, outpoint, preimage, keys.coin_secret, self.wallet_script, fee_sat_per_vb
        )
        deal.save_transaction("claim.tx", claim)
        state.lock, state.claim_txid = lock.digest.hex(), txid_of(claim)
        deal.save()
        return claim

    def answered(self, deal: Deal[SellerState]) -> int:
        """How many requests these weights have answered, in all deals."""
        return self._answered().count(bytes.fromhex(deal.state.weights))

    def _answered(self) -> AnsweredRequests:
        return AnsweredRequests(self.home.path / "answered.json")


def weights_digest(network: Network) -> bytes:
    """Names a network in the seller's own ledger, whatever key seals it."""
    state = hashlib.sha256(b"zkcmp weights" + network.architecture.digest)
    for tensor in network.tensors:
        state.update(np.ascontiguousarray(tensor, dtype="<i8").tobytes())
    return state.digest()
