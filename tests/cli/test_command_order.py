"""Commands out of order, repeated, contradicted, or with bad arguments."""

import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deal_stages import BIAS, MESSAGES, NETWORK, STAGES, WEIGHT, Result, Sale, wallet_of

from bitcoin_scripts.chain.kernel import KernelChain
from zkcmp import seal
from zkcmp.cli.main import run
from zkcmp.exchange.messages.identity import fingerprint
from zkcmp.model.network import Network
from zkcmp.model.onnx import export_onnx, read_onnx
from zkcmp.model.quantize import quantize

Commands = dict[str, Callable[[Sale], Result]]
COMMANDS: Commands = {
    "seal": Sale.seal,
    "request": Sale.request,
    "setup": lambda sale: sale.run("buyer", "setup"),
    "prove": Sale.prove,
    "verify": lambda sale: sale.run("buyer", "verify"),
    "lock": lambda sale: sale.run("buyer", "lock"),
    "redeem": lambda sale: sale.run("seller", "redeem"),
    "open": Sale.open,
}
DONE_AT = dict(zip(COMMANDS, STAGES, strict=True))


@pytest.mark.parametrize(
    ("stage", "command", "supplier"),
    [
        ("sealed", "setup", "zkcmp buyer request"),
        ("sealed", "prove", "zkcmp buyer request"),
        ("requested", "prove", "zkcmp buyer setup"),
        ("sealed", "verify", "zkcmp buyer request"),
        ("requested", "verify", "zkcmp buyer setup"),
        ("set_up", "verify", "zkcmp seller prove"),
        ("proved", "lock", "zkcmp buyer verify"),
        ("set_up", "redeem", "zkcmp seller prove"),
        ("verified", "redeem", "zkcmp buyer lock"),
        ("verified", "open", "zkcmp buyer lock"),
        ("locked", "open", "zkcmp seller redeem"),
    ],
)
def test_too_early(sale: Callable[[str], Sale], stage: str, command: str, supplier: str) -> None:
    deal = sale(stage)
    before = deal.tree()
    result = COMMANDS[command](deal)
    assert result.refused, result
    assert supplier in result.err
    assert deal.tree() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_repeated_at_once(sale: Callable[[str], Sale], command: str) -> None:
    """The same messages, byte for byte; nothing is spent, counted or paid twice."""
    deal = sale(DONE_AT[command])
    deal.seal() if command == "seal" else deal.run("buyer", "status")
    COMMANDS[command](deal)  # the copy moved: the new folder is noted once
    before = deal.tree()
    assert COMMANDS[command](deal).code == 0
    assert deal.tree() == before


def test_repeated_at_the_end(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    for command in COMMANDS.values():
        command(deal)  # the copy moved: the new folder is noted once
    before = deal.tree()
    for name, command in COMMANDS.items():
        assert command(deal).code == 0, name
    assert deal.tree() == before


@pytest.mark.parametrize("name", MESSAGES)
def test_own_message_is_restored(sale: Callable[[str], Sale], name: str) -> None:
    """A message that was lost on the way is published again, the same one."""
    stage, command = {
        "offer": ("sealed", "seal"),
        "request": ("requested", "request"),
        "key-material": ("set_up", "setup"),
        "delivery": ("proved", "prove"),
        "lock": ("locked", "lock"),
    }[name]
    deal = sale(stage)
    COMMANDS[command](deal)
    honest = deal.message(name).read_bytes()
    deal.message(name).write_bytes(b"lost")
    assert COMMANDS[command](deal).code == 0
    assert deal.message(name).read_bytes() == honest


def test_opened_network_is_the_sealed_one(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    assert quantize(read_onnx(deal.root / "bought.onnx")) == NETWORK


def test_second_request_for_one_seal(sale: Callable[[str], Sale]) -> None:
    """Another buyer's valid request for a seal that already answered one gets nothing."""
    deal = sale("proved")
    rival = Sale(deal.root, deal.capsys, folder="rival")
    rival.deal.mkdir()
    rival.message("offer").write_bytes(deal.message("offer").read_bytes())
    arguments = ["--home", str(deal.root / "rival-home"), "--deal", str(rival.deal)]
    npz = str(deal.root / "samples3.npz")
    asked = run(["buyer", "request", *arguments, "--test-set", npz, "--threshold", "2"])
    assert asked == 0
    deal.message("request").write_bytes(rival.message("request").read_bytes())
    deal.message("delivery").unlink()
    before = deal.tree()
    result = deal.prove()
    assert result.refused
    assert "bound to an earlier request" in result.err
    assert deal.tree() == before


def test_spent_samples_are_refused(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    before = deal.tree()
    result = deal.request(seed=2)  # was sent in the other deal
    assert result.refused
    assert "already sent" in result.err
    assert deal.tree() == before


def test_another_request_for_the_same_offer(sale: Callable[[str], Sale]) -> None:
    deal = sale("requested")
    before = deal.tree()
    assert deal.request(seed=3).refused
    assert deal.tree() == before


def test_resealing_on_other_terms(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    before = deal.tree()
    model = str(deal.root / "model.onnx")
    assert deal.run("seller", "seal", model, "--price-sat", "5000").refused
    tensors = [NETWORK.tensors[0], NETWORK.tensors[1] + 1]
    (deal.root / "model.onnx").write_bytes(export_onnx(Network(NETWORK.architecture, tensors)))
    assert deal.seal().refused
    (deal.root / "model.onnx").write_bytes(export_onnx(NETWORK))
    assert deal.tree() == before


def test_answered_requests_are_counted_per_weights(sale: Callable[[str], Sale]) -> None:
    """Both deals sold the same weights under different keys."""
    deal = sale("proved")
    assert "2 requests about these weights" in deal.prove().out
    assert deal.run("seller", "status").out.count("2 requests about these weights") == 2


def test_unreachable_threshold_is_refused_without_a_trace(
    sale: Callable[[str], Sale], tmp_path: Path
) -> None:
    """The seller knows why; the deal folder stays as it was. Silence tells a bit, so it counts."""
    deal = sale("sealed")
    wrong = tmp_path / "wrong.npz"
    images = np.random.default_rng(9).integers(0, 16, (3, 1, 2, 2))
    np.savez(wrong, images=images, labels=(NETWORK.predict(images) + 1) % 3)
    asked = ("buyer", "request", "--test-set", str(wrong), "--threshold", "1")
    assert deal.run(*asked).code == 0
    assert deal.run("buyer", "setup").code == 0
    listed = {p.name: p.read_bytes() for p in deal.deal.iterdir()}
    result = deal.prove()
    assert result.refused
    assert "gets 0 of 3 right" in result.err
    assert {p.name: p.read_bytes() for p in deal.deal.iterdir()} == listed
    # one of the other deal, one of this
    assert "2 requests about these weights" in deal.run("seller", "status").out


def test_expired_offer(sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    now = time.time()
    monkeypatch.setattr("zkcmp.exchange.checks.time.time", lambda: now + 8 * 24 * 3600)
    deal = sale("sealed")
    before = deal.tree()
    assert "expired" in deal.request().err
    assert deal.tree() == before


def test_request_after_expiry(sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    deal = sale("set_up")
    now = time.time()
    monkeypatch.setattr("zkcmp.exchange.checks.time.time", lambda: now + 8 * 24 * 3600)
    before = deal.tree()
    assert "expired" in deal.prove().err
    assert deal.tree() == before


def test_lock_without_coins(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    deal.run("buyer", "status")
    (deal.root / "chain" / "journal").unlink()
    result = deal.run("buyer", "lock")
    assert result.refused
    assert wallet_of(deal.root) in result.err


def test_redeem_waits_for_confirmations_and_leaves_time(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    assert deal.run("buyer", "lock").code == 0
    assert "0 of 1 confirmations" in deal.run("seller", "redeem").err
    assert deal.run("chain", "mine", "109").code == 0
    result = deal.run("seller", "redeem")
    assert result.refused
    assert "only 35 blocks are left" in result.err
    assert not (deal.private("seller") / "claims").exists()


def test_refund(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    assert "143 blocks from now" in deal.run("buyer", "refund").err
    assert deal.run("chain", "mine", "143").code == 0
    assert deal.run("buyer", "refund").code == 0
    assert deal.run("chain", "mine", "1").code == 0
    again = deal.run("buyer", "refund")
    assert again.code == 0
    assert "1 confirmation" in again.out
    assert "refunded" in deal.open().err
    assert deal.run("seller", "redeem").refused


def test_refund_after_the_claim_points_to_open(sale: Callable[[str], Sale]) -> None:
    deal = sale("redeemed")
    assert "zkcmp buyer open" in deal.run("buyer", "refund").err


def test_open_overwrites_nothing(sale: Callable[[str], Sale]) -> None:
    deal = sale("redeemed")
    (deal.root / "bought.onnx").write_bytes(b"something of mine")
    assert deal.open().refused
    assert (deal.root / "bought.onnx").read_bytes() == b"something of mine"


def test_private_files_are_private(sale: Callable[[str], Sale]) -> None:
    deal = sale("opened")
    for party in ("seller", "buyer"):
        for path in [deal.root / party, *(deal.root / party).rglob("*")]:
            expected = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_home_that_others_can_enter_is_refused(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    (deal.root / "buyer").chmod(0o755)
    assert "chmod 700" in deal.request().err


def test_no_secret_leaves_the_private_directory(sale: Callable[[str], Sale]) -> None:
    """Until redemption, no key, seed or weight is in the deal folder, on the chain, or printed."""
    deal = sale("locked")
    secrets = {"weights": np.ascontiguousarray(WEIGHT, "int8").tobytes()}
    secrets["bias"] = BIAS.astype("<i8").tobytes()
    for value in seal.pack(NETWORK):
        secrets[f"block {value % 1000}"] = value.to_bytes(32, "little")
        secrets[f"block {value % 1000} reversed"] = value.to_bytes(32, "big")
    secrets["preimage"] = (deal.private("seller") / "preimage").read_bytes()
    secrets["ciphertext"] = (deal.private("seller") / "ciphertext").read_bytes()
    for party in ("seller", "buyer"):
        for name in ("identity.key", "wallet.key"):
            secrets[f"{party} {name}"] = (deal.root / party / name).read_bytes()
    public = [p for p in deal.deal.iterdir()] + [deal.root / "chain" / "journal"]
    shown = "".join(
        result.out + result.err
        for result in (
            deal.seal(),
            deal.prove(),
            deal.run("seller", "status"),
            deal.run("buyer", "status"),
            deal.run("buyer", "verify"),
            deal.run("buyer", "lock"),
        )
    )
    for name, secret in secrets.items():
        for path in public:
            assert secret not in path.read_bytes(), (name, path)
            assert secret.hex().encode() not in path.read_bytes(), (name, path)
        assert secret.hex() not in shown, name


@pytest.mark.parametrize(
    "arguments",
    [
        ["seller", "sell"],
        ["seller", "seal"],
        ["seller", "seal", "/nowhere.onnx", "--deal", "{d}", "--price-sat", "5000"],
        ["seller", "seal", "{model}", "--deal", "{d}", "--price-sat", "cheap"],
        ["seller", "seal", "{model}", "--deal", "{d}", "--price-sat", "-5"],
        ["seller", "seal", "{npz}", "--deal", "{d}", "--price-sat", "5000"],
        ["seller", "prove", "--deal", "{d}", "--accept-unaudited-setup"],
        ["seller", "audit", "--deal", "{d}", "--fast"],
        ["seller", "redeem", "--deal", "{d}", "--chain-dir", "/dev/null/chain"],
        ["seller", "status", "--home", "/dev/null/home"],
        ["buyer", "request", "--deal", "{d}", "--test-set", "/nowhere.npz", "--accuracy", "0.9"],
        ["buyer", "request", "--deal", "{d}", "--test-set", "{model}", "--accuracy", "0.9"],
        ["buyer", "request", "--deal", "{d}", "--test-set", "{npz}"],
        ["buyer", "request", "--deal", "{d}", "--test-set", "{npz}", "--accuracy", "1.5"],
        ["buyer", "request", "--deal", "{d}", "--test-set", "{npz}", "--accuracy", "nan"],
        ["buyer", "request", "--deal", "{d}", "--test-set", "{npz}", "--threshold", "4"],
        ["buyer", "request", "--deal", "{d}", "--test-set", "{npz}", "--images", "9"],
        ["buyer", "request", "--deal", "{d}", "--test-set", "digits", "--threshold", "1"],
        ["chain", "mine", "0"],
        ["chain", "mine", "1", "--to", "bc1nonsense"],
        ["demo", "--images", "0"],
        ["demo", "--keep", "{d}"],
        ["nonsense"],
        ["--nonsense"],
    ],
)
def test_bad_arguments(
    sale: Callable[[str], Sale], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    deal = sale("sealed")
    values = {
        "d": str(deal.deal),
        "model": str(deal.root / "model.onnx"),
        "npz": str(deal.root / "samples1.npz"),
    }
    given = [argument.format(**values) for argument in arguments]
    if given[0] in ("seller", "buyer") and "--home" not in given and len(given) > 2:
        given += ["--home", str(deal.root / given[0])]
    if given[0] == "chain":
        given += ["--chain-dir", str(deal.root / "chain")]
    before = deal.tree()
    capsys.readouterr()
    code = run(given)
    out, err = capsys.readouterr()
    assert Result(code, out, err).refused, (code, out, err)
    assert deal.tree() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    deal.message("offer").chmod(0)
    assert deal.request().refused


def test_two_commands_at_once(sale: Callable[[str], Sale]) -> None:
    from zkcmp.exchange.buyer import Buyer

    deal = sale("sealed")
    with Buyer.opened(deal.root / "buyer"):
        result = deal.request()
    assert result.refused
    assert "another zkcmp command" in result.err


def test_deal_folder_in_the_private_directory(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    inside = Sale(deal.root, deal.capsys, folder="seller/deal")
    assert "overlap" in inside.seal().err


@pytest.mark.parametrize(
    ("stage", "party", "step"),
    [
        ("set_up", "seller", "sealed; next: zkcmp seller prove {}, once the buyer has sent"),
        ("set_up", "buyer", "sent; next: zkcmp buyer verify {}, once the seller has answered"),
        ("verified", "buyer", "verified; next: zkcmp buyer lock {}\n"),
        ("verified", "seller", "proved; next: zkcmp seller redeem {}, once the buyer has locked"),
        ("locked", "buyer", "next: zkcmp buyer watch {} --out FILE, which opens the network, or"),
        ("redeemed", "seller", "(`zkcmp seller watch {}` shows whether it is)"),
    ],
)
def test_status_names_the_next_command(
    sale: Callable[[str], Sale], stage: str, party: str, step: str
) -> None:
    """With its folder, so that it can be typed as it stands, and whose turn it is."""
    shown = sale(stage).run(party, "status").out
    folders = re.findall(r"^deal       [0-9a-f]{32} in (.*)$", shown, re.MULTILINE)
    assert any(step.format(f"--deal {folder}") in shown for folder in folders)


def test_status_quotes_a_folder_with_blanks(sale: Callable[[str], Sale]) -> None:
    deal = sale("ready")
    deal.folder = "a deal"
    assert deal.seal().code == 0
    assert re.search(
        "zkcmp seller prove --deal '.*/a deal', once", deal.run("seller", "status").out
    )


def test_status_misses_an_offer_that_was_not_published(sale: Callable[[str], Sale]) -> None:
    """As where the disk of the deal folder was full."""
    deal = sale("ready")
    assert deal.seal().code == 0
    deal.message("offer").unlink()
    missing = "the offer is not in the deal folder; next: zkcmp seller seal"
    assert missing in deal.run("seller", "status").out
    assert deal.seal().code == 0
    assert missing not in deal.run("seller", "status").out


def test_lock_says_how_both_go_on(sale: Callable[[str], Sale]) -> None:
    deal = sale("verified")
    said = deal.run("buyer", "lock").out
    assert "the seller, who runs `zkcmp seller watch`" in said
    assert f"`zkcmp buyer watch --deal {deal.deal} --out FILE`" in said


def test_status_after_a_lock_was_read(sale: Callable[[str], Sale]) -> None:
    deal = sale("locked")
    with KernelChain(deal.root / "chain") as chain:
        chain.mine(144, b"\x51")
    assert deal.run("seller", "redeem").refused, "too late"
    shown = deal.run("seller", "status").out
    assert "step       the buyer has announced a lock; next: zkcmp seller redeem --deal" in shown


def test_fingerprints_agree(sale: Callable[[str], Sale]) -> None:
    deal = sale("requested")
    from zkcmp.exchange.messages.contents import read_offer

    shown = fingerprint(read_offer(deal.message("offer")).sender)
    assert shown in deal.run("seller", "status").out
    assert shown in deal.request().out


@pytest.mark.parametrize(
    "arguments", [[], ["seller"], ["buyer"], ["chain"], ["setup"], ["demo", "--help"]]
)
def test_help(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    assert "Usage" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from zkcmp import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"zkcmp {__version__}\n"


def test_a_defect_is_one_line_without_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(**options: object) -> None:
        raise RuntimeError("secret 1234")

    monkeypatch.setattr("zkcmp.cli.main.app", broken)
    monkeypatch.delenv("ZKCMP_TRACEBACK", raising=False)
    assert run(["seller", "status"]) == 1
    err = capsys.readouterr().err
    assert "RuntimeError" in err
    assert "1234" not in err
    assert len(err.splitlines()) == 1


def test_untrusted_text_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["\x1b[2Jseller"]) == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert len(err.splitlines()) == 1


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys; from zkcmp.cli.main import run; run(['--help']);"
        "heavy = {'numba', 'onnx', 'numpy', 'bitcoin', 'pbk', 'py_ecc'} & set(sys.modules);"
        "sys.exit(1 if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0
