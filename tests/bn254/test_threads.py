"""The pool of threads: every range once, errors of the work, and processes that fork."""

import multiprocessing

import pytest

from zkcmp.bn254.threads import parallel_map, parallel_ranges


def _square(x: int) -> int:
    return x * x


def _squares_in_the_child() -> None:
    assert parallel_map(_square, range(9)) == [x * x for x in range(9)]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent's pool is copied without its threads; work given to it would never be done."""
    monkeypatch.setenv("ZKCMP_THREADS", "2")
    assert parallel_map(_square, range(9)) == [x * x for x in range(9)]
    child = multiprocessing.get_context("fork").Process(target=_squares_in_the_child)
    child.start()
    child.join(30)
    if child.is_alive():
        child.kill()
        child.join()
    assert child.exitcode == 0


@pytest.mark.parametrize("threads", ["1", "2", "7"])
@pytest.mark.parametrize("n", [0, 1, 511, 512, 1025, 5000])
def test_ranges_cover_everything_once(
    n: int, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZKCMP_THREADS", threads)
    found: list[tuple[int, int]] = []
    parallel_ranges(lambda start, stop: found.append((start, stop)), n)
    assert [j for start, stop in sorted(found) for j in range(start, stop)] == list(range(n))


def test_an_error_of_one_task_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKCMP_THREADS", "2")

    def work(x: int) -> float:
        return 1 / (x - 3)

    with pytest.raises(ZeroDivisionError):
        parallel_map(work, range(9))
    assert parallel_map(work, [4, 5]) == [1, 0.5]
