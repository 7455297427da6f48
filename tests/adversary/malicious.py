"""A seller and a buyer that know what honest ones know, and sign and send what serves them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deal_stages import NETWORK, PRICE_SAT, Result, Sale
from settling import chain_of

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.funding import build_lock, lock_outpoint
from bitcoin_scripts.htlc import Htlc
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer, Request
from zkcmp.exchange.messages.identity import Identity
from zkcmp.exchange.proofs import Asked, DealStatement, backend
from zkcmp.exchange.seller import Seller
from zkcmp.exchange.statement import ciphertext_words
from zkcmp.model.network import Network

WRITER: dict[str, tuple[str, Callable[[Sale], Result]]] = {
    "offer": ("ready", Sale.seal),
    "request": ("sealed", Sale.request),
    "key-material": ("requested", lambda sale: sale.run("buyer", "setup")),
    "delivery": ("set_up", Sale.prove),
    "lock": ("verified", lambda sale: sale.run("buyer", "lock")),
}
"""Which command writes it."""


def at_home(sale: Sale) -> Sale:
    """The sale, whose parties note its new place: they know their deal without its offer then."""
    for party, home in ((Seller, "seller"), (Buyer, "buyer")):
        with party.opened(sale.root / home) as opened:
            opened.need(sale.deal).save()
    return sale


def verify(sale: Sale) -> Result:
    return sale.run("buyer", "verify")


@dataclass(frozen=True, repr=False)
class CheatingSeller:
    """A seller that was asked, has bound itself to nothing, and may prove and send anything."""

    identity: Identity
    offer: Offer
    request: Request
    answered: bytes
    statement: DealStatement
    preimage: bytes
    ciphertext: bytes
    key: Path

    @classmethod
    def of(cls, sale: Sale, key: Path) -> "CheatingSeller":
        """The seller of a sale that was not answered; the buyer's proving key goes to `key`."""
        offer = messages.read_offer(sale.message("offer"))
        with Seller.opened(sale.root / "seller") as seller:
            deal = seller.need(sale.deal)
            reading = deal.keys().reading
            request = messages.read_request(sale.message("request"), offer, reading)
            method = request.proof_method
            if method.has_key_material:
                material = messages.read_key_material(
                    sale.message("key-material"), offer, request, reading, key
                )
                answered, parameters = material.digest, material.verifying_key_digest
            else:
                answered, parameters = request.digest, backend(method).parameters_digest(None)
            preimage, ciphertext = deal.read_secret("preimage"), deal.read_secret("ciphertext")
        architecture = checks.check_offer(offer)
        asked = Asked(architecture, checks.check_request(request, offer, architecture), method)
        words = ciphertext_words(ciphertext, offer.n_blocks)
        statement = DealStatement(
            asked, words, offer.commitment, request.threshold, request.digest, parameters
        )
        identity = seller.identity
        return cls(identity, offer, request, answered, statement, preimage, ciphertext, key)

    def prove(
        self,
        statement: DealStatement | None = None,
        network: Network = NETWORK,
        preimage: bytes | None = None,
        key: Path | None = None,
    ) -> bytes:
        """A proof of any true statement, by default of the one that was asked for."""
        method = self.request.proof_method
        return backend(method).prove(
            statement or self.statement,
            network,
            preimage or self.preimage,
            (key or self.key) if method.has_key_material else None,
        )

    def deliver(
        self,
        sale: Sale,
        proof: bytes,
        ciphertext: bytes | None = None,
        parameters: bytes | None = None,
    ) -> None:
        """A delivery, validly signed and encrypted to the buyer, with any contents."""
        sale.message("delivery").unlink(missing_ok=True)
        messages.write_delivery(
            sale.message("delivery"),
            self.identity,
            self.offer,
            self.request,
            self.answered,
            parameters or self.statement.parameters_digest,
            ciphertext or self.ciphertext,
            proof,
        )


@dataclass(frozen=True, repr=False)
class CheatingBuyer:
    """A buyer that has verified, and pays and announces what it likes."""

    sale: Sale
    offer: Offer
    identity: Identity
    delivery: bytes
    refund_key: bytes

    @classmethod
    def of(cls, sale: Sale) -> "CheatingBuyer":
        with Buyer.opened(sale.root / "buyer") as buyer:
            deal = buyer.need(sale.deal)
            verified = bytes.fromhex(deal.state.delivery)
            return cls(sale, deal.offer(), buyer.identity, verified, deal.keys().coin_public)

    def terms(self, blocks: int) -> Htlc:
        """The agreed hash-lock, with its timeout so many blocks after the tip."""
        with chain_of(self.sale) as chain:
            height = chain.height() + blocks
        return Htlc(self.offer.commitment, self.offer.claim_key, self.refund_key, height)

    def pay(self, htlc: Htlc, amount_sat: int = PRICE_SAT) -> Outpoint:
        """Lock coins on any terms, one block deep."""
        with Buyer.opened(self.sale.root / "buyer") as buyer, chain_of(self.sale) as chain:
            coins = chain.find_spendable(buyer.wallet_script)
            secret = (self.sale.root / "buyer" / "wallet.key").read_bytes()
            tx = build_lock(coins, htlc, amount_sat, buyer.wallet_script, secret, 2)
            chain.broadcast(tx)
            chain.mine(1, b"\x51")
            return lock_outpoint(tx, htlc)

    def announce(self, htlc: Htlc, place: Outpoint, **changed: object) -> None:
        """A lock message about these terms and this output, some of it false."""
        fields = {
            "deal": self.offer.deal,
            "answers": self.delivery,
            "redeem_script": bytes(htlc.redeem_script),
            "txid": bytes.fromhex(place.txid),
            "vout": place.vout,
            "amount_sat": PRICE_SAT,
            "timeout_height": htlc.timeout_height,
            **changed,
        }
        self.sale.message("lock").unlink(missing_ok=True)
        messages.write_lock(self.sale.message("lock"), self.identity, fields)
