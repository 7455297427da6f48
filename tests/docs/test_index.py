"""docs/README.md names every document once, and every link of a document leads to a file."""

import re
from pathlib import Path

import pytest
from documents import DOCUMENTS, ROOT

_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def test_every_document_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = _LINK.findall(index.read_text(encoding="utf-8"))
    assert sorted(linked) == sorted(
        path.name for path in DOCUMENTS if path.parent == index.parent and path != index
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files(path: Path) -> None:
    links = [link for link in _LINK.findall(path.read_text(encoding="utf-8")) if ":" not in link]
    assert [link for link in links if not (path.parent / link).is_file()] == []
