"""What a buyer can see of an answer: that there is one or none, and nothing else.

It sees the deal folder, times and modes of its files, and how long a message is. It does not see
the seller's terminal.
"""

from collections.abc import Callable

import pytest
from deal_stages import NETWORK, Sale, samples
from forged_messages import forged_request

from zkcmp.model.data_files import save_npz
from zkcmp.model.dataset import TestSet

HYRAX = ("--backend", "libra", "--commitment", "hyrax")


def seen(sale: Sale) -> dict[str, object]:
    """All that somebody who shares the deal folder can see of it."""
    found: dict[str, object] = {}
    for path in (sale.deal, *sorted(sale.deal.iterdir())):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() else b""
        found[path.name] = (status.st_mode, status.st_size, status.st_mtime_ns, data)
    return found


def with_wrong_labels(sale: Sale, wrong: int) -> str:
    """Options of a request about three images, so many of them with a label that is wrong."""
    honest = samples(1)
    labels = honest.labels.copy()
    labels[:wrong] = (labels[:wrong] + 1) % 3
    assert (NETWORK.predict(honest.images) == labels).sum() == 3 - wrong
    path = sale.root / "labelled.npz"
    save_npz(path, TestSet(honest.images, labels))
    return str(path)


def ask(sale: Sale, test_set: str, threshold: int, *options: str) -> None:
    command = ("buyer", "request", "--test-set", test_set, "--threshold", str(threshold))
    assert sale.run(*command, *options).code == 0
    assert sale.run("buyer", "setup").code == 0


def unreachable(sale: Sale) -> tuple[str, ...]:
    ask(sale, with_wrong_labels(sale, 2), 2)
    return ()


def barely_unreachable(sale: Sale) -> tuple[str, ...]:
    ask(sale, with_wrong_labels(sale, 1), 3)
    return ()


def of_a_stranger(sale: Sale) -> tuple[str, ...]:
    ask(sale, with_wrong_labels(sale, 0), 2)
    return ("--buyer", "0000 0000 0000 0000 0000 0000 0000 0000")


def in_another_mode(sale: Sale) -> tuple[str, ...]:
    ask(sale, with_wrong_labels(sale, 0), 2)
    return ("--mode", "full")


def out_of_range(sale: Sale) -> tuple[str, ...]:
    ask(sale, with_wrong_labels(sale, 0), 2)
    honest = samples(1)
    forged_request(sale, TestSet(honest.images * 1000, honest.labels).to_bytes())
    return ()


def with_a_bad_key(sale: Sale) -> tuple[str, ...]:
    ask(sale, with_wrong_labels(sale, 0), 2)
    sale.message("key-material").write_bytes(
        (sale.root / "other" / "key-material.zkcmp").read_bytes()
    )
    return ()


REASONS = (
    unreachable,
    barely_unreachable,
    of_a_stranger,
    in_another_mode,
    out_of_range,
    with_a_bad_key,
)


@pytest.mark.parametrize("reason", REASONS)
def test_nothing_is_seen_of_a_refusal(
    sale: Callable[[str], Sale], reason: Callable[[Sale], tuple[str, ...]]
) -> None:
    """What it would win: a bit about the weights for every way to be refused that looks its own.

    Nor does the folder tell that the request was read; twice asked, it is twice the same.
    """
    deal = sale("sealed")
    options = reason(deal)
    before = seen(deal)
    for _ in range(2):
        result = deal.run("seller", "prove", *options)
        assert result.refused, result
        assert seen(deal) == before


@pytest.mark.parametrize("options", [(), HYRAX], ids=["groth16", "hyrax"])
def test_nothing_is_seen_of_how_many_are_right(
    sale: Callable[[str], Sale],
    stages: object,
    tmp_path_factory: pytest.TempPathFactory,
    options: tuple[str, ...],
) -> None:
    """What it would win: the true accuracy, where only a threshold was paid for."""
    lengths = set()
    for wrong in (0, 1):
        root = tmp_path_factory.mktemp("right") / "sale"
        deal = stages.copy("sealed", root)  # type: ignore[attr-defined]
        ask(deal, with_wrong_labels(deal, wrong), 2, *options)
        assert deal.prove().code == 0
        lengths.add(deal.message("delivery").stat().st_size)
    assert len(lengths) == 1
