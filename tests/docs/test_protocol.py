"""What docs/protocol.md and docs/formats.md say of every message, held against messages."""

import hashlib
import re
from pathlib import Path

import pytest
from documents import ROOT, tables

from zkcmp.exchange.messages import envelope
from zkcmp.exchange.messages.contents import FILE_NAMES, PROTOCOL_VERSION
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.messages.identity import Identity

PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_a_digest_is_without_the_signature(kind: Kind, tmp_path: Path) -> None:
    """So another valid signature of the same bytes is the same message."""
    path = tmp_path / "message"
    digest = envelope.write(path, kind, Identity.generate(), b"{}", [], 0)
    data = path.read_bytes()
    assert digest == hashlib.sha256(data[:-64]).digest()
    assert envelope.read(path, kind, {}).digest == digest


def test_messages_and_versions_are_those_of_the_program() -> None:
    (rows,) = (table for table in tables(PROTOCOL) if table[0][:2] == ["message", "file"])
    assert [row[1].strip("`") for row in rows[1:]] == list(FILE_NAMES.values())
    (versions,) = (table for table in tables(PROTOCOL) if table[0][0] == "what has a version")
    found = {row[0]: row[1] for row in versions[1:]}
    assert found["envelope"] == str(envelope.VERSION)
    assert found["context of the proof"] == str(PROTOCOL_VERSION)


def test_bounds_are_those_of_the_program() -> None:
    (rows,) = (table for table in tables(PROTOCOL) if table[0][0] == "bound")
    from zkcmp.exchange import checks
    from zkcmp.exchange.messages import contents as messages

    expected = {
        "price": checks.MIN_PRICE_SAT,
        "timeout": checks.MAX_TIMEOUT_BLOCKS,
        "later than agreed": checks.TIMEOUT_SLACK_BLOCKS,
        "proof": messages.MAX_PROOF_BYTES,
        "ciphertext": messages.MAX_BLOCKS,
    }
    said = {row[0]: int(re.sub(r"\D", "", row[1])) for row in rows[1:]}
    assert said == expected


def test_sections_of_a_key_are_those_of_the_program() -> None:
    from zkcmp.groth16.keys import COMMITMENT_SECTIONS, POWER_SECTIONS, SECTIONS

    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    (rows,) = (table for table in tables(page) if table[0][0] == "section")
    named = [name for row in rows[1:] for name in re.findall(r"`([a-z0-9_]+)`", row[0])]
    assert named == [*SECTIONS, *COMMITMENT_SECTIONS, *POWER_SECTIONS]


def test_ranges_that_the_formats_give_are_those_of_the_program() -> None:
    from zkcmp.exchange.messages.envelope import MAX_BODY_BYTES
    from zkcmp.model import architecture, dataset, layers

    assert [MAX_BODY_BYTES[kind] for kind in Kind] == [1 << 20, 1 << 29, 1 << 36, 1 << 31, 0]
    assert (architecture.MAX_LAYERS, architecture.MAX_SQUARES) == (64, 8)
    assert (layers.MAX_INPUT_BITS, layers.MAX_TENSOR_BITS) == (16, 62)
    assert (layers.MAX_VOLUME, layers.MAX_PRODUCTS) == (1 << 24, 1 << 34)
    assert (dataset.MAX_IMAGES, dataset.MAX_PIXELS) == (1 << 20, 1 << 28)
