"""The journal: a torn tail is cut off, any other damage is an error, nothing written is lost."""

import errno
import os
from pathlib import Path

import pytest
from bitcoin_sale import ANYONE

from bitcoin_scripts.chain.journal import MAGIC, Journal
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.errors import SettlementError

RECORDS = [(b"B", b"first"), (b"T", b""), (b"B", b"third record")]


def write(path: Path) -> bytes:
    journal = Journal(path)
    assert list(journal.replay()) == []
    for kind, payload in RECORDS:
        journal.append(kind, payload)
    journal.sync()
    journal.close()
    return path.read_bytes()


def read(path: Path) -> list[tuple[bytes, bytes]]:
    journal = Journal(path)
    try:
        return list(journal.replay())
    finally:
        journal.close()


def test_round_trip(tmp_path: Path):
    write(tmp_path / "j")
    assert read(tmp_path / "j") == RECORDS


def test_cut_anywhere_it_keeps_every_whole_record_and_takes_new_ones(tmp_path: Path):
    whole = write(tmp_path / "j")
    ends = [len(MAGIC)]
    for _, payload in RECORDS:
        ends.append(ends[-1] + 17 + len(payload))
    assert ends[-1] == len(whole)
    for size in range(len(whole)):
        path = tmp_path / f"cut-{size}"
        path.write_bytes(whole[:size])
        kept = [r for r, end in zip(RECORDS, ends[1:], strict=True) if end <= size]
        journal = Journal(path)
        assert list(journal.replay()) == kept
        journal.append(b"T", b"new")
        journal.close()
        assert read(path) == [*kept, (b"T", b"new")]


def test_nothing_of_a_long_torn_record_is_left_behind_a_short_new_one(tmp_path: Path):
    path = tmp_path / "j"
    whole = write(path)
    journal = Journal(path)
    list(journal.replay())
    journal.append(b"B", bytes(1000))
    journal.close()
    path.write_bytes(path.read_bytes()[:-1])
    assert read(path) == RECORDS
    assert path.read_bytes() == whole
    journal = Journal(path)
    list(journal.replay())
    journal.append(b"T", b"short")
    journal.close()
    assert read(path) == [*RECORDS, (b"T", b"short")]


def test_any_changed_byte_is_an_error(tmp_path: Path):
    whole = write(tmp_path / "j")
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0x40
        path = tmp_path / "damaged"
        path.write_bytes(damaged)
        with pytest.raises(SettlementError, match=r"is damaged at byte|is not a chain journal"):
            read(path)
        assert path.read_bytes() == damaged, "a damaged journal must be left as it is"


def test_full_disk_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pwrite = os.pwrite

    def full(fd: int, data: bytes, offset: int) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(fd, data[:-50], offset)

    with KernelChain(tmp_path) as chain:
        chain.mine(2, ANYONE)
        before = (tmp_path / "journal").read_bytes()
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(SettlementError, match="No space left on device; free some space"):
            chain.mine(1, ANYONE)
        monkeypatch.undo()
        assert (tmp_path / "journal").read_bytes() == before
        with pytest.raises(SettlementError, match="is closed"):
            chain.mine(1, ANYONE)
    with KernelChain(tmp_path) as chain:
        assert chain.height() == 2


def test_chain_with_a_damaged_or_foreign_journal_is_refused(tmp_path: Path):
    with KernelChain(tmp_path) as chain:
        chain.mine(3, ANYONE)
    path = tmp_path / "journal"
    whole = path.read_bytes()
    path.write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
    with pytest.raises(SettlementError, match="damaged at byte"):
        KernelChain(tmp_path)
    path.write_bytes(b"something else entirely")
    with pytest.raises(SettlementError, match="not a chain journal"):
        KernelChain(tmp_path)
    path.write_bytes(whole)
    with KernelChain(tmp_path) as chain:
        assert chain.height() == 3


def test_well_formed_records_that_consensus_rejects_are_refused(tmp_path: Path):
    with KernelChain(tmp_path / "a") as chain:
        chain.mine(2, ANYONE)
        second_block = chain._blocks[1]
    for kind, payload in [(b"B", second_block), (b"B", b"junk"), (b"T", b"junk"), (b"X", b"")]:
        path = tmp_path / "b" / "journal"
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        journal = Journal(path)
        journal.append(kind, payload)
        journal.close()
        with pytest.raises(SettlementError, match=r"after block 0: "):
            KernelChain(tmp_path / "b")
