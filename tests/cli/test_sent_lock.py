"""A lock that was sent is not forgotten, whatever another chain says about its coins."""

import shutil
from collections.abc import Callable

from deal_stages import Sale

from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.funding import build_lock
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import public_key
from zkcmp.cli.main import run
from zkcmp.exchange.buyer import Buyer


def test_lock_repeated_on_a_chain_that_spent_its_coins(sale: Callable[[str], Sale]) -> None:
    """Two regtest chains can have the same coins: the same calls make the same blocks."""
    deal = sale("verified")
    twin = deal.root / "twin"
    shutil.copytree(deal.root / "chain", twin)
    assert deal.run("buyer", "lock").code == 0
    with Buyer.opened(deal.root / "buyer") as buyer, KernelChain(twin) as chain:
        htlc = Htlc(bytes(32), *(public_key(bytes(31) + bytes([k])) for k in (1, 2)), 500)
        coins = chain.find_spendable(buyer.wallet_script)
        secret = (deal.root / "buyer" / "wallet.key").read_bytes()
        amount_sat = sum(coin.amount_sat for coin in coins) - 10_000
        chain.broadcast(build_lock(coins, htlc, amount_sat, buyer.wallet_script, secret, 2))
    assert run([*deal.arguments("buyer", "lock")[:-1], str(twin)]) == 2
    assert deal.run("chain", "mine", "146").code == 0
    assert deal.run("buyer", "refund").code == 0
