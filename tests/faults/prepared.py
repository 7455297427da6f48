"""A sale up to the verified delivery, made once; every simulated settlement begins with a copy.

Short terms keep runs short: the lock must be 2 blocks deep, ends after 40, and is redeemed only
with 12 left. The buyer has three coins, so that nothing but its own records and the chain keeps it
from paying a second time.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.keys import bech32_address, p2wpkh_script, public_key
from zkcmp.cli.main import run
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.seller import Seller
from zkcmp.model.architecture import Architecture
from zkcmp.model.data_files import save_npz
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Dense, Flatten
from zkcmp.model.network import Network
from zkcmp.model.onnx import export_onnx

PRICE_SAT = 100_000
TIMEOUT_BLOCKS, MIN_BLOCKS_LEFT, CONFIRMATIONS = 40, 12, 2
WALLET_COINS = 3
START_HEIGHT = 103 + WALLET_COINS

WALLET_SECRET = b"\x05" * 32
WALLET_SCRIPT = bytes(p2wpkh_script(public_key(WALLET_SECRET)))
WALLET_ADDRESS = bech32_address(WALLET_SCRIPT, "regtest")
"""Of the wallet in `wallet`, which has coins of its own."""

_LAST_HEIGHT = 1000
_ARCHITECTURE = Architecture((1, 2, 2), 4, (Flatten(), Dense(4, 3, 8, 12)))
_WEIGHT = np.array([[101, -77, 53, 31], [-90, 65, 47, -29], [13, 99, -121, 64]], np.int64)
_NETWORK = Network(_ARCHITECTURE, [_WEIGHT, np.array([407, -333, 211], np.int64)])


@dataclass(frozen=True)
class Facts:
    """What the judge knows of a sale, and no single party does."""

    preimage: bytes
    seller_script: bytes
    buyer_script: bytes
    locks: dict[bytes, int]
    """Output script of every lock there can be, to the height of its timeout."""

    model: bytes
    """The file that the buyer pays for."""


def arguments(root: Path, party: str, verb: str, *options: str) -> list[str]:
    """A command with the options that name the directories of the sale in `root`."""
    if verb == "recover":
        return _recovery(root, party)
    named = [party, verb, *options, "--home", str(root / party)]
    if verb != "status":
        named += ["--deal", str(root / "deal")]
    if verb in ("lock", "redeem", "watch", "open", "refund"):
        named += ["--chain-dir", str(root / "chain")]
    if verb == "open":
        named += ["--out", str(root / "bought.onnx")]
    return named


def _recovery(root: Path, party: str) -> list[str]:
    """From the party's rescue file, on a machine that has nothing else."""
    named = ["recover", str(root / f"{party}.rescue"), "--home", str(root / party)]
    named += ["--deal", str(root / "deal"), "--chain-dir", str(root / "chain")]
    return [*named, "--out", str(root / "bought.onnx")] if party == "buyer" else named


def prepare(root: Path) -> Facts:
    """Make the sale in `root`/verified, and settle a copy of it, which loads every kernel."""
    start = root / "verified"
    start.mkdir(parents=True)
    (start / "model.onnx").write_bytes(export_onnx(_NETWORK))
    images = np.random.default_rng(1).integers(0, 16, (3, 1, 2, 2))
    save_npz(start / "samples.npz", TestSet(images, _NETWORK.predict(images)))
    terms = (("price-sat", PRICE_SAT), ("timeout-blocks", TIMEOUT_BLOCKS))
    terms += (("min-blocks-left", MIN_BLOCKS_LEFT), ("confirmations", CONFIRMATIONS))
    options = [part for name, value in terms for part in (f"--{name}", str(value))]
    _do(start, "seller", "seal", str(start / "model.onnx"), *options)
    samples = ("--test-set", str(start / "samples.npz"), "--threshold", "2")
    _do(start, "buyer", "request", *samples, "--backend", "libra")
    _do(start, "seller", "prove")
    _do(start, "buyer", "verify")
    with Buyer.opened(start / "buyer") as buyer:
        address = buyer.wallet_address("regtest")
    with KernelChain(start / "chain") as chain:
        chain.mine(WALLET_COINS, WALLET_SCRIPT)
    _mine(start, START_HEIGHT - WALLET_COINS, "--to", address)
    (start / "model.onnx").unlink()
    settled = root / "settled"
    copy_sale(start, settled)
    _do(settled, "buyer", "lock")
    _mine(settled, CONFIRMATIONS)
    _do(settled, "seller", "redeem")
    _do(settled, "buyer", "open")
    return _facts(start, (settled / "bought.onnx").read_bytes())


def copy_sale(source: Path, target: Path) -> None:
    """All directories of a sale under another path."""
    shutil.copytree(source, target)
    for party in ("seller", "buyer"):
        (target / party).chmod(0o700)


def _facts(root: Path, model: bytes) -> Facts:
    with Seller.opened(root / "seller") as seller, Buyer.opened(root / "buyer") as buyer:
        sold, bought = seller.need(root / "deal"), buyer.need(root / "deal")
        offer, refund_key = sold.offer(), bought.keys().coin_public
        terms = [
            Htlc(offer.commitment, offer.claim_key, refund_key, height)
            for height in range(1, _LAST_HEIGHT)
        ]
        return Facts(
            preimage=sold.read_secret("preimage"),
            seller_script=seller.wallet_script,
            buyer_script=buyer.wallet_script,
            locks={bytes(htlc.script_pubkey): htlc.timeout_height for htlc in terms},
            model=model,
        )


def _do(root: Path, party: str, verb: str, *options: str) -> None:
    if run(arguments(root, party, verb, *options)) != 0:
        raise RuntimeError(f"the undisturbed sale fails: {party} {verb}")


def _mine(root: Path, blocks: int, *options: str) -> None:
    if run(["chain", "mine", str(blocks), *options, "--chain-dir", str(root / "chain")]) != 0:
        raise RuntimeError("the undisturbed sale fails: no blocks")
