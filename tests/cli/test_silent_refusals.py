"""What whoever watches the deal folder sees of a refusal, and of a proof: no answer yet."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from deal_stages import Sale, samples

from zkcmp.cli.deal import answering
from zkcmp.errors import DealError
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.private.store import Home
from zkcmp.exchange.seller import Seller
from zkcmp.model.data_files import save_npz
from zkcmp.model.dataset import TestSet

_CHANGES = {
    *("os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir"),
    *("os.symlink", "os.truncate", "os.utime", "os.setxattr"),
}
_watched: list[tuple[Path, list[tuple[str, str]]]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    for folder, seen in _watched:
        for argument in arguments:
            if not isinstance(argument, str | bytes | os.PathLike):
                continue
            path = Path(os.fsdecode(argument))
            if folder not in (path, *path.parents):
                continue
            if event == "open":
                flags = arguments[2]
                assert isinstance(flags, int)
                kind = "read" if flags & os.O_ACCMODE == os.O_RDONLY else "write"
                seen.append((kind, path.name))
            elif event in _CHANGES:
                seen.append((event, path.name))


sys.addaudithook(_hook)  # cannot be removed; it looks at nothing when nothing is watched


@contextlib.contextmanager
def watching(folder: Path) -> Iterator[list[tuple[str, str]]]:
    """Every file that is opened below `folder`, and every change there, in order."""
    seen: list[tuple[str, str]] = []
    entry = (folder, seen)
    _watched.append(entry)
    try:
        yield seen
    finally:
        _watched.remove(entry)


def asked(deal: Sale, fulfilled: bool) -> Sale:
    """A request for two images of three, of which the network gets all right, or none."""
    test_set = samples(9)
    labels = test_set.labels if fulfilled else (test_set.labels + 1) % 3
    path = deal.root / "asked.npz"
    save_npz(path, TestSet(test_set.images, labels))
    request = ("buyer", "request", "--test-set", str(path), "--threshold", "2")
    assert deal.run(*request, "--backend", "libra").code == 0
    return deal


def listing(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Name, size, mode and time of change of everything there, the folder itself included."""
    places = [folder, *folder.rglob("*")]
    return {str(p): (p.stat().st_size, p.stat().st_mode, p.stat().st_mtime_ns) for p in places}


def test_a_refusal_only_reads_the_deal_folder(sale: Callable[[str], Sale]) -> None:
    deal = asked(sale("sealed"), False)
    before = listing(deal.deal)
    with watching(deal.deal) as seen:
        refused = deal.prove()
    assert refused.refused
    assert "refused: the network gets 0 of 3 right" in refused.err
    assert listing(deal.deal) == before
    assert {kind for kind, _ in seen} == {"read"}


def test_a_proof_does_the_same_until_it_is_whole(
    sale: Callable[[str], Sale], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same files are read in the same order; then, in one go, the delivery is put there."""
    sealed = sale("sealed")
    deal = asked(sealed.copied(tmp_path / "refused"), False)
    with watching(deal.deal) as refusal:
        assert deal.prove().refused
    asked(sealed, True)
    before = listing(sealed.deal)
    write = messages.write_delivery

    def checked(path: Path, *arguments: Any) -> bytes:
        assert sealed.deal not in path.parents
        assert listing(sealed.deal) == before, "something shows while it is proved"
        return write(path, *arguments)

    monkeypatch.setattr(messages, "write_delivery", checked)
    with watching(sealed.deal) as proof:
        assert sealed.prove().code == 0
    until = next(i for i, (kind, _) in enumerate(proof) if kind != "read")
    assert proof[:until] == refusal
    assert {name for _, name in proof[until:]} == {".delivery.zkcmp.part", "delivery.zkcmp", "deal"}


@dataclass
class Clock:
    """Stands still but for who sleeps, and calls `then` after each sleep."""

    now_s: float = 1000.0
    slept_s: list[float] = field(default_factory=list)
    then: Callable[[], None] = lambda: None

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        self.slept_s.append(seconds)
        self.then()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(answering, "time", fake)
    return fake


@pytest.mark.parametrize("fulfilled", [True, False])
def test_answered_at_the_time_that_was_chosen(
    sale: Callable[[str], Sale], clock: Clock, monkeypatch: pytest.MonkeyPatch, fulfilled: bool
) -> None:
    """Whatever comes out, and however long it took; the directory is free until then."""
    deal = asked(sale("sealed"), fulfilled)
    prove, before = Seller.prove, listing(deal.deal)

    def slow(seller: Seller, *arguments: Any, **options: Any) -> object:
        clock.now_s += 500 if fulfilled else 2
        return prove(seller, *arguments, **options)

    def free_and_silent() -> None:
        assert deal.run("seller", "status").code == 0
        assert listing(deal.deal) == before

    clock.then = free_and_silent
    monkeypatch.setattr(Seller, "prove", slow)
    result = deal.run("seller", "prove", "--answer-after", "10")
    assert clock.now_s == 1600
    assert len(clock.slept_s) == 1
    assert result.refused is not fulfilled
    assert deal.message("delivery").exists() is fulfilled
    assert "caution" not in result.out
    if fulfilled:
        assert deal.run("buyer", "verify").code == 0


def test_a_proof_that_took_longer_says_so(
    sale: Callable[[str], Sale], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    deal = asked(sale("sealed"), True)
    prove = Seller.prove

    def slow(seller: Seller, *arguments: Any, **options: Any) -> object:
        clock.now_s += 61
        return prove(seller, *arguments, **options)

    monkeypatch.setattr(Seller, "prove", slow)
    result = deal.run("seller", "prove", "--answer-after", "1")
    assert result.code == 0
    assert "a proof takes longer than --answer-after 1" in result.out
    assert clock.slept_s == []


def test_stopped_while_it_waits_the_answer_is_kept(
    sale: Callable[[str], Sale], clock: Clock
) -> None:
    deal = asked(sale("sealed"), True)

    def stop() -> None:
        raise KeyboardInterrupt

    clock.then = stop
    assert deal.run("seller", "prove", "--answer-after", "5").code != 0
    assert not deal.message("delivery").exists()
    missing = "the answer is not in the deal folder; next: zkcmp seller prove"
    assert missing in deal.run("seller", "status").out
    assert deal.prove().code == 0
    assert missing not in deal.run("seller", "status").out
    assert deal.run("buyer", "verify").code == 0


def test_another_command_has_the_directory_when_the_time_comes(
    sale: Callable[[str], Sale], clock: Clock
) -> None:
    deal = asked(sale("sealed"), True)
    held = contextlib.ExitStack()

    def hold_or_let_go() -> None:
        if len(clock.slept_s) == 1:
            held.enter_context(Seller.opened(deal.root / "seller"))
        elif len(clock.slept_s) == 3:
            held.close()

    clock.then = hold_or_let_go
    assert deal.run("seller", "prove", "--answer-after", "5").code == 0
    assert len(clock.slept_s) == 3
    assert deal.message("delivery").exists()


@pytest.mark.parametrize("fulfilled", [True, False])
def test_another_command_has_the_directory_at_first(
    sale: Callable[[str], Sale], clock: Clock, fulfilled: bool
) -> None:
    """It is waited for, and the time at which all ends stays the one that was chosen."""
    deal = asked(sale("sealed"), fulfilled)
    held = contextlib.ExitStack()
    held.enter_context(Seller.opened(deal.root / "seller"))
    clock.then = lambda: held.close() if len(clock.slept_s) == 100 else None
    result = deal.run("seller", "prove", "--answer-after", "5")
    assert clock.now_s == 1300
    assert result.code == (0 if fulfilled else 2)
    assert result.out.count("waiting    another zkcmp command is using") == 1
    assert deal.message("delivery").exists() is fulfilled


def test_another_command_has_the_deal(
    sale: Callable[[str], Sale], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is waited for without opening the directory, which others may need meanwhile."""
    deal = asked(sale("sealed"), True)
    opened, times = Seller.opened.__func__, []

    def counted(kind: type[Seller], *arguments: Any) -> Any:
        times.append(clock.now_s)
        return opened(kind, *arguments)

    monkeypatch.setattr(Seller, "opened", classmethod(counted))
    held = contextlib.ExitStack()
    held.enter_context(Home(deal.root / "seller").lock_deal(deal.private("seller")))
    clock.then = lambda: held.close() if len(clock.slept_s) == 100 else None
    result = deal.run("seller", "prove", "--answer-after", "5")
    assert result.code == 0, result
    assert times == [1000, 1100, 1300]
    assert clock.slept_s == [1.0] * 100 + [200]


def test_another_command_has_the_directory_all_the_time(
    sale: Callable[[str], Sale], clock: Clock
) -> None:
    """It ends as a refusal does, and when a refusal would."""
    deal = asked(sale("sealed"), True)
    before = listing(deal.deal)
    with Seller.opened(deal.root / "seller"):
        result = deal.run("seller", "prove", "--answer-after", "5")
    assert clock.now_s == 1300
    assert result.code == 2
    assert "another zkcmp command is using" in result.err
    assert listing(deal.deal) == before
    assert deal.prove().code == 0


@pytest.mark.parametrize("second", [(), ("--answer-after", "2"), ("--answer-after", "30")])
def test_a_second_one_sends_the_answer_of_the_first(
    sale: Callable[[str], Sale], clock: Clock, second: tuple[str, ...]
) -> None:
    """Whichever ends first: one answer, one bit, and neither is to be repeated."""
    deal = asked(sale("sealed"), True)
    results = []

    def another() -> None:
        clock.then = lambda: None
        results.append(deal.run("seller", "prove", *second))

    clock.then = another
    results.append(deal.run("seller", "prove", "--answer-after", "10"))
    assert [result.code for result in results] == [0, 0]
    sent = deal.message("delivery").read_bytes()
    assert sent == (deal.private("seller") / "delivery.zkcmp").read_bytes()
    assert "answered   2 requests" in results[1].out, "this one, and another deal's"
    assert deal.run("buyer", "verify").code == 0


def test_two_refusals_at_once_tell_one_bit(sale: Callable[[str], Sale], clock: Clock) -> None:
    deal = asked(sale("sealed"), False)

    def another() -> None:
        clock.then = lambda: None
        assert deal.run("seller", "prove", "--answer-after", "10").refused

    clock.then = another
    assert deal.run("seller", "prove", "--answer-after", "10").code == 2
    assert "answered   2 requests" in deal.run("seller", "status").out, "as after one refusal"


def test_nothing_is_published_before_it_is_proved(sale: Callable[[str], Sale]) -> None:
    deal = asked(sale("sealed"), True)
    with Seller.opened(deal.root / "seller") as seller, pytest.raises(DealError, match="missing"):
        seller.publish(deal.deal)
