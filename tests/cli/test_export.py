"""`zkcmp buyer export`: plain files for another verifier, and into no deal folder."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import Sale

At = Callable[[str], Sale]

BEFORE_LOCK = {
    *("offer.zkcmp", "request.zkcmp", "delivery.zkcmp", "request.json"),
    *("test_set.bin", "verifying.key", "ciphertext.bin", "proof.bin"),
}
LOCKED = BEFORE_LOCK | {"lock.zkcmp", "lock-transaction.hex"}


def names(out: Path) -> set[str]:
    return {path.name for path in out.iterdir()}


def test_before_and_after_the_lock(sale: At) -> None:
    sold = sale("verified")
    out = sold.root / "files"
    exported = sold.run("buyer", "export", "--out", str(out))
    assert exported.code == 0
    assert "verify_standalone.py" in exported.out
    assert names(out) == BEFORE_LOCK
    assert out.stat().st_mode & 0o777 == 0o700
    for name in ("offer", "request", "delivery"):
        assert (out / f"{name}.zkcmp").read_bytes() == sold.message(name).read_bytes()
    asked = json.loads((out / "request.json").read_text())
    assert set(asked) == {"method", "refund_key", "threshold"}
    assert asked["threshold"] == 2
    ciphertext = hashlib.sha256((out / "ciphertext.bin").read_bytes()).hexdigest()
    assert ciphertext.encode() in sold.message("offer").read_bytes()

    assert sold.run("buyer", "lock").code == 0
    assert sold.run("buyer", "export", "--out", str(out)).code == 0
    assert names(out) == LOCKED
    txid = json.loads(sold.message("lock").read_bytes()[44:].split(b"}")[0] + b"}")["txid"]
    assert txid in sold.run("buyer", "status").out


def test_a_file_of_an_earlier_export_does_not_stay(sale: At) -> None:
    sold = sale("verified")
    out = sold.root / "files"
    out.mkdir(mode=0o700)
    (out / "lock.zkcmp").write_bytes(b"of another deal")
    (out / "notes").write_bytes(b"ours")
    assert sold.run("buyer", "export", "--out", str(out)).code == 0
    assert names(out) == BEFORE_LOCK | {"notes"}


def test_before_it_was_verified(sale: At) -> None:
    sold = sale("proved")
    refusal = sold.run("buyer", "export", "--out", str(sold.root / "files"))
    assert refusal.refused
    assert "run `zkcmp buyer verify` first" in refusal.err
    assert not (sold.root / "files").exists()


@pytest.mark.parametrize("below", ["", "files"])
def test_never_into_a_deal_folder(sale: At, below: str) -> None:
    sold = sale("verified")
    before = sold.tree()
    refusal = sold.run("buyer", "export", "--out", str(sold.deal / below))
    assert refusal.refused
    assert "is in the deal folder" in refusal.err
    assert sold.tree() == before


def test_where_others_can_look(sale: At) -> None:
    sold = sale("verified")
    out = sold.root / "files"
    out.mkdir(mode=0o755)
    refusal = sold.run("buyer", "export", "--out", str(out))
    assert refusal.refused
    assert "chmod 700" in refusal.err
    assert names(out) == set()
    out.rmdir()
    out.write_bytes(b"ours")
    refusal = sold.run("buyer", "export", "--out", str(out))
    assert refusal.refused
    assert "choose another --out" in refusal.err
    assert out.read_bytes() == b"ours"
