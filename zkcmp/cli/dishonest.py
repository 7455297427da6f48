"""Dishonest acts, for the demo and the tests: each goes around the honest commands' own checks.

Nothing here weakens a party; a cheat can of course run any code. What matters is that the other
side, or the chain, refuses the result.
"""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.refund import build_refund
from zkcmp import seal as sealing
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.deal import SellerState
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.method import HYRAX, Method
from zkcmp.exchange.party import Deal
from zkcmp.exchange.private.store import replacing
from zkcmp.exchange.seller import Seller
from zkcmp.exchange.statement import ciphertext_bytes, ciphertext_words
from zkcmp.model.network import Network

if TYPE_CHECKING:
    from zkcmp.exchange.proofs import Asked

FORGERIES = ("another network's ciphertext", "a proof of something else")


def altered(network: Network) -> Network:
    """The same network with its first weight moved by one."""
    tensors = [tensor.copy() for tensor in network.tensors]
    spec = network.architecture.tensors()[0]
    first = tensors[0].reshape(-1)
    first[0] += 1 if first[0] < spec.high else -1
    return Network(network.architecture, tensors)


def _sealed(deal: Deal[SellerState], offer: Offer) -> tuple[Network, bytes]:
    """The sealed network and its preimage."""
    preimage = deal.read_secret("preimage")
    words = ciphertext_words(deal.read_secret("ciphertext"), offer.n_blocks)
    architecture = checks.check_offer(offer)
    return sealing.open_seal(preimage, words, offer.commitment, architecture), preimage


def prove_another_network(seller: Seller, folder: Path) -> None:
    """Try to make the proof that the request asks for with a network that was not sealed.

    Raises VerificationError naming the constraint that cannot be met.
    """
    from zkcmp.exchange.proofs import Asked, DealStatement, backend

    deal = seller.need(folder)
    offer = deal.offer()
    request = messages.read_request(
        folder / messages.FILE_NAMES[Kind.REQUEST], offer, deal.keys().reading
    )
    test_set = checks.check_request(request, offer, checks.check_offer(offer))
    network, preimage = _sealed(deal, offer)
    words = ciphertext_words(deal.read_secret("ciphertext"), offer.n_blocks)
    asked = Asked(network.architecture, test_set, request.proof_method)
    if asked.method.backend == "libra":
        # whatever it is committed with, the statement is false; this scheme needs no parameters
        prover = backend(HYRAX)
        digest = prover.parameters_digest(None)
        statement = DealStatement(asked, words, offer.commitment, 1, request.digest, digest)
        prover.prove(statement, altered(network), preimage, None)
    else:
        _check_circuit(asked, altered(network), preimage, words, offer.commitment)


def _check_circuit(
    asked: "Asked", network: Network, preimage: bytes, words: np.ndarray, commitment: bytes
) -> None:
    """Raise a VerificationError that names what this network violates; needs no key."""
    from zkcmp.bn254.params import FR_MODULUS
    from zkcmp.exchange.proofs import circuit

    statement = circuit.build(asked)

    def respond(_: object) -> list[int]:
        # what an honest verifier's challenges would be, for all that a prover can foresee
        return [secrets.randbelow(FR_MODULUS) for _ in range(statement.r1cs.n_challenges)]

    # an easy threshold: what fails must be the seal, not the accuracy of the altered network
    witness = statement.witness(
        network, preimage, words, commitment, asked.test_set, 1, bytes(32), respond
    )
    statement.check(witness)


@contextlib.contextmanager
def forge_delivery(seller: Seller, buyer: Buyer, folder: Path, forgery: str) -> Iterator[None]:
    """Put a forged delivery, validly signed, in place of the honest one meanwhile.

    The forger is given the honest delivery in plain, so that only one thing in it is false.
    """
    deal, bought = seller.need(folder), buyer.need(folder)
    offer, target = deal.offer(), folder / messages.FILE_NAMES[Kind.DELIVERY]
    answered = bytes.fromhex(deal.state.key_material or deal.state.request)
    request = messages.read_request(deal.own(Kind.REQUEST), offer, deal.keys().reading)
    honest = messages.read_delivery(
        target, offer, request.sender, request.digest, answered, bought.keys().reading
    )
    ciphertext, proof = honest.ciphertext, honest.proof
    if forgery == FORGERIES[0]:
        network, preimage = _sealed(deal, offer)
        ciphertext = ciphertext_bytes(sealing.encrypt(altered(network), preimage).ciphertext)
    else:
        proof = _swapped(proof, request.proof_method)
    named = honest.parameters_digest
    with replacing(target) as path:
        messages.write_delivery(
            path, seller.identity, offer, request, answered, named, ciphertext, proof
        )
    try:
        yield
    finally:
        target.unlink()
        deal.publish(Kind.DELIVERY)


def _swapped(proof: bytes, method: Method) -> bytes:
    """Two elements of the proof exchanged: well-formed, and a proof of nothing."""
    if method.backend == "libra":
        start = 16 + int.from_bytes(proof[12:16], "little")  # after the head and the commitment
        one, two = proof[start : start + 32], proof[start + 32 : start + 64]
        return proof[:start] + two + one + proof[start + 64 :]
    # A and C are both points of G1
    return proof[96:128] + proof[32:96] + proof[:32] + proof[128:]


def refund_now(buyer: Buyer, folder: Path, chain: Chain) -> None:
    """Broadcast the refund without waiting. Raises SettlementError when the chain refuses it."""
    deal = buyer.need(folder)
    htlc, outpoint = buyer.locked(deal)
    chain.broadcast(build_refund(htlc, outpoint, deal.keys().coin_secret, buyer.wallet_script, 2))
