"""A proof lasts, and a claim of another deal does not wait: the directory is free meanwhile."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from deal_stages import Result, Sale
from settling import mine

from zkcmp.cli.main import run
from zkcmp.exchange.private.store import BusyError, Home
from zkcmp.exchange.seller import answering, binding


@dataclass
class Slow:
    """A proof system during whose work something else happens."""

    backend: Any
    meanwhile: Callable[[], None]

    def __getattr__(self, name: str) -> Any:
        work = getattr(self.backend, name)
        if name not in ("prove", "audit"):
            return work

        def slow(*arguments: Any) -> Any:
            self.meanwhile()
            return work(*arguments)

        return slow


@pytest.fixture(params=["audit", "proof"])
def during(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], None]], None]:
    """Have something happen during the audit, or the proof."""
    module = {"audit": binding, "proof": answering}[request.param]
    backend = module.backend  # type: ignore[attr-defined]

    def install(meanwhile: Callable[[], None]) -> None:
        monkeypatch.setattr(module, "backend", lambda method: Slow(backend(method), meanwhile))

    return install


During = Callable[[Callable[[], None]], None]


def test_another_deal_is_paid_meanwhile(sale: Callable[[str], Sale], during: During) -> None:
    deal = sale("set_up")
    other = Sale(deal.root, deal.capsys, "other")
    results: list[Result] = []

    def meanwhile() -> None:
        results.append(other.run("seller", "watch", "--once"))
        mine(deal, 1)
        results.append(other.run("seller", "watch", "--once"))
        results.append(deal.run("seller", "status"))

    during(meanwhile)
    assert deal.prove().code == 0
    assert [result.code for result in results] == [0, 0, 0]
    assert "paid " in results[1].out
    assert deal.run("buyer", "verify").code == 0


@pytest.mark.parametrize("command", ["prove", "audit", "inspect"])
def test_nobody_else_works_on_the_same_deal(
    sale: Callable[[str], Sale], during: During, command: str
) -> None:
    """The request that is judged is the one that is bound."""
    deal = sale("set_up")
    results: list[Result] = []
    during(lambda: results.append(deal.run("seller", command)))
    assert deal.prove().code == 0
    assert results[0].refused
    assert "another zkcmp command is using" in results[0].err
    assert deal.run("buyer", "verify").code == 0
    assert deal.run("seller", command).code == 0


def test_the_passphrase_is_not_changed_meanwhile(
    sale: Callable[[str], Sale], during: During
) -> None:
    """What is at work has the keys of before, and would leave files that they protect."""
    deal = sale("set_up")
    words = deal.root / "words"
    words.write_text("six words that nobody else knows")
    words.chmod(0o600)
    change = ["seller", "passphrase", "--home", str(deal.root / "seller")]
    codes = []
    during(lambda: codes.append(run([*change, "--new-file", str(words)])))
    deal.capsys.readouterr()
    assert run(deal.arguments("seller", "prove")) == 0
    assert codes == [2]
    assert "another zkcmp command is using" in deal.capsys.readouterr().err
    assert not (deal.root / "seller" / "passphrase").exists()
    assert run([*change, "--new-file", str(words)]) == 0


def test_the_directory_is_waited_for_afterwards(tmp_path: Path) -> None:
    """Whoever has it meanwhile ends its command first."""
    home, other = Home(tmp_path / "home"), Home(tmp_path / "home")
    home.prepare()
    order = []

    def brief() -> None:
        with other.lock():
            entered.set()
            time.sleep(0.2)
            order.append("other")

    entered, thread = threading.Event(), threading.Thread(target=brief)
    with home.lock():
        with home.released():
            thread.start()
            assert entered.wait(10)
        order.append("we")
        with pytest.raises(BusyError), other.lock():
            pass
    thread.join()
    assert order == ["other", "we"]
