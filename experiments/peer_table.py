"""What experiments/groth16_peers.py found: rows, the table that compares them, and their files.

Figures for orientation were measured in other runs, on full-size wires (binary ones for `bits`);
the table marks them, and files do not have them.
"""

import csv
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

Json = dict[str, Any]

ORIENTATION = "orientation, not of this run: 2-core Zen 5, 2 threads"
# (kind, size): [(tool, setup s, prove s, peak memory in MB)]
ORIENTATION_FIGURES: dict[tuple[str, int], list[tuple[str, float | None, float, int | None]]] = {
    ("dense", 16): [("rapidsnark", None, 1.1, None), ("libsnark bn128", 1.8, 1.9, None)],
    ("dense", 18): [("rapidsnark", None, 4.1, None), ("libsnark bn128", 7.5, 6.9, None)],
    ("dense", 20): [("rapidsnark", None, 15.1, 676), ("libsnark bn128", 29.9, 26.8, None)],
    ("bits", 18): [("libsnark bn128", None, 2.2, None)],
}


@dataclass(frozen=True)
class Row:
    """One tool on one circuit: every measured run; `note` says what is missing and why."""

    kind: str
    size: int
    tool: str
    version: str = ""
    setup_runs_s: tuple[float, ...] = ()
    prove_runs_s: tuple[float, ...] = ()
    setup_peak_bytes: int | None = None
    prove_peak_bytes: int | None = None
    note: str = ""

    @property
    def setup_s(self) -> float | None:
        return statistics.median(self.setup_runs_s) if self.setup_runs_s else None

    @property
    def prove_s(self) -> float | None:
        return statistics.median(self.prove_runs_s) if self.prove_runs_s else None

    def record(self, machine: Json) -> Json:
        """The row with its medians and the machine, flat."""
        return {
            "kind": self.kind,
            "size": self.size,
            "tool": self.tool,
            "version": self.version,
            "setup_s": self.setup_s,
            "prove_s": self.prove_s,
            "setup_runs_s": list(self.setup_runs_s),
            "prove_runs_s": list(self.prove_runs_s),
            "setup_peak_bytes": self.setup_peak_bytes,
            "prove_peak_bytes": self.prove_peak_bytes,
            "note": self.note,
            **machine,
        }


def make_table(rows: Sequence[Row], machine: Json) -> Table:
    """Tools by circuit, each compared with zkcmp, with figures for orientation marked as such."""
    title = (
        f"Groth16, {machine['threads']} threads each; {machine['cpu']} {machine['cpu_features']}"
    )
    table = Table(title=title, caption=f"¹ {ORIENTATION}", title_style="", caption_style="dim")
    for column in ("circuit", "tool", "setup s", "÷ ours", "prove s", "÷ ours", "peak", "remark"):
        text = column in ("circuit", "tool", "remark")
        table.add_column(column, justify="left" if text else "right", no_wrap=column != "remark")
    circuits = list(dict.fromkeys((row.kind, row.size) for row in rows))
    for kind, size in circuits:
        own = [row for row in rows if (row.kind, row.size) == (kind, size)]
        base = next((row for row in own if row.tool == "zkcmp"), Row(kind, size, "zkcmp"))
        for k, row in enumerate(own):
            table.add_row(
                f"{kind} 2^{size}" if k == 0 else "",
                f"{row.tool} {row.version}".strip(),
                _seconds(row.setup_s),
                _ratio(row.setup_s, base.setup_s),
                _seconds(row.prove_s),
                _ratio(row.prove_s, base.prove_s),
                _megabytes(row.prove_peak_bytes),
                row.note,
            )
        for tool, setup_s, prove_s, peak_mb in ORIENTATION_FIGURES.get((kind, size), []):
            table.add_row(
                "",
                f"{tool} ¹",
                _seconds(setup_s),
                _ratio(setup_s, base.setup_s),
                _seconds(prove_s),
                _ratio(prove_s, base.prove_s),
                _megabytes(peak_mb and peak_mb * 10**6),
                "orientation",
                style="dim",
            )
        table.add_section()
    return table


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if value < 1 else f"{value:.2f}"


def _ratio(value: float | None, base: float | None) -> str:
    return "–" if value is None or base is None else f"{value / base:.1f}"


def _megabytes(value: int | None) -> str:
    return "–" if value is None else f"{value / 1e6:.0f} MB"


def write_records(path: Path, records: Sequence[Json]) -> None:
    """JSON lines, or CSV where the name ends so."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        if path.suffix != ".csv":
            file.writelines(json.dumps(record) + "\n" for record in records)
            return
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        for record in records:
            flat = {k: " ".join(map(str, v)) for k, v in record.items() if isinstance(v, list)}
            writer.writerow({**record, **flat})
