"""The hash-locked output of a sale, as a P2WSH redeem script:

    IF SIZE 32 EQUALVERIFY SHA256 <hashlock> EQUALVERIFY <seller>
    ELSE <timeout> CHECKLOCKTIMEVERIFY DROP <buyer> ENDIF CHECKSIG

The seller spends it at any time with the 32-byte preimage of the hashlock; the buyer from block
`timeout_height` + 1 on (a transaction with lock time h is valid in blocks above h). SIZE 32 holds
the claim to the length that the zero-knowledge statement and Lightning know. The shape follows
BIP 199 with two P2PK branches.

What a spend may look like is narrow by consensus: a witness script must leave exactly one stack
item, so a claim is [signature, preimage, true, script] and a refund [signature, false, script].
That true is 01 and false is empty is only relay policy (MINIMALIF): a third party can rewrite it
in flight without changing the txid, so nothing here may depend on those bytes.

The caller must still check that the hashlock is the one whose proof was verified, the amount,
the confirmations and the time that remains.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from bitcoin.core.script import (
    OP_0,
    OP_CHECKLOCKTIMEVERIFY,
    OP_CHECKSIG,
    OP_DROP,
    OP_ELSE,
    OP_ENDIF,
    OP_EQUALVERIFY,
    OP_IF,
    OP_SHA256,
    OP_SIZE,
    CScript,
)

from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import bech32_address, check_public_key

HASHLOCK_BYTES = 32
PREIMAGE_BYTES = 32

LOCKTIME_THRESHOLD = 500_000_000
"""Lock times from here on are seconds, not heights (consensus)."""

_HASHLOCK_AT = 7
_SELLER_AT = _HASHLOCK_AT + 32 + 2
_TIMEOUT_AT = _SELLER_AT + 33 + 1
_BUYER_FROM_END = 33 + 2


@dataclass(frozen=True)
class Htlc:
    """The terms of one hash-locked output.

    Raises SettlementError for terms under which a branch could never or always be spent.
    """

    hashlock: bytes
    seller_pubkey: bytes
    buyer_pubkey: bytes
    timeout_height: int

    def __post_init__(self) -> None:
        if len(self.hashlock) != HASHLOCK_BYTES:
            raise SettlementError("a hashlock is 32 bytes; take it from the seller's offer")
        check_public_key(self.seller_pubkey, "seller's")
        check_public_key(self.buyer_pubkey, "buyer's")
        if self.seller_pubkey == self.buyer_pubkey:
            raise SettlementError("seller and buyer have the same key; each must use its own")
        if not 0 < self.timeout_height < LOCKTIME_THRESHOLD:
            raise SettlementError(
                f"timeout {self.timeout_height} is not a block height; "
                f"choose one from 1 to {LOCKTIME_THRESHOLD - 1}"
            )

    @property
    def redeem_script(self) -> CScript:
        """The script that a spend reveals."""
        return self._redeem_script(self.timeout_height)

    @property
    def script_pubkey(self) -> CScript:
        """The output script: 0 <SHA256(redeem_script)>."""
        return _p2wsh(self.redeem_script)

    def timeout_of(self, scripts: Collection[bytes], heights: Iterable[int]) -> int | None:
        """The first of `heights` with which this lock would have one of the output scripts."""
        wanted = {bytes(script) for script in scripts}
        return next((h for h in heights if bytes(_p2wsh(self._redeem_script(h))) in wanted), None)

    def address(self, chain_name: str) -> str:
        """The bech32 address of the output on `main`, `testnet`, `signet` or `regtest`."""
        return bech32_address(self.script_pubkey, chain_name)

    def _redeem_script(self, timeout_height: int) -> CScript:
        claim = [OP_SIZE, bytes([PREIMAGE_BYTES]), OP_EQUALVERIFY]
        claim += [OP_SHA256, self.hashlock, OP_EQUALVERIFY, self.seller_pubkey]
        refund = [timeout_height, OP_CHECKLOCKTIMEVERIFY, OP_DROP, self.buyer_pubkey]
        return CScript([OP_IF, *claim, OP_ELSE, *refund, OP_ENDIF, OP_CHECKSIG])


def parse(redeem_script: bytes) -> Htlc:
    """The terms of a redeem script, which must equal the template byte for byte.

    Raises SettlementError for any other script, non-minimal pushes included.
    """
    script = bytes(redeem_script)
    # Fields are read where the template has them. What is rebuilt from them must be the input,
    # so no other byte needs to be looked at and no second encoding of a field can pass.
    try:
        htlc = Htlc(
            hashlock=script[_HASHLOCK_AT : _HASHLOCK_AT + HASHLOCK_BYTES],
            seller_pubkey=script[_SELLER_AT : _SELLER_AT + 33],
            buyer_pubkey=script[-_BUYER_FROM_END:-2],
            timeout_height=_pushed_number(script[_TIMEOUT_AT : _TIMEOUT_AT + 5]),
        )
        matches = bytes(htlc.redeem_script) == script
    except SettlementError:
        matches = False
    if not matches:
        raise SettlementError(
            "the redeem script is not the hash-lock template; refuse it and ask for a new lock"
        )
    return htlc


def _p2wsh(redeem_script: CScript) -> CScript:
    return CScript([OP_0, hashlib.sha256(redeem_script).digest()])


def _pushed_number(push: bytes) -> int:
    """The positive number that an opcode or a push of up to four bytes leaves on the stack."""
    if push and 0x51 <= push[0] <= 0x60:
        return push[0] - 0x50
    return int.from_bytes(push[1 : 1 + push[0]], "little") if push else 0
