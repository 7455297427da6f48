"""A lock that somebody else signs: drafted as a PSBT (BIP 174), checked, completed, checked again.

    draft    one output of exactly the price to the hash-lock, at most one of change, a bounded fee
    signed   the very same transaction, with one signature over all of it for every input

Every input must spend a coin of one key by a native witness script: P2WPKH, or P2TR by its key.
Such an input has no scriptSig, so the id of the transaction is known before it is signed and
nobody can change it afterwards (BIP 141). Amounts and scripts of the coins are what the PSBT says;
the signatures commit to them, so a transaction that rests on wrong ones is never valid.

embit reads, writes and hashes PSBTs. Before it reads one, the unsigned transaction is taken out
and decoded strictly: embit's own reading of later parts trusts counts that would fill the memory.
"""

import base64
import binascii
import io
from collections.abc import Sequence
from dataclasses import dataclass

from bitcoin.core import CTransaction, CTxOut, Hash160
from bitcoin.core.script import SIGHASH_ALL, CScript
from bitcoin.core.serialize import SerializationError
from embit import compact, ec
from embit.psbt import PSBT, InputScope
from embit.transaction import Transaction, TransactionOutput

from bitcoin_scripts import fees
from bitcoin_scripts.chain import FoundOutput, Outpoint, txid_of
from bitcoin_scripts.chain.consensus import MAX_MONEY_SAT
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.funding import lock_outpoint, oldest, plan_lock
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.spend import with_witnesses

MAX_PSBT_BYTES = 1 << 20

MAX_DISCARDED_CHANGE_SAT = 10_000
"""Wallets leave change to the fee that would cost more to spend than it is worth."""

_VERSION_0 = b"psbt\xff\x01\x00"
"""Magic, and the key of the unsigned transaction, which version 0 alone has, and has first."""

_TAP_KEY_SIGNATURE = b"\x13"
_SEQUENCES = (0xFFFFFFFD, 0xFFFFFFFE, 0xFFFFFFFF)
_P2WPKH_WITNESS = (bytes(72), bytes(33))
_P2TR_WITNESS = (bytes(64),)


@dataclass(frozen=True)
class Draft:
    """A checked draft: the PSBT's bytes, its transaction without witnesses, what it spends."""

    psbt: bytes
    transaction: CTransaction
    coins: tuple[CTxOut, ...]
    lock: Outpoint
    fee_sat: int

    @property
    def txid(self) -> str:
        return txid_of(self.transaction)


def build_draft(
    utxos: Sequence[FoundOutput],
    htlc: Htlc,
    amount_sat: int,
    script_pubkey: bytes,
    fee_sat_per_vb: int,
    parents: Sequence[CTransaction] = (),
) -> bytes:
    """The PSBT of a lock over coins of one script, the oldest one in any case; change goes back.

    `parents`, as far as they are given, are put in whole: signing devices ask for the transactions
    that made the coins. Raises SettlementError as `plan_lock`, and for a script of another kind.
    """
    witness = _dummy_witness(script_pubkey)
    first = oldest(utxos) if utxos else None
    plan = plan_lock(utxos, htlc, amount_sat, script_pubkey, witness, fee_sat_per_vb, first)
    known = {txid_of(tx): tx for tx in parents}
    psbt = PSBT(Transaction.parse(plan.transaction.serialize()))
    for scope, coin in zip(psbt.inputs, plan.coins, strict=True):
        scope.witness_utxo = TransactionOutput.parse(
            CTxOut(coin.amount_sat, CScript(script_pubkey)).serialize()
        )
        if coin.txid in known:
            scope.non_witness_utxo = Transaction.parse(known[coin.txid].serialize())
    return bytes(psbt.serialize())


def with_terms(psbt: bytes, old: Htlc, new: Htlc) -> bytes:
    """The same PSBT, unsigned, with the lock `new` in the place of `old`: same coins, same fee."""
    parsed = _parse(psbt)[1]
    for scope in parsed.outputs:
        if scope.script_pubkey.data == bytes(old.script_pubkey):
            scope.script_pubkey.data = bytes(new.script_pubkey)
    for scope in parsed.inputs:
        scope.partial_sigs.clear()
        scope.final_scriptwitness = None
        scope.unknown.pop(_TAP_KEY_SIGNATURE, None)
    return bytes(parsed.serialize())


def read_draft(psbt: bytes, htlc: Htlc, amount_sat: int, height: int) -> Draft:
    """The draft in a PSBT, if it may be signed at this height of the chain.

    Its fee is bounded by the amount alone; `check_draft_rate` holds it to a rate. Raises
    SettlementError for anything else.
    """
    tx, parsed = _parse(psbt)
    coins = tuple(_coin(scope, index) for index, scope in enumerate(parsed.inputs))
    lock = lock_outpoint(tx, htlc)
    fee = sum(coin.nValue for coin in coins) - sum(output.nValue for output in tx.vout)
    fault = ""
    if lock.amount_sat != amount_sat:
        fault = f"pays {lock.amount_sat} sat to the lock, not {amount_sat}"
    elif len(tx.vout) > 2:
        fault = "has more outputs than the lock and its change"
    elif tx.nVersion not in (1, 2) or any(i.nSequence not in _SEQUENCES for i in tx.vin):
        fault = "has a version or a sequence number that is not usual"
    elif tx.nLockTime > height:
        fault = f"is locked until {tx.nLockTime}"
    elif fee <= 0:
        fault = "pays no fee"
    if fault:
        raise SettlementError(f"the drafted transaction {fault}; have it drafted again")
    fees.check_fee(fee, amount_sat)
    return Draft(psbt, tx, coins, lock, fee)


def check_draft_rate(draft: Draft, fee_sat_per_vb: int) -> None:
    """Raises SettlementError for a fee far over the rate that was asked for."""
    witnesses = [_dummy_witness(coin.scriptPubKey) for coin in draft.coins]
    size = fees.vsize(with_witnesses(draft.transaction, witnesses))
    if draft.fee_sat > 2 * fees.fee_sat(size, fee_sat_per_vb) + MAX_DISCARDED_CHANGE_SAT:
        raise SettlementError(
            f"the drafted transaction pays a fee of {draft.fee_sat} sat for {size} vbytes, far "
            f"over {fee_sat_per_vb} sat/vB; have it drafted again"
        )


def signed_transaction(draft: Draft, data: bytes) -> CTransaction:
    """The draft's transaction with the signatures from `data`, each of them verified.

    `data` is a PSBT, binary or base64, or the final transaction in hexadecimal, as wallets export
    them. Raises SettlementError when it is of another transaction, or a signature is missing,
    invalid, or over less than all of the transaction.
    """
    tx, stacks = _witnesses(data, draft)
    if _stripped(tx) != _stripped(draft.transaction):
        raise SettlementError(
            f"this is transaction {txid_of(tx)}, not the drafted {draft.txid}; sign the draft as "
            "it was written, with no change to fee, coins or outputs"
        )
    hashes = _parse(draft.psbt)[1]
    for index, (coin, stack) in enumerate(zip(draft.coins, stacks, strict=True)):
        if not stack:
            raise SettlementError(
                f"input {index} is not signed; sign with the wallet that holds its key"
            )
        if not _satisfies(coin, stack, hashes, index):
            raise SettlementError(
                f"the signature of input {index} is not valid for all of the transaction; "
                "sign the draft again, with the usual signature type ALL"
            )
    return with_witnesses(draft.transaction, stacks)


def transaction_in(data: bytes) -> CTransaction:
    """The transaction, without witnesses, of a PSBT or of a final transaction in hexadecimal."""
    raw = _final_transaction(data)
    return raw if raw is not None else _parse(_binary(data))[0]


def _witnesses(data: bytes, draft: Draft) -> tuple[CTransaction, list[list[bytes]]]:
    tx = _final_transaction(data)
    if tx is not None:
        found = [[bytes(item) for item in w.scriptWitness.stack] for w in tx.wit.vtxinwit]
        return tx, found + [[]] * (len(tx.vin) - len(found))
    tx, parsed = _parse(_binary(data))
    if len(tx.vin) != len(draft.coins):
        return tx, []
    return tx, [_stack(s, coin) for s, coin in zip(parsed.inputs, draft.coins, strict=True)]


def _stack(scope: InputScope, coin: CTxOut) -> list[bytes]:
    """The witness that an input of a signed PSBT has, final or still in parts."""
    final = scope.final_scriptwitness
    if final is not None:
        return [bytes(item) for item in final.items]
    program = bytes(coin.scriptPubKey)[2:]
    if len(program) == 32:
        signature = scope.unknown.get(_TAP_KEY_SIGNATURE)
        return [bytes(signature)] if signature else []
    for key, signature in scope.partial_sigs.items():
        if Hash160(key.sec()) == program:
            return [bytes(signature), bytes(key.sec())]
    return []


def _satisfies(coin: CTxOut, stack: Sequence[bytes], psbt: PSBT, index: int) -> bool:
    """Whether a witness is the key's signature over all of the transaction."""
    program = bytes(coin.scriptPubKey)[2:]
    try:
        if len(program) == 32:
            (signature,) = stack
            if len(signature) == 65 and signature[-1] != SIGHASH_ALL:
                return False
            sighash = signature[64] if len(signature) == 65 else 0
            digest = psbt.sighash(index, sighash=sighash)
            key = ec.PublicKey.from_xonly(program)
            return bool(key.schnorr_verify(ec.SchnorrSig.parse(signature[:64]), digest))
        signature, public_key = stack
        if signature[-1] != SIGHASH_ALL or Hash160(public_key) != program:
            return False
        digest = psbt.sighash(index, sighash=SIGHASH_ALL)
        key = ec.PublicKey.parse(public_key)
        return bool(key.verify(ec.Signature.parse(signature[:-1]), digest))
    except Exception:  # embit raises whatever its curve library does for what is no key, no point
        return False


def _coin(scope: InputScope, index: int) -> CTxOut:
    """What input `index` spends. Raises SettlementError unless it is a coin as described above."""
    utxo = scope.utxo
    parent = scope.non_witness_utxo
    if utxo is None:
        raise SettlementError(f"the PSBT does not say what input {index} spends; draft it again")
    if parent is not None:
        vout = scope.vout
        fits = parent.txid() == scope.txid and vout < len(parent.vout)
        if not fits or parent.vout[vout].serialize() != utxo.serialize():
            raise SettlementError(
                f"the PSBT contradicts itself about what input {index} spends; draft it again"
            )
    if not 0 < utxo.value <= MAX_MONEY_SAT:
        raise SettlementError(f"the coin of input {index} has no possible amount; draft it again")
    script = bytes(utxo.script_pubkey.data)
    try:
        _dummy_witness(script)
    except SettlementError as error:
        raise SettlementError(f"input {index}: {error}") from None
    return CTxOut(utxo.value, CScript(script))


def _dummy_witness(script_pubkey: bytes) -> tuple[bytes, ...]:
    """A witness of the largest size that spends a coin of one key."""
    script = bytes(script_pubkey)
    if len(script) == 22 and script[:2] == b"\x00\x14":
        return _P2WPKH_WITNESS
    if len(script) == 34 and script[:2] == b"\x51\x20":
        return _P2TR_WITNESS
    raise SettlementError(
        "only coins of one key with a native witness address (P2WPKH, or P2TR) go into a PSBT, "
        "so that nobody can change its id; take other coins, or pay to the address of the lock"
    )


def _binary(data: bytes) -> bytes:
    if data.startswith(b"psbt"):
        return data
    try:
        return base64.b64decode(data.strip(), validate=True)
    except (binascii.Error, ValueError):
        return data


def _final_transaction(data: bytes) -> CTransaction | None:
    try:
        return CTransaction.deserialize(bytes.fromhex(data.decode("ascii").strip()))
    except (ValueError, SerializationError):
        return None


def _parse(data: bytes) -> tuple[CTransaction, PSBT]:
    """The unsigned transaction and the whole PSBT. Raises SettlementError for other bytes."""
    fault = SettlementError(
        "not a PSBT of version 0 with its transaction first, or damaged; export it again"
    )
    if len(data) > MAX_PSBT_BYTES or not data.startswith(_VERSION_0):
        raise fault
    try:
        stream = io.BytesIO(data[len(_VERSION_0) :])
        compact.read_from(stream)
        tx = CTransaction.stream_deserialize(stream)
        raw = _stripped(tx)
        header = _VERSION_0 + compact.to_bytes(len(raw)) + raw
        if not tx.vin or not tx.vout or not data.startswith(header):
            raise fault
        parsed = PSBT.parse(data)
        if bytes(parsed.tx.serialize()) != raw:
            raise fault
    except SettlementError:
        raise
    except Exception:  # embit raises errors of many kinds, and says nothing of which
        raise fault from None
    if any(bytes(tx_input.scriptSig) for tx_input in tx.vin):
        raise fault
    if len({(i.prevout.hash, i.prevout.n) for i in tx.vin}) != len(tx.vin):
        raise fault
    return tx, parsed


def _stripped(tx: CTransaction) -> bytes:
    """What the transaction id is the hash of."""
    return bytes(tx.serialize(dict(include_witness=False)))
