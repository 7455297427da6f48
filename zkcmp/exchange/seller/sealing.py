"""The seller encrypts the network under a fresh key and publishes the offer."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zkcmp import seal as sealing
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.costs.proof_size import check_provable
from zkcmp.exchange.deal import SellerState
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal, DealKeys, Party, refuse_foreign
from zkcmp.exchange.private.store import replacing
from zkcmp.exchange.statement import ciphertext_bytes
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.network import Network


@dataclass(frozen=True)
class Terms:
    """What the seller asks for; blocks and satoshi. `expires_in_s` counts from now.

    On `main`, the seller has to know that the software is unaudited. Raises DealError for what is
    no whole number.
    """

    price_sat: int
    chain: str = "regtest"
    timeout_blocks: int = checks.DEFAULT_TIMEOUT_BLOCKS
    min_blocks_left: int = checks.DEFAULT_MIN_BLOCKS_LEFT
    confirmations: int | None = None
    expires_in_s: int = 7 * 24 * 3600
    accept_unaudited_on_mainnet: bool = False

    def __post_init__(self) -> None:
        for name in ("price_sat", "timeout_blocks", "min_blocks_left", "expires_in_s"):
            value = getattr(self, name)
            if not isinstance(value, int):
                raise DealError(f"{name} must be a whole number, not {value!r}")

    @property
    def depth(self) -> int:
        """Confirmations of the lock before the key is revealed."""
        return self.confirmations or checks.default_confirmations(self.chain, self.price_sat)


def seal(seller: Party[SellerState], folder: Path, network: Network, terms: Terms) -> Offer:
    """Begin a deal in this folder, or publish its offer again."""
    seller.home.check_outside(folder)
    checks.check_accepted_chain(terms.chain, terms.accept_unaudited_on_mainnet)
    check_no_wrap(network.architecture)
    check_provable(network.architecture)
    weights = weights_digest(network)
    deal = seller.find(folder)
    if deal is None:
        refuse_foreign(folder, Kind.OFFER)
        deal = _new_deal(seller, folder, network, weights, terms)
    offer = deal.offer()
    kept = (offer.price_sat, offer.chain, offer.timeout_blocks, offer.min_blocks_left)
    asked = (terms.price_sat, terms.chain, terms.timeout_blocks, terms.min_blocks_left)
    if deal.state.weights != weights.hex() or (kept, offer.confirmations) != (asked, terms.depth):
        raise DealError(
            f"{folder} already has an offer of another network or on other terms; "
            "seal into a new deal folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    deal.save()
    deal.publish(Kind.OFFER)
    return offer


def weights_digest(network: Network) -> bytes:
    """Names a network in the seller's own ledger, whatever key seals it."""
    state = hashlib.sha256(b"zkcmp weights" + network.architecture.digest)
    for tensor in network.tensors:
        state.update(np.ascontiguousarray(tensor, dtype="<i8").tobytes())
    return state.digest()


def _new_deal(
    seller: Party[SellerState], folder: Path, network: Network, weights: bytes, terms: Terms
) -> Deal[SellerState]:
    deal_id = secrets.token_bytes(16)
    sealed, preimage = sealing.seal(network)
    ciphertext = ciphertext_bytes(sealed.ciphertext)
    keys = DealKeys.generate()
    fields: dict[str, int | str | bytes] = {
        "deal": deal_id,
        "claim_key": keys.coin_public,
        "reading_key": keys.reading.public_key,
        "commitment": sealed.commitment,
        "ciphertext_digest": hashlib.sha256(ciphertext).digest(),
        "n_blocks": len(sealed.ciphertext),
        "chain": terms.chain,
        "price_sat": terms.price_sat,
        "timeout_blocks": terms.timeout_blocks,
        "confirmations": terms.depth,
        "min_blocks_left": terms.min_blocks_left,
        "expires_at": int(time.time()) + terms.expires_in_s,
    }
    state = SellerState(deal_id.hex(), str(folder.resolve()), "", weights.hex())
    with seller.home.beginning(deal_id) as directory:
        deal = Deal(directory, folder.resolve(), state, seller.files)
        deal.write_secret("preimage", preimage)
        deal.write_secret("ciphertext", ciphertext)
        keys.save(directory / "keys", seller.files)
        with replacing(deal.own(Kind.OFFER)) as path:
            architecture = network.architecture.to_bytes()
            state.offer = messages.write_offer(path, seller.identity, fields, architecture).hex()
        checks.check_offer(deal.offer())
        deal.save()
    return Deal(seller.home.deal_directory(deal_id), folder.resolve(), state, seller.files)
