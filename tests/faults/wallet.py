"""The buyer's other wallet: it pays to addresses and signs PSBTs, not always as it was asked to.

It is not the project's: what it does wrong must cost time at most. Each sale draws one behaviour.
"""

import random
import re
from typing import TYPE_CHECKING

from bitcoin.core import CTransaction, CTxOut, b2lx
from bitcoin.core.script import CScript
from embit import ec
from embit.finalizer import finalize_psbt
from embit.psbt import PSBT
from prepared import PRICE_SAT, WALLET_ADDRESS, WALLET_SCRIPT, WALLET_SECRET

from bitcoin_scripts.chain import Outpoint
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.keys import p2wpkh_script_code, public_key, script_of_address
from bitcoin_scripts.spend import input_of, signature, with_witnesses

if TYPE_CHECKING:
    from world import World

PAYERS = {
    "exactly": 5.0,
    "too little": 1.0,
    "too much": 1.0,
    "twice": 1.0,
    "late": 1.0,
    "replaced": 2.0,
}
"""How an address is paid, and how often so."""

SIGNERS = {"returns": 5.0, "sends": 2.0, "changes": 1.0, "spends": 1.0, "replaced": 1.0}
"""What becomes of a PSBT: it comes back signed, is sent by the wallet itself, comes back changed,
its coin is spent elsewhere, or it is sent and then replaced."""

_LATE_BLOCKS = 24
_FEE_SAT = 1000
_KEY = public_key(WALLET_SECRET)
_ASKED = re.compile(r"exactly \d+ sat, in one payment, to (bcrt1\w+)")


class Wallet:
    """One wallet of the buyer's, `way` being `external` or `psbt`; it can do nothing twice."""

    def __init__(self, world: "World", way: str, rng: random.Random):
        self.world, self.way, self.rng = world, way, rng
        behaviours = PAYERS if way == "external" else SIGNERS
        self.behaviour = rng.choices(list(behaviours), list(behaviours.values()))[0]
        self.asked: dict[str, int] = {}
        """Every address that was shown, to the height of the chain then."""

        self._paid: set[str] = set()
        self._replaced = False
        self._drafts = 0

    def command(self, rate: int) -> list[str]:
        """A `buyer lock` that goes on with this way."""
        if self.way == "external":
            return ["buyer", "lock", "--external"]
        signed = sorted(self.world.root.glob("signed*.psbt"))
        if signed and self.rng.random() < 0.7:
            return ["buyer", "lock", "--psbt-in", str(self.rng.choice(signed))]
        self._drafts += 1
        out = self.world.root / f"draft{self._drafts}.psbt"
        return [
            "buyer",
            "lock",
            "--psbt-out",
            str(out),
            "--from",
            WALLET_ADDRESS,
            "--fee",
            str(rate),
        ]

    def read(self, printed: str) -> None:
        """What a command said that was to be paid."""
        found = _ASKED.search(printed)
        if found:
            with self.world.chain() as chain:
                self.asked.setdefault(found[1], chain.height())

    def act(self) -> None:
        """Pay what was asked for, or sign what was drafted, in the way of this wallet."""
        with self.world.chain() as chain:
            try:
                if self.way == "external":
                    self._pay(chain)
                else:
                    self._sign(chain)
            except SettlementError as error:  # its coin is spent, or a replacement pays too little
                self.world.trace.append(f"wallet: {error}")

    def _pay(self, chain: KernelChain) -> None:
        if self.behaviour == "replaced" and self._paid and not self._replaced:
            self._replace(chain)
        for address, height in self.asked.items():
            if address in self._paid:
                continue
            if self.behaviour == "late" and chain.height() < height + _LATE_BLOCKS:
                continue
            self._paid.add(address)
            amount = {"too little": PRICE_SAT // 2, "too much": PRICE_SAT + 1}
            outputs = [_output(amount.get(self.behaviour, PRICE_SAT), address)]
            for _ in range(1 + (self.behaviour == "twice")):
                self._send(chain, _spend(chain.find_spendable(WALLET_SCRIPT)[:1], outputs))

    def _sign(self, chain: KernelChain) -> None:
        drafts = sorted(self.world.root.glob("draft*.psbt"))
        if not drafts:
            return
        if self.behaviour == "replaced" and self._paid and not self._replaced:
            self._replace(chain)
        draft = self.rng.choice(drafts)
        parsed = PSBT.parse(draft.read_bytes())
        if self.behaviour == "spends":
            self._spend_elsewhere(chain, parsed)
        if self.behaviour == "changes" and not self._paid:
            self._paid.add(draft.name)
            parsed.tx.vout[0].value += self.rng.choice((-1, 1))
        parsed.sign_with(ec.PrivateKey(WALLET_SECRET))
        if self.behaviour in ("sends", "replaced") and draft.name not in self._paid:
            self._paid.add(draft.name)
            raw = finalize_psbt(parsed).serialize()
            self._send(chain, CTransaction.deserialize(raw))
        else:
            name = draft.name.replace("draft", "signed")
            (self.world.root / name).write_bytes(parsed.serialize())

    def _spend_elsewhere(self, chain: KernelChain, parsed: PSBT) -> None:
        if self._replaced:
            return
        self._replaced = True
        wanted = {(i.txid.hex(), i.vout) for i in parsed.tx.vin}
        coins = [c for c in chain.find_spendable(WALLET_SCRIPT) if (c.txid, c.vout) in wanted]
        self._send(chain, _spend(coins[:1], []))

    def _replace(self, chain: KernelChain) -> None:
        """The payment that waits, by one that pays the same with another id, or nothing at all."""
        self._replaced = True
        tx = self.world.paid()[-1].tx
        coins = []
        for each in tx.vin:
            place = str(b2lx(each.prevout.hash)), each.prevout.n
            made_by = chain.get_transaction(place[0])
            if made_by is not None:
                coins.append(Outpoint(*place, int(made_by.vout[place[1]].nValue)))
        outputs = [CTxOut(o.nValue, o.scriptPubKey) for o in tx.vout[:1]]
        kept = outputs if self.way == "external" and self.rng.random() < 0.6 else []
        if coins:
            self._send(chain, _spend(coins, kept, 20 * _FEE_SAT))

    def _send(self, chain: KernelChain, tx: CTransaction) -> None:
        chain.broadcast(tx)
        self.world.note_paid(chain, tx)


def _output(amount_sat: int, address: str) -> CTxOut:
    return CTxOut(amount_sat, CScript(script_of_address(address, "regtest")))


def _spend(coins: list[Outpoint], outputs: list[CTxOut], fee_sat: int = _FEE_SAT) -> CTransaction:
    if not coins:
        raise SettlementError("no coins")
    change = sum(c.amount_sat for c in coins) - sum(o.nValue for o in outputs) - fee_sat
    inputs = [input_of(coin) for coin in coins]
    tx = CTransaction(inputs, [*outputs, CTxOut(change, CScript(WALLET_SCRIPT))], 0, 2)
    code = p2wpkh_script_code(_KEY)
    stacks = [
        [signature(code, tx, i, c.amount_sat, WALLET_SECRET), _KEY] for i, c in enumerate(coins)
    ]
    return with_witnesses(tx, stacks)
