"""Results on disk: CSV rows that say on which machine and from which commit they are."""

import csv
import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import zkcmp

RESULTS = Path(__file__).resolve().parent.parent / "results"
CPU_FEATURES = ("avx2", "adx", "bmi2", "avx512f", "avx512ifma", "asimd")


def machine(threads: int) -> dict[str, Any]:
    """CPU, features, versions and commit: what goes with every measured row."""
    cpu: dict[str, str] = {}
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = dict(reversed([[p.strip() for p in x.split(":", 1)] for x in lines if ":" in x]))
    flags = (cpu.get("flags") or cpu.get("Features") or "").split()
    return {
        "cpu": cpu.get("model name") or platform.processor() or platform.machine(),
        "cpu_family": f"{cpu.get('cpu family', '')}.{cpu.get('model', '')}",
        "cpu_features": " ".join(f for f in CPU_FEATURES if f in flags),
        "cpus": os.cpu_count(),
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numba": importlib.metadata.version("numba"),
        "zkcmp": zkcmp.__version__,
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def commit() -> str:
    """Of the checkout, with a + when files differ from it; empty outside of one."""
    git = ["git", "-C", str(Path(__file__).parent)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True
    )
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]], about: Mapping[str, Any]) -> None:
    """Rows, then the machine's columns that they do not have; None is an empty cell."""
    records = [{**row, **{k: v for k, v in about.items() if k not in row}} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows({k: _cell(v) for k, v in record.items()} for record in records)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _cell(value: Any) -> Any:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else value


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on the terminal; None is a dash."""
    table = Table(title=title, title_style="", title_justify="left")
    for k, column in enumerate(columns):
        table.add_column(column, justify="left" if k == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*("–" if v is None else _text(v) for v in row))
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)


def _text(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}" if value < 1 else f"{value:.2f}"


def plots() -> Any:
    """matplotlib.pyplot, drawing to files; None, and a word about it, where it is missing."""
    try:
        import matplotlib
    except ImportError:
        print("no PNG: matplotlib is missing; pip install 'zkcmp[plots]'")
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
