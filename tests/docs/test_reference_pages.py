"""The reference has every public module, class and function, and their docstrings as they are."""

import html
import runpy
from html.parser import HTMLParser
from pathlib import Path

import pytest
from documents import ROOT

SCRIPT = runpy.run_path(str(ROOT / "docs" / "make_reference.py"))


class _Balance(HTMLParser):
    """Raises where a closing tag is not that of the last open one."""

    void = ("meta",)

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value for name, value in attrs if name == "href" and value]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_page_is_whole_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    n_modules = SCRIPT["write"](tmp_path)
    pages = list(tmp_path.glob("*.html"))
    assert len(pages) == n_modules + 1 > 150
    for path in pages:
        parser = _Balance()
        parser.feed(path.read_text(encoding="utf-8"))
        assert parser.open == []
        assert all((tmp_path / link).is_file() for link in parser.links)


def test_what_is_public_is_there_with_its_docstring(tmp_path: Path) -> None:
    import zkcmp.seal as seal

    SCRIPT["write"](tmp_path)
    text = (tmp_path / "zkcmp.seal.html").read_text(encoding="utf-8")
    assert html.escape("def open_seal(preimage: bytes, ciphertext: np.ndarray") in text
    first_line = (seal.open_seal.__doc__ or "").splitlines()[0]
    assert html.escape(first_line) in text
    assert html.escape((seal.__doc__ or "").splitlines()[0]) in text
    assert "def _" not in text.replace("def __init__", "")


def test_bad_directories_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("sys.argv", ["make_reference.py", str(tmp_path / "file" / "out")])
    with pytest.raises(SystemExit, match="choose another directory"):
        SCRIPT["main"]()
