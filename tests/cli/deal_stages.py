"""Two parties selling a dense 4 -> 3 network over three images, as directory snapshots.

A copy of a snapshot lies at another path than the original: the parties must find their deal by
the offer, as they do for a deal folder that was moved.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from zkcmp.cli.main import run
from zkcmp.model.architecture import Architecture
from zkcmp.model.data_files import save_npz
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Dense, Flatten
from zkcmp.model.network import Network
from zkcmp.model.onnx import export_onnx

MESSAGES = ("offer", "request", "key-material", "delivery", "lock")
STAGES = ("sealed", "requested", "set_up", "proved", "verified", "locked", "redeemed", "opened")
PRICE_SAT = 100_000

ARCHITECTURE = Architecture((1, 2, 2), 4, (Flatten(), Dense(4, 3, 8, 12)))
WEIGHT = np.array([[101, -77, 53, 31], [-90, 65, 47, -29], [13, 99, -121, 64]], np.int64)
BIAS = np.array([407, -333, 211], np.int64)
NETWORK = Network(ARCHITECTURE, [WEIGHT, BIAS])


def samples(seed: int) -> TestSet:
    """Three images that the network gets right."""
    images = np.random.default_rng(seed).integers(0, 16, (3, 1, 2, 2))
    return TestSet(images, NETWORK.predict(images))


@dataclass
class Result:
    """One command's exit code and output."""

    code: int
    out: str
    err: str

    @property
    def refused(self) -> bool:
        """Exit code 2, one line on stderr, no traceback, nothing on stdout."""
        lines = self.err.splitlines()
        return (
            self.code == 2 and len(lines) == 1 and lines[0].startswith("zkcmp: ") and not self.out
        )


@dataclass
class Sale:
    """The directories of one sale."""

    root: Path
    capsys: pytest.CaptureFixture[str] | None = None
    folder: str = "deal"

    @property
    def deal(self) -> Path:
        return self.root / self.folder

    def message(self, name: str) -> Path:
        return self.deal / f"{name}.zkcmp"

    def private(self, party: str) -> Path:
        """The party's private directory of the deal in `folder`."""
        offer = (self.deal / "offer.zkcmp").read_bytes()
        for path in (self.root / party / "deals").iterdir():
            if (path / "offer.zkcmp").read_bytes() == offer:
                return path
        raise FileNotFoundError(party)

    def arguments(self, *command: str) -> list[str]:
        """The command with the options that name this sale's directories."""
        party, verb = command[0], command[1]
        arguments = list(command)
        if party == "chain":
            return [*arguments, "--chain-dir", str(self.root / "chain")]
        arguments += ["--home", str(self.root / party)]
        if verb not in ("status", "withdraw"):
            arguments += ["--deal", str(self.deal)]
        if verb in ("redeem", "lock", "open", "refund", "watch", "withdraw"):
            arguments += ["--chain-dir", str(self.root / "chain")]
        return arguments

    def run(self, *command: str) -> Result:
        if self.capsys:
            self.capsys.readouterr()
        code = run(self.arguments(*command))
        out, err = self.capsys.readouterr() if self.capsys else ("", "")
        return Result(code, out, err)

    def seal(self) -> Result:
        return self.run(
            "seller", "seal", str(self.root / "model.onnx"), "--price-sat", str(PRICE_SAT)
        )

    def request(self, seed: int = 1, *options: str) -> Result:
        path = self.root / f"samples{seed}.npz"
        return self.run("buyer", "request", "--test-set", str(path), "--threshold", "2", *options)

    def copied(self, root: Path) -> "Sale":
        """All directories once more, under another path."""
        shutil.copytree(self.root, root)
        for party in ("seller", "buyer"):
            (root / party).chmod(0o700)
        return Sale(root, self.capsys, self.folder)

    def keep(self, place: str) -> None:
        """A copy of one directory, for `put_back`."""
        shutil.copytree(self.root / place, self.root / f"{place}-kept")

    def put_back(self, place: str) -> None:
        """The directory is as it was when it was kept."""
        shutil.rmtree(self.root / place)
        (self.root / f"{place}-kept").rename(self.root / place)

    def ask_and_prove(self, *options: str) -> None:
        """From the seal to the delivery, with other options for the request."""
        assert self.request(1, *options).code == 0
        if "hyrax" not in options:
            assert self.run("buyer", "setup").code == 0
        assert self.prove().code == 0

    def prove(self) -> Result:
        return self.run("seller", "prove")

    def open(self) -> Result:
        return self.run("buyer", "open", "--out", str(self.root / "bought.onnx"))

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Mode and contents of every file; of the chain only what must not be lost."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if name.startswith("chain/") and name != "chain/journal":
                continue
            if path.is_file() and not path.is_symlink():
                found[name] = (path.stat().st_mode, path.read_bytes())
            else:
                found[name] = (path.lstat().st_mode, b"")
        return found


@dataclass
class Stages:
    """`root`/<stage> for every stage, and `root`/other: a second deal of the same two parties."""

    root: Path

    def copy(
        self, stage: str, target: Path, capsys: pytest.CaptureFixture[str] | None = None
    ) -> Sale:
        shutil.copytree(self.root / stage, target)
        for party in ("seller", "buyer"):
            (target / party).chmod(0o700)
        return Sale(target, capsys)


def wallet_of(root: Path) -> str:
    from zkcmp.exchange.buyer import Buyer

    with Buyer.opened(root / "buyer") as buyer:
        return buyer.wallet_address("regtest")


def build_stages(root: Path) -> Stages:
    """Run the sale once; raise when a step fails."""
    sale = Sale(root / "work")
    sale.root.mkdir()
    (sale.root / "model.onnx").write_bytes(export_onnx(NETWORK))
    for seed in (1, 2, 3):
        save_npz(sale.root / f"samples{seed}.npz", samples(seed))

    def do(*command: str) -> None:
        assert sale.run(*command).code == 0, command

    def snapshot(stage: str) -> None:
        shutil.copytree(sale.root, root / stage)

    for party in ("seller", "buyer"):
        do(party, "status")
    do("chain", "mine", "103", "--to", wallet_of(sale.root))
    # first a whole other deal of the same parties, up to its lock, to replay messages from
    sale.folder = "other"
    _run_deal(sale, 2, lambda stage: None)
    sale.folder = "deal"
    snapshot("ready")
    _run_deal(sale, 1, snapshot)
    return Stages(root)


def _run_deal(sale: Sale, seed: int, snapshot) -> None:  # type: ignore[no-untyped-def]
    def done(result: Result, stage: str) -> None:
        assert result.code == 0, stage
        snapshot(stage)

    done(sale.seal(), "sealed")
    done(sale.request(seed), "requested")
    done(sale.run("buyer", "setup"), "set_up")
    done(sale.prove(), "proved")
    done(sale.run("buyer", "verify"), "verified")
    assert sale.run("buyer", "lock").code == 0
    done(sale.run("chain", "mine", "1"), "locked")
    if sale.folder == "other":
        return
    assert sale.run("seller", "redeem").code == 0
    done(sale.run("chain", "mine", "1"), "redeemed")
    done(sale.open(), "opened")
