"""Files are replaced in one step, kept from others, and copied in before they are judged."""

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from zkcmp.errors import DealError, DecodeError
from zkcmp.exchange.deal import BuyerState, SellerState, load_state, save_state
from zkcmp.exchange.messages.identity import Identity, ReadingKey, fingerprint
from zkcmp.exchange.party import DealKeys
from zkcmp.exchange.private import store
from zkcmp.exchange.private.ledger import AnsweredRequests, SpentSamples
from zkcmp.exchange.private.secret_files import SecretFiles
from zkcmp.exchange.private.store import Home, copy_durably, replacing, same_bytes, write_atomic


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_write_is_private_and_complete(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert mode(path) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


def test_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_atomic(path, b"one")

    def interrupted() -> None:
        with replacing(path) as temporary:
            temporary.write_bytes(b"half of t")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert path.read_bytes() == b"one"
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


def test_left_over_and_planted_temporary_files(tmp_path: Path) -> None:
    """What a killed command left is replaced; a planted link is not written through."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / ".offer.part").symlink_to(victim)
    write_atomic(tmp_path / "offer", b"text")
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "offer").read_bytes() == b"text"


def test_temporary_file_exchanged_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever shares the folder can rename in it at any time, and must not redirect a write."""
    victim, source = tmp_path / "victim", tmp_path / "source"
    victim.write_bytes(b"mine")
    source.write_bytes(b"text")
    temporary = tmp_path / ".offer.part"
    real_open = os.open

    def open_then_exchange(path: Path, flags: int, *mode: int, **options: int) -> int:
        descriptor = real_open(path, flags, *mode, **options)
        if Path(path) == temporary and flags & os.O_EXCL:
            temporary.unlink()
            temporary.symlink_to(victim)
        return descriptor

    monkeypatch.setattr(os, "open", open_then_exchange)
    copy_durably(source, tmp_path / "offer", 0o644, 4)
    write_atomic(tmp_path / "offer", b"text")
    assert victim.read_bytes() == b"mine"


def test_copy_takes_regular_files_up_to_a_limit(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"12345")
    copy_durably(source, target, 0o600, 5)
    assert target.read_bytes() == b"12345"
    with pytest.raises(DecodeError, match="more than"):
        copy_durably(source, tmp_path / "other", 0o600, 4)
    os.mkfifo(tmp_path / "pipe")
    for irregular in (tmp_path / "pipe", tmp_path):
        with pytest.raises(DecodeError, match="regular"):
            copy_durably(irregular, tmp_path / "other", 0o600, 5)
    assert not (tmp_path / "other").exists()


def test_a_file_that_grows_is_not_copied_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is looked at once; whoever shares the folder can append for ever."""
    source = tmp_path / "source"
    source.write_bytes(bytes(100))
    monkeypatch.setattr(store.os, "fstat", lambda _: os.stat_result([stat.S_IFREG] + [0] * 9))
    with pytest.raises(DecodeError, match="grows while it is read"):
        copy_durably(source, tmp_path / "copy", 0o600, 99)
    assert [p.name for p in tmp_path.iterdir()] == ["source"]


def test_same_bytes(tmp_path: Path) -> None:
    for name, data in (("a", b"x" * 3), ("b", b"x" * 3), ("c", b"xxy"), ("d", b"xx")):
        (tmp_path / name).write_bytes(data)
    assert same_bytes(tmp_path / "a", tmp_path / "b")
    for other in ("c", "d", "missing"):
        assert not same_bytes(tmp_path / "a", tmp_path / other)


def test_home_is_private(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    home.prepare()
    assert mode(home.path) == mode(home.path / "deals") == 0o700
    home.path.chmod(0o750)
    with pytest.raises(DealError, match="chmod 700"):
        home.prepare()


def test_home_is_locked(tmp_path: Path) -> None:
    one, other = Home(tmp_path / "home"), Home(tmp_path / "home")
    one.prepare()
    with one.lock(), pytest.raises(DealError, match="another zkcmp command"), other.lock():
        pass
    with other.lock():
        pass


def test_spent_samples(tmp_path: Path) -> None:
    ledger = SpentSamples(tmp_path / "spent")
    one, two, three = (bytes([k]) * 32 for k in range(3))
    request, later = b"\xaa" * 32, b"\xbb" * 32
    ledger.spend([one, two, one], request)
    ledger.spend([one, two], request)
    with pytest.raises(DealError, match="1 of 2 samples were already sent"):
        ledger.spend([two, three], later)
    ledger.spend([three], later)
    assert ledger.load() == {one: request, two: request, three: later}
    ledger.path.write_bytes(ledger.path.read_bytes()[:-1])
    with pytest.raises(DecodeError, match="damaged"):
        ledger.spend([three], later)


def test_answered_requests(tmp_path: Path) -> None:
    ledger = AnsweredRequests(tmp_path / "answered")
    weights, others = b"\x01" * 32, b"\x02" * 32
    assert [ledger.record(weights, bytes([k]) * 32) for k in (1, 2, 2, 1)] == [1, 2, 2, 2]
    assert (ledger.count(weights), ledger.count(others)) == (2, 0)
    ledger.path.write_bytes(b"{")
    with pytest.raises(DecodeError, match="damaged"):
        ledger.count(weights)


def test_state_of_another_kind_or_version_is_refused(tmp_path: Path) -> None:
    state = BuyerState("00", "/folder [1]", "11", "22", "33", threshold=1)
    save_state(tmp_path, state)
    assert load_state(tmp_path, BuyerState) == state
    with pytest.raises(DecodeError, match="other party"):
        load_state(tmp_path, SellerState)
    path = tmp_path / "state.json"
    good = path.read_bytes()
    for bad in (
        b"",
        b"[]",
        good[:-1],
        good.replace(b'"version": 3', b'"version": 2'),
        good.replace(b'"threshold": 1', b'"threshold": true'),
        good.replace(b'"refund_txid"', b'"refund"'),
        good.replace(b'"seller": "22"', b'"seller": "2 "'),
        good.replace(b'"seller": "22"', b'"seller": "2g"'),
        good.replace(b"/folder [1]", rb"/folder\u0000"),
        good.replace(b"/folder [1]", rb"/folder\ud800"),
        b"[" * 100_000,
        good[:-1] + b" " * (1 << 20) + b"}",
    ):
        assert bad != good
        path.write_bytes(bad)
        with pytest.raises(DecodeError):
            load_state(tmp_path, BuyerState)


def test_a_state_is_read_under_another_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder with an umlaut is the same folder, or one that the locale cannot name: no damage."""
    state = BuyerState("00", "/Käufer", "11", "22", "33")
    kept_in_ascii = os.fsencode(state.folder).decode("ascii", "surrogateescape")
    save_state(tmp_path, replace(state, folder=kept_in_ascii))
    assert load_state(tmp_path, BuyerState) == state
    save_state(tmp_path, state)
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("ascii", "surrogateescape"))
    with pytest.raises(DecodeError, match=r"cannot be written in this locale; say LC_ALL=C\.UTF-8"):
        load_state(tmp_path, BuyerState)


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    identity, keys = Identity.generate(), DealKeys.generate()
    files, path = SecretFiles(tmp_path), tmp_path / "deals" / ("0" * 32) / "keys"
    path.parent.mkdir(parents=True)
    keys.save(path, files)
    assert DealKeys.load(path, files).coin_secret == keys.coin_secret
    assert mode(path) == 0o600
    shown = repr(identity) + repr(keys) + repr(keys.reading) + repr(vars(keys))
    assert identity.seed.hex() not in shown
    assert keys.reading.secret.hex() not in shown
    for bad in (b"", b"{}", b'{"reading":"00","coin":"00"}', b'{"reading":1,"coin":2}'):
        path.write_bytes(bad)
        with pytest.raises(DecodeError):
            DealKeys.load(path, files)


def test_fingerprint_form() -> None:
    shown = fingerprint(bytes(32))
    assert [len(group) for group in shown.split(" ")] == [4] * 8
    assert shown != fingerprint(bytes(31) + b"\x01")


def test_weak_reading_key_is_refused() -> None:
    with pytest.raises(DecodeError):
        ReadingKey(b"short")
