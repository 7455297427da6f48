"""A second verifier for a buyer, written from docs/ alone, that shares no code with the project.

    zkcmp buyer export --deal deal --out files
    python experiments/verify_standalone.py files --seller "FINGERPRINT"

It is this file, standalone_messages.py, standalone_statement.py and standalone_groth16.py, written
from formats.md, groth16.md, exchange.md and settlement.md; it needs Python and py_ecc, no more. It
verifies a deal that was proved with Groth16, from these files:

    offer.zkcmp, request.zkcmp, delivery.zkcmp      messages, never decrypted here
    request.json, test_set.bin, verifying.key       the buyer's own
    ciphertext.bin, proof.bin                       what the delivery holds
    lock.zkcmp, lock-transaction.hex                once there is a lock

In this order: encodings, signatures and who answers whom; the architecture, its blocks and that no
accumulator wraps; the test set and the threshold; the digest of the ciphertext in the offer; the
public inputs, recomputed; the pairing equation, in full and sampled

    e(A,B) = e(α,β)·e(IC,γ)·e(C,δ)             IC = K_0 + Σ z_i·K_i

and in freivalds times e(D,δ₀), with challenges hashed from D among the z_i; then that the lock pays
the price to the hash-lock of this very E, to this offer's key and back to ours.

What the caller must see to: that verifying.key, test_set.bin and request.json are the buyer's own;
that the key was made by the buyer, for the circuit of this request (its digest stands in the key,
and only whoever builds the circuit can compare it); that the seller's fingerprint is the seller's;
and that the lock is mined, for nothing here looks at a chain. Ends with 0, or with 2 and one line.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from standalone_groth16 import VerifyingKey, check_equation, read_proof, read_verifying_key
from standalone_messages import (
    DELIVERY,
    LOCK,
    LOCK_BYTES,
    LOCK_NUMBERS,
    OFFER,
    OFFER_BYTES,
    OFFER_NUMBERS,
    REQUEST,
    ROUTE_BYTES,
    Message,
    Reader,
    Refused,
    check_fields,
    expect,
    fingerprint,
    is_number,
    read_message,
    refuse,
    sha256,
)
from standalone_statement import (
    Statement,
    read_architecture,
    read_ciphertext,
    read_test_set,
    rounds_of,
)

MAX_FILE_BYTES = 1 << 30


# the lock: formats.md, Hash-lock


def push(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def push_number(value: int) -> bytes:
    """The minimal push of a height."""
    if 1 <= value <= 16:
        return bytes([0x50 + value])
    return push(value.to_bytes(value.bit_length() // 8 + 1, "little"))


def hash_lock(commitment: bytes, claim_key: bytes, timeout: int, refund_key: bytes) -> bytes:
    claim = b"\x82" + push(b"\x20") + b"\x88\xa8" + push(commitment) + b"\x88" + push(claim_key)
    refund = push_number(timeout) + b"\xb1\x75" + push(refund_key)
    return b"\x63" + claim + b"\x67" + refund + b"\x68\xac"


def read_transaction(data: bytes) -> tuple[str, list[tuple[int, bytes]]]:
    """The id, in the order explorers print, and amount and script of every output."""
    reader = Reader(data, "the lock transaction")
    version = reader.take(4)
    segwit = data[4:6] == b"\0\1"
    if segwit:
        reader.take(2)
    start = reader.at
    n_inputs = compact(reader)
    for _ in range(n_inputs):
        reader.take(36)
        reader.take(compact(reader))
        reader.take(4)
    outputs = [(reader.number(8), reader.take(compact(reader))) for _ in range(compact(reader))]
    signed = data[start : reader.at]
    for _ in range(n_inputs if segwit else 0):
        for _ in range(compact(reader)):
            reader.take(compact(reader))
    lock_time = reader.take(4)
    reader.end()
    return sha256(sha256(version + signed + lock_time))[::-1].hex(), outputs


def compact(reader: Reader) -> int:
    first = reader.number(1)
    if first < 0xFD:
        return first
    width = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
    value = reader.number(width)
    expect(value >= {2: 0xFD, 4: 1 << 16, 8: 1 << 32}[width], "a length is not minimal")
    return value


def check_lock(deal: "Deal", lock: Message, refund_key: bytes, transaction: bytes) -> str:
    """The outpoint that pays the price to the hash-lock of the offer's E."""
    terms, record = deal.offer.header, lock.header
    check_fields(record, LOCK_BYTES, ("redeem_script", *LOCK_NUMBERS), "lock.zkcmp")
    expect(all(is_number(record[name]) for name in LOCK_NUMBERS), "a number of lock.zkcmp is none")
    expect(lock.sender == deal.request.sender, "lock.zkcmp is not from the buyer of this deal")
    expect(record["deal"] == terms["deal"], "lock.zkcmp is of another deal")
    expect(record["answers"] == deal.delivery.digest.hex(), "lock.zkcmp answers another delivery")
    expect(not lock.body, "lock.zkcmp has a body")
    timeout = record["timeout_height"]
    expect(1 <= timeout < 500_000_000, "the timeout is no height")
    script = hash_lock(
        bytes.fromhex(terms["commitment"]), bytes.fromhex(terms["claim_key"]), timeout, refund_key
    )
    expect(record["redeem_script"] == script.hex(), "the script is not the hash-lock of this deal")
    expect(record["amount_sat"] == terms["price_sat"], "the lock names another amount")
    txid, outputs = read_transaction(transaction)
    expect(record["txid"] == txid, "the transaction is not the one of lock.zkcmp")
    expect(record["vout"] < len(outputs), "the transaction has no such output")
    amount, paid_to = outputs[record["vout"]]
    expect(paid_to == b"\0" + push(sha256(script)), "the output pays to another script")
    expect(amount == terms["price_sat"], "the output pays another amount")
    return f"{txid}:{record['vout']}"


# a deal


def read_file(folder: Path, name: str) -> bytes:
    path = folder / name
    try:
        expect(path.stat().st_size <= MAX_FILE_BYTES, f"{name} is too large")
        return path.read_bytes()
    except OSError as error:
        refuse(f"cannot read {path}: {error.strerror}")


def read_offer(folder: Path) -> Message:
    offer = read_message(read_file(folder, "offer.zkcmp"), OFFER)
    check_fields(offer.header, OFFER_BYTES, (*OFFER_NUMBERS, "chain"), "offer.zkcmp")
    for name in OFFER_NUMBERS:
        expect(is_number(offer.header[name]), f"{name} of offer.zkcmp is no number")
    known = ("regtest", "signet", "testnet", "main")
    expect(offer.header["chain"] in known, "offer.zkcmp names no known chain")
    return offer


def check_route(message: Message, name: str, recipient: bytes, offer: Message) -> None:
    check_fields(message.header, ROUTE_BYTES, (), name)
    expect(message.header["deal"] == offer.header["deal"], f"{name} is of another deal")
    expect(message.header["recipient"] == recipient.hex(), f"{name} is for somebody else")


def read_asked(folder: Path) -> tuple[int, str, bytes]:
    """The threshold, the method line and the refund key: the buyer's own words."""
    try:
        asked = json.loads(read_file(folder, "request.json"))
    except ValueError:
        refuse("request.json is not JSON")
    expect(isinstance(asked, dict), "request.json is not a JSON object")
    check_fields(asked, {"refund_key": 33}, ("threshold", "method"), "request.json")
    expect(is_number(asked["threshold"]), "the threshold of request.json is no number")
    expect(isinstance(asked["method"], str), "the method of request.json is no line")
    return asked["threshold"], asked["method"], bytes.fromhex(asked["refund_key"])


def check_seller(offer: Message, typed: str | None) -> None:
    if typed is None:
        return
    wanted = "".join(typed.split()).lower()
    expect(wanted == fingerprint(offer.sender).replace(" ", ""), "the offer is another seller's")


@dataclass(frozen=True)
class Deal:
    """The messages up to the delivery, each signed by whom it should be and for whom."""

    offer: Message
    request: Message
    delivery: Message


def read_deal(folder: Path) -> Deal:
    offer = read_offer(folder)
    request = read_message(read_file(folder, "request.zkcmp"), REQUEST)
    check_route(request, "request.zkcmp", offer.sender, offer)
    expect(request.header["answers"] == offer.digest.hex(), "request.zkcmp answers another offer")
    delivery = read_message(read_file(folder, "delivery.zkcmp"), DELIVERY)
    check_route(delivery, "delivery.zkcmp", request.sender, offer)
    expect(delivery.sender == offer.sender, "delivery.zkcmp is not from the seller of this deal")
    return Deal(offer, request, delivery)


def read_statement(
    folder: Path, deal: Deal, threshold: int, method: str, key: VerifyingKey
) -> Statement:
    terms = deal.offer.header
    architecture = read_architecture(deal.offer.body)
    expect(
        terms["n_blocks"] == architecture.n_blocks,
        "the offer names another number of blocks than its architecture needs",
    )
    test_set = read_test_set(read_file(folder, "test_set.bin"), architecture)
    n_images = len(test_set.labels)
    expect(1 <= threshold <= n_images, "the threshold is not from 1 to the number of images")
    ciphertext = read_file(folder, "ciphertext.bin")
    digest = sha256(ciphertext).hex()
    expect(digest == terms["ciphertext_digest"], "the ciphertext is not the one of the offer")
    return Statement(
        architecture,
        read_ciphertext(ciphertext, architecture),
        ciphertext,
        bytes.fromhex(terms["commitment"]),
        test_set,
        threshold,
        method,
        deal.request.digest,
        key.digest,
    )


def verify_deal(
    folder: Path, seller: str | None = None, say: Callable[[str], None] = lambda line: None
) -> None:
    """Raise Refused unless the files of `folder` show what the module's docstring says."""
    deal = read_deal(folder)
    check_seller(deal.offer, seller)
    threshold, method, refund_key = read_asked(folder)
    rounds = rounds_of(method)
    key = read_verifying_key(read_file(folder, "verifying.key"), rounds)
    statement = read_statement(folder, deal, threshold, method, key)
    proof = read_proof(read_file(folder, "proof.bin"), rounds)
    check_equation(key, statement.public_inputs(), proof)
    say_verified(deal, statement, key, say)

    if not (folder / "lock.zkcmp").exists():
        say("lock       none yet")
        return
    lock = read_message(read_file(folder, "lock.zkcmp"), LOCK)
    outpoint = check_lock(deal, lock, refund_key, read_hex(folder, "lock-transaction.hex"))
    say(f"lock       {deal.offer.header['price_sat']} sat for that preimage, {outpoint}")
    say("           whether it is mined, a node tells")


def say_verified(
    deal: Deal, statement: Statement, key: VerifyingKey, say: Callable[[str], None]
) -> None:
    right = f"{statement.threshold} of {len(statement.test_set.labels)} images"
    say(f"seller     {fingerprint(deal.offer.sender)}   (compare by another channel)")
    say(f"method     {statement.method}")
    if statement.method.startswith("sampled"):
        say(f"verified   the key of the seal is the preimage of {statement.commitment.hex()};")
        say(f"           that the network gets {right} right is claimed, and NOT proved")
    else:
        say(f"verified   the sealed network gets at least {right} right,")
        say(f"           and its key is the preimage of {statement.commitment.hex()}")
    say(f"key        circuit {key.circuit.hex()}")
    say("           sound only if you made verifying.key yourself, for the circuit of this request")


def read_hex(folder: Path, name: str) -> bytes:
    try:
        return bytes.fromhex(read_file(folder, name).decode("ascii"))
    except ValueError:
        refuse(f"{name} is not hexadecimal")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify an exported deal from the documents alone")
    parser.add_argument("folder", type=Path, help="what `zkcmp buyer export` wrote")
    parser.add_argument("--seller", help="refuse an offer of any other fingerprint")
    options = parser.parse_args(arguments)
    try:
        verify_deal(options.folder, options.seller, print)
    except Refused as refused:
        print(f"refused: {refused}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
