"""Locks that somebody else signs: embit stands for the wallet, consensus code judges."""

import base64
from collections.abc import Callable

import pytest
from bitcoin.core import CTransaction, CTxIn, CTxOut
from bitcoin_sale import AMOUNT_SAT, BUYER, terms
from embit import ec
from embit.psbt import PSBT
from embit.script import p2tr, p2wpkh
from embit.transaction import SIGHASH, Transaction, TransactionOutput

from bitcoin_scripts import fees
from bitcoin_scripts.chain import FoundOutput, Outpoint
from bitcoin_scripts.chain.consensus import verify_input
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.psbt import (
    MAX_PSBT_BYTES,
    Draft,
    build_draft,
    check_draft_rate,
    read_draft,
    signed_transaction,
    transaction_in,
    with_terms,
)
from bitcoin_scripts.spend import with_witnesses

RATE, HEIGHT = 3, 200
KEY = ec.PrivateKey(BUYER)
SCRIPTS = {"p2wpkh": p2wpkh(KEY).data, "p2tr": p2tr(KEY).data}
P2WPKH = SCRIPTS["p2wpkh"]


def coin(script: bytes, number: int = 1, amount_sat: int = 700_000) -> FoundOutput:
    return FoundOutput(f"{number:064x}", 1, amount_sat, script, 100, False, None)


def drafted(script: bytes = P2WPKH) -> bytes:
    """Two coins are needed."""
    return build_draft([coin(script, 1), coin(script, 2)], terms(), AMOUNT_SAT, script, RATE)


def checked(psbt: bytes, rate: int = RATE) -> Draft:
    draft = read_draft(psbt, terms(), AMOUNT_SAT, HEIGHT)
    check_draft_rate(draft, rate)
    return draft


def sign(psbt: bytes, sighash: int = SIGHASH.DEFAULT, key: ec.PrivateKey = KEY) -> bytes:
    parsed = PSBT.parse(psbt)
    parsed.sign_with(key, sighash)
    return bytes(parsed.serialize())


def changed(psbt: bytes, change: Callable[[PSBT], None]) -> bytes:
    parsed = PSBT.parse(psbt)
    change(parsed)
    return bytes(parsed.serialize())


@pytest.mark.parametrize("kind", SCRIPTS)
def test_signed_elsewhere_it_is_valid_and_keeps_its_id(kind: str) -> None:
    draft = checked(drafted(SCRIPTS[kind]))
    tx = signed_transaction(draft, sign(draft.psbt))
    coins = list(draft.coins)
    assert all(verify_input(tx, index, coins) for index in range(2))
    assert draft.lock == Outpoint(draft.txid, 0, AMOUNT_SAT)
    assert draft.txid == checked(draft.psbt).txid
    assert [bytes(output.scriptPubKey) for output in tx.vout] == [
        bytes(terms().script_pubkey),
        SCRIPTS[kind],
    ]


@pytest.mark.parametrize("kind", SCRIPTS)
def test_its_fee_is_what_the_rate_asks(kind: str) -> None:
    draft = checked(drafted(SCRIPTS[kind]))
    size = fees.vsize(signed_transaction(draft, sign(draft.psbt)))
    assert RATE * size <= draft.fee_sat <= RATE * (size + 2)


@pytest.mark.parametrize("form", ["base64", "base64 with line end", "hexadecimal"])
def test_wallets_export_it_in_several_forms(form: str) -> None:
    draft = checked(drafted())
    signed = sign(draft.psbt)
    tx = signed_transaction(draft, signed)
    data = base64.b64encode(signed)
    if form == "hexadecimal":
        data = tx.serialize().hex().encode() + b"\n"
    elif form == "base64 with line end":
        data += b"\r\n"
    assert signed_transaction(draft, data).serialize() == tx.serialize()
    assert transaction_in(data).GetTxid() == tx.GetTxid()


def test_a_finalised_one_is_taken() -> None:
    from embit.finalizer import finalize_psbt

    draft = checked(drafted())
    signed = PSBT.parse(sign(draft.psbt))
    final = finalize_psbt(signed)
    for scope, tx_input in zip(signed.inputs, final.vin, strict=True):
        scope.final_scriptwitness = tx_input.witness
        scope.partial_sigs.clear()
    tx = signed_transaction(draft, signed.serialize())
    assert tx.serialize() == final.serialize()


def test_a_taproot_signature_that_is_not_final_is_taken() -> None:
    """BIP 371: wallets leave it in a field of its own."""
    draft = checked(drafted(SCRIPTS["p2tr"]))
    signed = PSBT.parse(sign(draft.psbt))
    for scope in signed.inputs:
        scope.unknown = {b"\x13": scope.final_scriptwitness.items[0]}
        scope.final_scriptwitness = None
    tx = signed_transaction(draft, signed.serialize())
    assert verify_input(tx, 0, list(draft.coins))


def test_parents_are_put_in_for_signing_devices() -> None:
    parent = CTransaction([CTxIn()], [CTxOut(1, b"\x51"), CTxOut(2_000_000, P2WPKH)])
    txid = parent.GetTxid()[::-1].hex()
    utxo = FoundOutput(txid, 1, 2_000_000, P2WPKH, 100, False, None)
    psbt = build_draft([utxo], terms(), AMOUNT_SAT, P2WPKH, RATE, [parent])
    assert PSBT.parse(psbt).inputs[0].non_witness_utxo.txid().hex() == txid
    draft = checked(psbt)
    assert verify_input(signed_transaction(draft, sign(psbt)), 0, list(draft.coins))


@pytest.mark.parametrize("kind", SCRIPTS)
def test_with_other_terms_it_spends_the_same_coins(kind: str) -> None:
    """So that never both are mined; and what was signed is not signed any more."""
    old, new = terms(), terms(timeout_height=300)
    first = checked(sign(drafted(SCRIPTS[kind])))
    renewed = read_draft(with_terms(first.psbt, old, new), new, AMOUNT_SAT, HEIGHT)
    assert renewed.coins == first.coins
    assert [i.prevout for i in renewed.transaction.vin] == [
        i.prevout for i in first.transaction.vin
    ]
    assert renewed.fee_sat == first.fee_sat
    with pytest.raises(SettlementError, match="is not signed"):
        signed_transaction(renewed, renewed.psbt)
    tx = signed_transaction(renewed, sign(renewed.psbt))
    assert verify_input(tx, 1, list(renewed.coins))


class TestSignedRefused:
    @pytest.mark.parametrize(
        "sighash", [SIGHASH.NONE, SIGHASH.SINGLE, SIGHASH.ALL | SIGHASH.ANYONECANPAY]
    )
    @pytest.mark.parametrize("kind", SCRIPTS)
    def test_over_less_than_all(self, kind: str, sighash: int) -> None:
        """Others could change such a transaction, and with it the id that the seller is told."""
        draft = checked(drafted(SCRIPTS[kind]))
        with pytest.raises(SettlementError, match="all of the transaction"):
            signed_transaction(draft, sign(draft.psbt, sighash))

    def test_not_at_all(self) -> None:
        draft = checked(drafted())
        with pytest.raises(SettlementError, match="input 0 is not signed"):
            signed_transaction(draft, draft.psbt)

    def test_in_part(self) -> None:
        draft = checked(drafted())
        signed = changed(sign(draft.psbt), lambda p: p.inputs[1].partial_sigs.clear())
        with pytest.raises(SettlementError, match="input 1 is not signed"):
            signed_transaction(draft, signed)

    def test_with_another_key(self) -> None:
        draft = checked(drafted())
        other = ec.PrivateKey(b"\x07" * 32)
        signed = PSBT.parse(sign(draft.psbt))
        for scope in signed.inputs:
            scope.partial_sigs = {other.get_public_key(): next(iter(scope.partial_sigs.values()))}
        with pytest.raises(SettlementError, match="input 0 is not signed"):
            signed_transaction(draft, signed.serialize())

    @pytest.mark.parametrize("kind", SCRIPTS)
    @pytest.mark.parametrize("where", [5, 40, -2, -1])
    def test_with_a_changed_signature(self, kind: str, where: int) -> None:
        draft = checked(drafted(SCRIPTS[kind]))
        tx = signed_transaction(draft, sign(draft.psbt))
        witness = bytearray(tx.wit.vtxinwit[0].scriptWitness.stack[0])
        witness[where] ^= 1
        raw = tx.serialize().replace(tx.wit.vtxinwit[0].scriptWitness.stack[0], bytes(witness))
        with pytest.raises(SettlementError, match="not valid"):
            signed_transaction(draft, raw.hex().encode())

    def test_by_a_key_that_the_coin_does_not_ask_for(self) -> None:
        """Final, and a good signature of that key."""
        draft = checked(drafted())
        digest = PSBT.parse(draft.psbt).sighash(0, sighash=SIGHASH.ALL)
        other = ec.PrivateKey(b"\x07" * 32)
        signature = other.sign(digest).serialize() + bytes([SIGHASH.ALL])
        stack = [signature, other.get_public_key().sec()]
        raw = with_witnesses(draft.transaction, [stack, stack]).serialize().hex()
        with pytest.raises(SettlementError, match="input 0 is not valid"):
            signed_transaction(draft, raw.encode())

    def test_of_a_transaction_with_other_amounts(self) -> None:
        """A wallet that moves a satoshi of the price to the change."""

        def take_one(psbt: PSBT) -> None:
            psbt.outputs[0].value -= 1
            psbt.outputs[1].value += 1

        draft = checked(drafted())
        with pytest.raises(SettlementError, match="not the drafted"):
            signed_transaction(draft, sign(changed(draft.psbt, take_one)))

    @pytest.mark.parametrize("coins", [1, 3])
    def test_of_other_coins(self, coins: int) -> None:
        draft = checked(drafted())
        many = [coin(P2WPKH, number, 1_200_000 // coins) for number in range(11, 11 + coins)]
        other = build_draft(many, terms(), AMOUNT_SAT, P2WPKH, RATE)
        with pytest.raises(SettlementError, match="not the drafted"):
            signed_transaction(draft, sign(other))

    def test_of_other_terms(self) -> None:
        draft = checked(drafted())
        other = with_terms(draft.psbt, terms(), terms(timeout_height=111))
        with pytest.raises(SettlementError, match="not the drafted"):
            signed_transaction(draft, sign(other))


class TestDraftRefused:
    """What a wallet hands back must not be signed before it is looked at."""

    @staticmethod
    def refused(psbt: bytes, why: str, rate: int = RATE) -> None:
        with pytest.raises(SettlementError, match=why):
            checked(psbt, rate)

    def test_of_another_amount(self) -> None:
        psbt = changed(drafted(), lambda p: setattr(p.outputs[0], "value", AMOUNT_SAT - 1))
        self.refused(psbt, f"pays {AMOUNT_SAT - 1} sat to the lock")

    def test_of_another_script(self) -> None:
        other = with_terms(drafted(), terms(), terms(timeout_height=111))
        self.refused(other, "pays 0 times to the lock")

    def test_that_pays_twice(self) -> None:
        def twice(psbt: PSBT) -> None:
            psbt.outputs[1].script_pubkey = psbt.outputs[0].script_pubkey

        self.refused(changed(drafted(), twice), "pays 2 times")

    def test_with_a_third_output(self) -> None:
        parsed = PSBT.parse(drafted())
        tx = Transaction.parse(parsed.tx.serialize())
        tx.vout.append(TransactionOutput(1000, p2wpkh(KEY)))
        more = PSBT(tx)
        for new, old in zip(more.inputs, parsed.inputs, strict=True):
            new.witness_utxo = old.witness_utxo
        self.refused(more.serialize(), "more outputs")

    @pytest.mark.parametrize("sequence", [1, 0x00400001, 0xFFFFFFF0])
    def test_with_a_strange_sequence(self, sequence: int) -> None:
        psbt = changed(drafted(), lambda p: setattr(p.inputs[1], "sequence", sequence))
        self.refused(psbt, "sequence number")

    def test_with_sequence_zero(self) -> None:
        """embit reads it as the largest."""
        tx = transaction_in(drafted()).serialize()
        zeroed = tx[: 4 + 1 + 32 + 4 + 1] + bytes(4) + tx[4 + 1 + 32 + 4 + 1 + 4 :]
        self.refused(drafted().replace(tx, zeroed), "damaged")

    @pytest.mark.parametrize("locktime", [HEIGHT + 1, 1_700_000_000])
    def test_that_must_wait(self, locktime: int) -> None:
        psbt = changed(drafted(), lambda p: setattr(p, "locktime", locktime))
        self.refused(psbt, f"is locked until {locktime}")

    def test_with_the_height_as_locktime_is_taken(self) -> None:
        """Wallets do that against fee sniping."""
        assert checked(changed(drafted(), lambda p: setattr(p, "locktime", HEIGHT)))

    def test_that_pays_no_fee(self) -> None:
        def all_back(psbt: PSBT) -> None:
            psbt.outputs[1].value = 1_400_000 - AMOUNT_SAT

        self.refused(changed(drafted(), all_back), "no fee")

    def test_that_pays_a_fee_of_half_the_price(self) -> None:
        psbt = build_draft([coin(P2WPKH, 1, 9_000_000)], terms(), AMOUNT_SAT, P2WPKH, RATE)
        wasted = changed(psbt, lambda p: setattr(p.outputs[1], "value", 7_400_000))
        self.refused(wasted, "over 1/2 of")

    def test_that_pays_many_times_the_rate(self) -> None:
        psbt = build_draft([coin(P2WPKH, 1, 9_000_000)], terms(), AMOUNT_SAT, P2WPKH, RATE * 50)
        assert checked(psbt, RATE * 50)
        self.refused(psbt, "far over 3 sat/vB")

    def test_that_does_not_say_what_it_spends(self) -> None:
        psbt = changed(drafted(), lambda p: setattr(p.inputs[0], "witness_utxo", None))
        self.refused(psbt, "does not say what input 0 spends")

    @pytest.mark.parametrize(
        "script",
        [
            "76a914" + "11" * 20 + "88ac",
            "a914" + "11" * 20 + "87",
            "0020" + "11" * 32,
            "5210" + "11" * 16,
        ],
    )
    def test_over_other_kinds_of_coins(self, script: str) -> None:
        """Legacy and P2SH inputs have a scriptSig, which is part of the id."""

        def other(psbt: PSBT) -> None:
            psbt.inputs[1].witness_utxo.script_pubkey.data = bytes.fromhex(script)

        self.refused(changed(drafted(), other), "input 1: only coins of one key")
        with pytest.raises(SettlementError, match="only coins of one key"):
            drafted(bytes.fromhex(script))

    @pytest.mark.parametrize("amount_sat", [0, 21_000_001 * 100_000_000])
    def test_over_impossible_amounts(self, amount_sat: int) -> None:
        def other(psbt: PSBT) -> None:
            psbt.inputs[0].witness_utxo.value = amount_sat

        self.refused(changed(drafted(), other), "no possible amount")

    @pytest.mark.parametrize("amount_sat", [5, 700_000])
    def test_that_contradicts_itself(self, amount_sat: int) -> None:
        """By another amount, or by a transaction with another id."""
        parent = CTransaction([CTxIn()], [CTxOut(1, b"\x51"), CTxOut(amount_sat, P2WPKH)])

        def lie(psbt: PSBT) -> None:
            psbt.inputs[0].non_witness_utxo = Transaction.parse(parent.serialize())

        self.refused(changed(drafted(), lie), "contradicts itself")

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"psbt\xff",
            b"psbt\xff\x01\x00\x00",
            b"psbt\xff\x01\x00\xff" + b"\xff" * 8,
            # no inputs, and then as many of them as a count of version 2 says
            b"psbt\xff\x01\x00\x0a\x02" + bytes(9) + b"\x01\x04\x09\xff" + b"\xff" * 8,
            b"psbt\xff\x01\x04\x09\xff" + b"\xff" * 8,
            bytes(MAX_PSBT_BYTES + 1),
        ],
    )
    def test_that_is_none(self, data: bytes) -> None:
        self.refused(data, "not a PSBT")

    def test_cut_or_changed_anywhere(self) -> None:
        """Either refused in one line, or still a draft that passes every check."""
        psbt = drafted()
        for length in range(len(psbt)):
            with pytest.raises(SettlementError):
                checked(psbt[:length])
        for place in range(len(psbt)):
            for bit in (1, 0x80):
                data = bytearray(psbt)
                data[place] ^= bit
                try:
                    draft = checked(bytes(data))
                except SettlementError:
                    continue
                assert draft.lock.amount_sat == AMOUNT_SAT
                assert bytes(draft.transaction.vout[0].scriptPubKey) == bytes(terms().script_pubkey)
