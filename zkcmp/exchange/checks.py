"""What each party checks about the other's messages before it acts on them.

Form, signature and belonging are `messages`' business; here: is what a well-formed message claims
acceptable? Both sides recompute everything, because either could be the liar: a seller could offer
an architecture whose sums wrap the field, a buyer could send pixels outside the input range, either
could ask for a proof too large for any machine, and a lock is looked up on the chain, never
believed.
"""

import hashlib
import re
import time

from bitcoin.core import CTransaction

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Chain, Outpoint
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fee_rates import FeeChoice, claim_target
from bitcoin_scripts.htlc import Htlc, parse
from bitcoin_scripts.keys import check_public_key
from zkcmp import seal
from zkcmp.errors import DealError, DecodeError, VerificationError
from zkcmp.exchange.costs.proof_size import check_proof_size, check_provable
from zkcmp.exchange.messages.contents import Delivery, Lock, Offer, Request
from zkcmp.exchange.messages.identity import fingerprint, import_reading_key, is_fingerprint_of
from zkcmp.exchange.method import Method
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.dataset import TestSet
from zkcmp.model.export_size import MAX_EXPORT_BYTES, export_bytes

DEFAULT_TIMEOUT_BLOCKS = 144
DEFAULT_MIN_BLOCKS_LEFT = 36
MAX_TIMEOUT_BLOCKS = 2016
"""A buyer's coins are never held longer than about two weeks."""

TIMEOUT_SLACK_BLOCKS = 6
"""How much later than agreed, counted from the block of the lock, its timeout may be."""

SCAN_BLOCKS = 13_000
"""About ninety days: a message cannot make a party search more of the chain than that."""

REORGANISED_BLOCKS = 144
"""Deeper ones are not expected: a transaction is looked for so far below the height it is of."""

MIN_PRICE_SAT = 1000
"""Less could not pay for its own claim."""

_MIN_BLOCKS_LEFT = 18
_ROOM_BLOCKS = 12
_MIN_CONFIRMATIONS = {"signet": 2, "testnet": 3, "main": 3}
_SLOWEST_TARGET_BLOCKS = 144
_ONE_COIN_SAT = 100_000_000
_FINGERPRINT = re.compile("[0-9a-fA-F]{32}")
_LOCK_AGAIN = "do not reveal the key; the buyer must take the refund and lock again"


class NotYet(DealError):
    """What is asked for may become possible by waiting; the text says for what."""


def default_confirmations(chain: str, price_sat: int) -> int:
    """How deep a lock must be before the key is revealed: deeper for more money.

    A lock that a reorganisation undoes after the reveal is the seller's loss. Six blocks, and one
    more for every whole bitcoin; on regtest, where nobody competes, one.
    """
    return 1 if chain == "regtest" else min(6 + price_sat // _ONE_COIN_SAT, 1000)


def min_confirmations(chain: str, price_sat: int) -> int:
    """What an offer has to ask for at the least: half of the default, and never one or two."""
    if chain == "regtest":
        return 1
    return max(_MIN_CONFIRMATIONS[chain], default_confirmations(chain, price_sat) // 2)


def check_accepted_chain(chain: str, accept_unaudited_on_mainnet: bool) -> None:
    """Raise DealError for a deal about real coins unless that was said to be meant."""
    if chain == "main" and not accept_unaudited_on_mainnet:
        raise DealError(
            "this deal settles with real coins, and this software is unaudited; use another chain, "
            "or say --accept-unaudited-on-mainnet"
        )


def check_offer(offer: Offer) -> Architecture:
    """The architecture of an acceptable offer. Raises DecodeError or VerificationError."""
    architecture = Architecture.from_bytes(offer.architecture)
    check_no_wrap(architecture)
    check_provable(architecture)
    _check_exportable(architecture)
    blocks = seal.n_blocks(architecture)
    if offer.n_blocks != blocks:
        raise VerificationError("offer: number of ciphertext blocks", blocks, offer.n_blocks)
    _check_coin_key(offer.claim_key, "offer: claim key")
    import_reading_key(offer.reading_key)
    _check_terms(offer)
    return architecture


def _check_exportable(architecture: Architecture) -> None:
    """Raise VerificationError when a buyer who paid could not write the network to a file."""
    largest = export_bytes(architecture)
    if largest > MAX_EXPORT_BYTES:
        raise VerificationError(
            "offer: size of the ONNX file",
            f"at most {MAX_EXPORT_BYTES} bytes",
            largest,
            "the network could not be written after the payment; ask for another offer",
        )


def _check_terms(offer: Offer) -> None:
    """Raise VerificationError for terms under which a party of good faith could lose."""
    chain, another = offer.chain, "the seller has to offer other terms"
    if offer.price_sat < MIN_PRICE_SAT:
        least = f"at least {MIN_PRICE_SAT} sat"
        raise VerificationError("offer: price", least, offer.price_sat, another)
    if offer.timeout_blocks > MAX_TIMEOUT_BLOCKS:
        limit = f"at most {MAX_TIMEOUT_BLOCKS}"
        raise VerificationError("offer: timeout blocks", limit, offer.timeout_blocks, another)
    least_depth = min_confirmations(chain, offer.price_sat)
    if offer.confirmations < least_depth:
        least = f"at least {least_depth} for {offer.price_sat} sat on {chain}"
        raise VerificationError("offer: confirmations", least, offer.confirmations, another)
    if chain != "regtest" and offer.min_blocks_left < _MIN_BLOCKS_LEFT:
        least = f"at least {_MIN_BLOCKS_LEFT} on {chain}"
        raise VerificationError("offer: blocks left", least, offer.min_blocks_left, another)
    room = 0 if chain == "regtest" else _ROOM_BLOCKS
    if offer.timeout_blocks < offer.confirmations + offer.min_blocks_left + room:
        raise VerificationError(
            "offer: timeout blocks",
            f"room for {offer.confirmations} to confirm the lock and {offer.min_blocks_left} to be "
            "left" + (f", and {room} more to act in" if room else ""),
            offer.timeout_blocks,
            f"no lock could satisfy these terms; {another}",
        )


def check_fingerprint(where: str, typed: str | None, key: bytes) -> None:
    """Raise VerificationError when a fingerprint was typed and it is not this key's."""
    if typed is None or is_fingerprint_of(typed, key):
        return
    whole = _FINGERPRINT.fullmatch("".join(typed.split()))
    hint = "" if whole else "a fingerprint is eight groups of four, of 0 to 9 and a to f"
    raise VerificationError(where, repr(typed), fingerprint(key), hint)


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

    Raises VerificationError for a lock that will never do, DealError when it is too late, and
    NotYet for one to wait for.
    """
    check_chain(offer, chain)
    htlc, outpoint = lock_terms(lock, offer, refund_key)
    _check_output(_locking_transaction(htlc, outpoint, offer, chain), htlc, outpoint)
    depth, height = chain.confirmations(outpoint.txid), chain.height()
    mined_at = height + 1 - depth
    latest = mined_at + offer.timeout_blocks + TIMEOUT_SLACK_BLOCKS
    if lock.timeout_height > latest:
        raise VerificationError(
            "lock: timeout height",
            f"at most {latest}, {offer.timeout_blocks} blocks after the lock",
            lock.timeout_height,
            "these are not the terms of the offer; the buyer must take the refund and lock again",
        )
    _check_time_left(lock, offer, max(height, mined_at + offer.confirmations - 1), height)
    if depth < offer.confirmations:
        raise NotYet(
            f"the lock has {depth} of {offer.confirmations} confirmations; repeat this later, up "
            f"to height {last_safe_height(lock, offer)}"
        )
    spend = chain.find_spend(outpoint, first_height(lock.timeout_height, offer, chain))
    if spend is not None:
        raise DealError("the lock was spent already; do not reveal the key, the deal is over")
    return htlc, outpoint


def last_safe_height(lock: Lock, offer: Offer) -> int:
    """Up to which height of the tip the key may be revealed for this lock."""
    return lock.timeout_height - offer.min_blocks_left


def first_height(timeout_height: int, offer: Offer, chain: Chain) -> int:
    """From which block on a lock with this timeout, and its spend, have to be looked for.

    For a timeout that the other party says: no further back than SCAN_BLOCKS.
    """
    return max(our_first_height(timeout_height, offer), chain.height() - SCAN_BLOCKS)


def our_first_height(timeout_height: int, offer: Offer) -> int:
    """As `first_height`, for a timeout of our own records: however long ago that was."""
    return max(0, timeout_height - offer.timeout_blocks - REORGANISED_BLOCKS)


def first_claim_rate(
    chain: Chain, choice: FeeChoice, timeout_height: int, affordable_sat_per_vb: int
) -> int:
    """The rate of a claim that reveals the key. Raises NotYet where it might not be mined in time.

    A claim that stays unmined until the timeout has given the key away for nothing.
    """
    left = timeout_height - chain.height()
    target = claim_target(left)
    if chain.name == "main" and choice.sat_per_vb is None and chain.fee_rate(target) is None:
        raise NotYet(
            "the node knows no fee rates yet, so a claim might not be mined in time; the key was "
            "not revealed; repeat this when it has seen more blocks, or say --fee"
        )
    wanted = choice.wanted(chain, target)
    most = choice.most(affordable_sat_per_vb)
    if choice.follows and wanted > most:
        raise NotYet(
            f"a claim that is mined in time costs about {wanted} sat/vB now, and {most} is the "
            "most that this one may pay; the key was not revealed; repeat this when fees have "
            "fallen" + ("" if choice.accept_high else ", or say --accept-high-fee")
        )
    slowest = chain.fee_rate(max(1, min(left // 3, _SLOWEST_TARGET_BLOCKS)))
    if slowest is not None and wanted < min(slowest, fees.CEILING_SAT_PER_VB):
        raise NotYet(
            f"at {wanted} sat/vB the claim might not be mined in the {left} blocks that are left: "
            f"{slowest} sat/vB is asked for now; the key was not revealed; raise --fee, or leave "
            "it out"
        )
    return wanted


def _check_time_left(lock: Lock, offer: Offer, reveal_height: int, height: int) -> None:
    """Raise DealError when the lock is deep enough only when it is too late to reveal the key."""
    last = last_safe_height(lock, offer)
    left = lock.timeout_height - reveal_height
    if height > last:
        raise DealError(
            f"only {left} blocks are left before the buyer's refund, less than "
            f"{offer.min_blocks_left}: the key could be revealed up to height {last}, and the "
            f"chain is at {height}; do not reveal it, let the buyer take the refund"
        )
    if reveal_height > last:
        raise DealError(
            f"the lock has {offer.confirmations} confirmations at height {reveal_height} at the "
            f"earliest, when only {left} blocks are left before the buyer's refund, less than "
            f"{offer.min_blocks_left}; let the buyer take the refund and lock again"
        )


def _locking_transaction(
    htlc: Htlc, outpoint: Outpoint, offer: Offer, chain: Chain
) -> CTransaction:
    """The transaction of the lock, mined or waiting."""
    tx = chain.get_transaction(outpoint.txid)
    if tx is not None:
        return tx
    # a node without an index of transactions finds one whose block it has looked at
    since = first_height(htlc.timeout_height, offer, chain)
    paid = chain.find_output(htlc.script_pubkey, since)
    tx = chain.get_transaction(outpoint.txid)
    if tx is not None:
        return tx
    other = (
        f", but {paid[0].txid} pays to the same terms: the buyer must announce it" if paid else ""
    )
    where = (
        "; on the embedded chain, the buyer's has to be named, by --chain-dir"
        if offer.chain == "regtest"
        else ""
    )
    raise NotYet(
        f"the lock {outpoint.txid} is not on the chain yet{other}; repeat this later{where}"
    )


def _check_output(tx: CTransaction, htlc: Htlc, outpoint: Outpoint) -> None:
    """Raise VerificationError unless the output is the hash-lock with exactly the price."""
    if outpoint.vout >= len(tx.vout):
        raise VerificationError("lock: output number", f"below {len(tx.vout)}", outpoint.vout)
    output = tx.vout[outpoint.vout]
    if bytes(output.scriptPubKey) != bytes(htlc.script_pubkey):
        raise VerificationError(
            "lock: script on the chain", "the hash-lock of this deal", "another", _LOCK_AGAIN
        )
    if output.nValue != outpoint.amount_sat:
        raise VerificationError(
            "lock: amount on the chain", outpoint.amount_sat, output.nValue, _LOCK_AGAIN
        )


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
