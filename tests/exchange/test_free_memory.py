"""How much memory is free: of the machine, and less where a control group has a limit."""

from pathlib import Path

import pytest

from zkcmp import machine

GB = 1_000_000_000
STAT = f"anon 5\nfile {GB}\nshmem {GB}\n"  # files in memory are not dropped


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with 16 GB to give, and no control groups yet."""
    write(tmp_path / "proc" / "meminfo", f"MemFree: 1 kB\nMemAvailable: {16 * GB // 1024} kB\n")
    monkeypatch.setattr(machine, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def group(place: Path, limit: str, used: int, inactive: int, active: int = 0) -> None:
    """A control group of version 2."""
    write(place / "memory.max", limit + "\n")
    write(place / "memory.current", f"{used}\n")
    write(place / "memory.stat", f"{STAT}inactive_file {inactive}\nactive_file {active}\n")


def test_without_groups(system: Path) -> None:
    assert machine.available_memory_bytes() == 16 * GB // 1024 * 1024
    write(system / "proc/self/cgroup", "0::/gone\n")
    assert machine.available_memory_bytes() == 16 * GB // 1024 * 1024


def test_the_group_of_the_process_and_those_above(system: Path) -> None:
    write(system / "proc/self/cgroup", "0::/user.slice/shell\n")
    group(system / "groups/user.slice/shell", "max", GB, 0)
    group(system / "groups/user.slice", str(8 * GB), 2 * GB, 0)
    group(system / "groups/other.slice", "1", 1, 0)
    assert machine.available_memory_bytes() == 6 * GB
    group(system / "groups/user.slice/shell", str(3 * GB), GB, 0)
    assert machine.available_memory_bytes() == 2 * GB
    group(system / "groups", str(2 * GB), GB, 0)
    assert machine.available_memory_bytes() == GB


def test_pages_of_files_make_room(system: Path) -> None:
    """A key of gigabytes that was just written or read fills a group, and is dropped when asked."""
    write(system / "proc/self/cgroup", "0::/\n")
    group(system / "groups", str(8 * GB), 8 * GB, 2 * GB, 3 * GB)
    assert machine.available_memory_bytes() == 5 * GB
    group(system / "groups", str(8 * GB), 8 * GB, 5 * GB)
    assert machine.available_memory_bytes() == 5 * GB
    group(system / "groups", str(8 * GB), 9 * GB, 0)
    assert machine.available_memory_bytes() == 0


def test_groups_of_version_1(system: Path) -> None:
    write(system / "proc/self/cgroup", "9:cpu,cpuacct:/a\n7:memory:/a\n0::/\n")
    place = system / "groups/memory/a"
    write(place / "memory.limit_in_bytes", f"{4 * GB}\n")
    write(place / "memory.usage_in_bytes", f"{3 * GB}\n")
    own = "inactive_file 1\nactive_file 1\ntotal_shmem 9\n"
    write(place / "memory.stat", f"{own}total_inactive_file {GB}\ntotal_active_file {GB}\n")
    assert machine.available_memory_bytes() == 3 * GB
