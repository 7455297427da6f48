"""A wallet that is not the project's: it pays to addresses and signs PSBTs."""

from bitcoin.core import CTransaction, CTxOut
from bitcoin.core.script import CScript
from deal_stages import PRICE_SAT, Sale
from embit import ec
from embit.psbt import PSBT

from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.keys import (
    bech32_address,
    p2wpkh_script,
    p2wpkh_script_code,
    public_key,
    script_of_address,
)
from bitcoin_scripts.spend import input_of, signature, with_witnesses

SECRET = b"\x05" * 32
KEY = public_key(SECRET)
SCRIPT = bytes(p2wpkh_script(KEY))
ADDRESS = bech32_address(SCRIPT, "regtest")
FEE_SAT = 1000


def earn(sale: Sale) -> None:
    """Mature coins for the wallet, and the blocks that takes."""
    with KernelChain(sale.root / "chain") as chain:
        chain.mine(3, SCRIPT)
        chain.mine(100, b"\x51")


def signed(coins: list[Outpoint], outputs: list[CTxOut]) -> CTransaction:
    change = sum(c.amount_sat for c in coins) - sum(o.nValue for o in outputs) - FEE_SAT
    tx = CTransaction(
        [input_of(c) for c in coins], [*outputs, CTxOut(change, CScript(SCRIPT))], 0, 2
    )
    code = p2wpkh_script_code(KEY)
    stacks = [[signature(code, tx, i, c.amount_sat, SECRET), KEY] for i, c in enumerate(coins)]
    return with_witnesses(tx, stacks)


def pay(sale: Sale, address: str, *amounts_sat: int) -> str:
    """One transaction with an output of each amount, waiting to be mined; its id."""
    script = CScript(script_of_address(address, "regtest"))
    with KernelChain(sale.root / "chain") as chain:
        coin = chain.find_spendable(SCRIPT)[0]
        tx = signed([coin], [CTxOut(amount, script) for amount in amounts_sat or (PRICE_SAT,)])
        chain.broadcast(tx)
    return txid_of(tx)


def spend_coin(sale: Sale, tx: CTransaction) -> str:
    """Pay the first coin of `tx` back to the wallet, and mine that; the id."""
    with KernelChain(sale.root / "chain") as chain:
        spent = tx.vin[0].prevout
        (coin,) = (
            c
            for c in chain.find_spendable(SCRIPT)
            if (c.txid, c.vout) == (spent.hash[::-1].hex(), spent.n)
        )
        other = signed([coin], [])
        chain.broadcast(other)
        chain.mine(1, b"\x51")
    return txid_of(other)


def sign_psbt(psbt: bytes) -> bytes:
    parsed = PSBT.parse(psbt)
    assert parsed.sign_with(ec.PrivateKey(SECRET)) == len(parsed.inputs)
    return bytes(parsed.serialize())
