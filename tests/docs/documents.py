"""What the documents say, as data: fenced blocks, inline code, tables."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")
_INDENTED = re.compile(r"^ {4}(\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block; `run` is what its info string has after `run=`."""

    language: str
    text: str
    run: str

    @property
    def lines(self) -> list[str]:
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line and not line.startswith("#")]


def blocks(page: str) -> list[Block]:
    found = []
    for match in _FENCE.finditer(page):
        words = dict(word.split("=", 1) for word in match["info"].split() if "=" in word)
        language = match["info"].split(" ")[0]
        found.append(Block(language, match["text"], words.get("run", "")))
    return found


def inline_code(page: str) -> list[str]:
    """Code within sentences and tables, its line breaks as spaces."""
    return [" ".join(text.split()) for text in _INLINE.findall(_FENCE.sub("", page))]


def command_lines(page: str) -> list[str]:
    """Every `zkcmp …` of a page."""
    typed = [block for block in blocks(page) if block.language == "sh"]
    lines = [line.strip() for block in typed for line in block.lines]
    lines += _INDENTED.findall(_FENCE.sub("", page)) + inline_code(page)
    return [line for line in lines if line.startswith("zkcmp ")]


def tables(page: str) -> list[list[list[str]]]:
    """Every table as rows of cells, its head first and without the rule below that."""
    found: list[list[list[str]]] = [[]]
    for line in page.splitlines():
        if not line.startswith("|"):
            found.append([])
        elif set(line) - set("-:| "):
            found[-1].append([cell.strip() for cell in line.strip("| ").split(" | ")])
    return [table for table in found if table]
