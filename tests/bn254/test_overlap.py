"""Work that overlaps: in order, complete, bounded, and its errors are those of the work."""

import threading
from collections.abc import Iterator

import pytest

from zkcmp.overlap import overlapped


@pytest.mark.parametrize("threads", ["1", "2", "3"])
def test_results_come_in_order(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKCMP_THREADS", threads)
    assert list(overlapped(lambda x: x * x, range(50))) == [x * x for x in range(50)]
    assert list(overlapped(lambda x: x, [])) == []


def test_two_are_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other; alone it would wait for ever."""
    monkeypatch.setenv("ZKCMP_THREADS", "2")
    both = threading.Barrier(2, timeout=30)
    assert sorted(overlapped(lambda _: both.wait(), range(2))) == [0, 1]


def test_items_are_taken_as_results_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is that of three results, however many there are."""
    monkeypatch.setenv("ZKCMP_THREADS", "2")
    taken = []

    def items() -> Iterator[int]:
        for k in range(100):
            taken.append(k)
            yield k

    results = overlapped(lambda x: x, items())
    for k in range(10):
        assert next(results) == k
        assert len(taken) <= k + 3
    results.close()  # type: ignore[attr-defined]
    assert len(taken) <= 12


@pytest.mark.parametrize("threads", ["1", "2"])
def test_an_error_ends_it(threads: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKCMP_THREADS", threads)
    done = []

    def work(x: int) -> int:
        if x == 3:
            raise ValueError("three")
        done.append(x)
        return x

    results = overlapped(work, range(100))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert next(results, None) is None
    assert len(done) < 10


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_goes_on_after_an_error(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error waits for what is under way, and what waits is not begun."""
    monkeypatch.setenv("ZKCMP_THREADS", "2")
    begun: list[int] = []
    failed = threading.Event()

    def work(x: int) -> None:
        begun.append(x)
        if x == 0:
            failed.set()
            raise error
        failed.wait(30)

    with pytest.raises(error):
        list(overlapped(work, range(50)))
    names = [thread.name for thread in threading.enumerate()]
    assert not any(name.startswith("zkcmp-overlap") for name in names)
    assert begun.count(0) == 1
    assert len(begun) <= 3
