"""What each party checks about the other's messages before it acts on them.

Form, signature and belonging are `messages`' business; here: is what a well-formed message claims
acceptable? Both sides recompute everything, because either could be the liar: a seller could offer
an architecture whose sums wrap the field, a buyer could send pixels outside the input range, either
could ask for a proof too large for any machine, and a lock is looked up on the chain, never
believed.
"""

import hashlib
import time

from bitcoin_scripts.chain import Chain, Outpoint
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import Htlc, parse
from bitcoin_scripts.keys import check_public_key
from circuits.size import check_size
from zkcmp import seal
from zkcmp.errors import DealError, DecodeError, VerificationError
from zkcmp.exchange.identity import fingerprint, import_reading_key, is_fingerprint_of
from zkcmp.exchange.messages import Delivery, Lock, Offer, Request
from zkcmp.exchange.method import Method
from zkcmp.exchange.proof_size import check_proof_size
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.dataset import TestSet

DEFAULT_TIMEOUT_BLOCKS = 144
DEFAULT_MIN_BLOCKS_LEFT = 36
MAX_TIMEOUT_BLOCKS = 2016
"""A buyer's coins are never held longer than about two weeks."""

_ONE_COIN_SAT = 100_000_000


def default_confirmations(chain: str, price_sat: int) -> int:
    """How deep a lock must be before the key is revealed: deeper for more money.

    A lock that a reorganisation undoes after the reveal is the seller's loss. Six blocks, and one
    more for every whole bitcoin; on regtest, where nobody competes, one.
    """
    return 1 if chain == "regtest" else min(6 + price_sat // _ONE_COIN_SAT, 1000)


def check_offer(offer: Offer) -> Architecture:
    """The architecture of an acceptable offer. Raises DecodeError or VerificationError."""
    architecture = Architecture.from_bytes(offer.architecture)
    check_no_wrap(architecture)
    check_size(architecture, 1)
    blocks = seal.n_blocks(architecture)
    if offer.n_blocks != blocks:
        raise VerificationError("offer: number of ciphertext blocks", blocks, offer.n_blocks)
    _check_coin_key(offer.claim_key, "offer: claim key")
    import_reading_key(offer.reading_key)
    if offer.timeout_blocks > MAX_TIMEOUT_BLOCKS:
        limit = f"at most {MAX_TIMEOUT_BLOCKS}"
        raise VerificationError("offer: timeout blocks", limit, offer.timeout_blocks)
    if offer.timeout_blocks < offer.confirmations + offer.min_blocks_left:
        raise VerificationError(
            "offer: timeout blocks",
            f"room for {offer.confirmations} confirmations and {offer.min_blocks_left} blocks left",
            offer.timeout_blocks,
            "no lock could satisfy these terms; ask for another offer",
        )
    return architecture


def check_fingerprint(where: str, typed: str | None, key: bytes) -> None:
    """Raise VerificationError when a fingerprint was typed and it is not this key's."""
    if typed is not None and not is_fingerprint_of(typed, key):
        raise VerificationError(where, repr(typed), fingerprint(key))


def check_not_expired(offer: Offer) -> None:
    """Raise DealError once the offer is no longer open for requests."""
    if time.time() > offer.expires_at:
        when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(offer.expires_at))
        raise DealError(f"the offer expired on {when}; the seller must seal again")


def check_mode(mode: str | None, method: Method) -> None:
    """Raise VerificationError when the seller answers one mode only and this is another."""
    if mode is not None and mode != method.mode:
        raise VerificationError("request: mode", mode, method.title)


def check_request(request: Request, offer: Offer, architecture: Architecture) -> TestSet:
    """The test set of an acceptable request. Raises DecodeError or VerificationError."""
    test_set = TestSet.from_bytes(request.test_set)
    test_set.check(architecture)
    check_proof_size(architecture, len(test_set), request.proof_method)
    if request.threshold > len(test_set):
        limit = f"at most {len(test_set)} images"
        raise VerificationError("request: threshold", limit, request.threshold)
    _check_coin_key(request.refund_key, "request: refund key")
    if request.refund_key == offer.claim_key:
        raise VerificationError("request: refund key", "a key of the buyer's", "the seller's")
    import_reading_key(request.reading_key)
    return test_set


def check_delivery(delivery: Delivery, offer: Offer, parameters_digest: bytes) -> None:
    """The parts of a delivery that need no proof verification. Raises VerificationError."""
    digest = hashlib.sha256(delivery.ciphertext).digest()
    if digest != offer.ciphertext_digest:
        raise VerificationError(
            "delivery: hash of the ciphertext", offer.ciphertext_digest.hex(), digest.hex()
        )
    if delivery.parameters_digest != parameters_digest:
        raise VerificationError(
            "delivery: what to verify with",
            parameters_digest.hex(),
            delivery.parameters_digest.hex(),
        )


def check_lock(lock: Lock, offer: Offer, refund_key: bytes, chain: Chain) -> tuple[Htlc, Outpoint]:
    """The lock as the chain has it, if it is safe to reveal the key for it.

    Raises VerificationError for a lock that will never do, DealError for one to wait for.
    """
    check_chain(offer, chain)
    htlc, outpoint = lock_terms(lock, offer, refund_key)
    tx = chain.get_transaction(outpoint.txid)
    if tx is None:
        raise DealError(f"the lock {outpoint.txid} is not on the chain yet; repeat this later")
    if outpoint.vout >= len(tx.vout):
        raise VerificationError("lock: output number", f"below {len(tx.vout)}", outpoint.vout)
    output = tx.vout[outpoint.vout]
    if bytes(output.scriptPubKey) != bytes(htlc.script_pubkey):
        raise VerificationError(
            "lock: script on the chain", "the hash-lock of this deal", "another"
        )
    if output.nValue != offer.price_sat:
        raise VerificationError("lock: amount on the chain", offer.price_sat, output.nValue)
    depth = chain.confirmations(outpoint.txid)
    if depth < offer.confirmations:
        raise DealError(
            f"the lock has {depth} of {offer.confirmations} confirmations; repeat this later"
        )
    left = lock.timeout_height - chain.height()
    if left < offer.min_blocks_left:
        raise DealError(
            f"only {left} blocks are left before the buyer's refund, less than "
            f"{offer.min_blocks_left}; do not reveal the key, let the buyer take the refund"
        )
    return htlc, outpoint


def lock_terms(lock: Lock, offer: Offer, refund_key: bytes) -> tuple[Htlc, Outpoint]:
    """What a lock message says, equal to what this deal's lock must say."""
    expected = Htlc(offer.commitment, offer.claim_key, refund_key, lock.timeout_height)
    try:
        found = parse(lock.redeem_script)
    except SettlementError as error:
        raise DecodeError(f"lock: {error}") from None
    if found != expected:
        raise VerificationError(
            "lock: redeem script", "hashlock, keys and timeout of this deal", "others"
        )
    if lock.amount_sat != offer.price_sat:
        raise VerificationError("lock: amount in satoshi", offer.price_sat, lock.amount_sat)
    return expected, Outpoint(lock.txid.hex(), lock.vout, lock.amount_sat)


def check_chain(offer: Offer, chain: Chain) -> None:
    """Raise DealError when the deal settles on another chain than the one at hand."""
    if chain.name != offer.chain:
        raise DealError(f"this deal settles on {offer.chain}, not on {chain.name}")


def _check_coin_key(key: bytes, where: str) -> None:
    try:
        check_public_key(key)
    except SettlementError as error:
        raise DecodeError(f"{where}: {error}") from None
