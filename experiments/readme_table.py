"""The numbers of README's performance section, from the CSV files in results/.

    python experiments/readme_table.py            prints the section
    python experiments/readme_table.py --write    puts it into README.md, between its marks

Nothing there is typed by hand, so every number can be traced to a row.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from records import RESULTS, read_csv

README = Path(__file__).resolve().parent.parent / "README.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
TITLES = {
    "full": "full",
    "sampled": "sampled 3 %",
    "freivalds": "freivalds",
    "libra-hyrax": "Libra, hyrax",
    "libra-zkvpd": "Libra, zkvpd",
}
STATEMENTS = (
    *(("table1", method, n) for method in ("full", "sampled", "freivalds") for n in (5, 30)),
    *(("table2", "freivalds", n) for n in (0, 2000, 10000)),
    *(("table2", "sampled", n) for n in (1000, 2000, 4000)),
    *(("table2", method, n) for method in ("libra-hyrax", "libra-zkvpd") for n in (0, 2000, 10000)),
)
# of engine.csv: what the README leaves to the file
DETAILS = {"mul/l1", "mul/l2", "ntt/to_reversed", "ntt/from_reversed", "pairing/product"}
WHOLE_ONLY = {"groth16/audit", "groth16/verify"}
Rows = list[dict[str, str]]


def section(results: Path) -> str:
    parts = [
        _machine(read_csv(results / "table1.csv")[0]),
        _statements(results),
        "The engine, on the same machine (`experiments/engine.py`):",
        _engine(read_csv(results / "engine.csv")),
    ]
    if (results / "groth16_peers.csv").exists():
        parts += [
            "Groth16 beside others in one run, the same circuits and witnesses: every wire of full "
            "size (dense) or a bit (`experiments/groth16_peers.py`; snarkjs proves from our key):",
            _groth16_peers(read_csv(results / "groth16_peers.csv")),
        ]
    if (results / "peers.csv").exists():
        parts += [
            "One image of CryptoNets (`experiments/peers.py`). snarkjs and zksnake get our "
            "circuit; ezkl proves one inference with private weights: no seal, no accuracy, no "
            "payment:",
            _peers(read_csv(results / "peers.csv")),
        ]
    return "\n\n".join(parts)


def _machine(row: dict[str, str]) -> str:
    family, model = row["cpu_family"].split(".")
    return (
        f"Measured with {row['threads']} threads on {row['cpus']} cores of {row['cpu']} (family "
        f"{family}, model {model}), commit {row['commit']}, {row['date'][:10]}; the paper has 80 "
        "cores and 700 GB. Medians, seconds; kernels compiled:"
    )


def _statements(results: Path) -> str:
    tables = {name: read_csv(results / f"{name}.csv") for name in ("table1", "table2")}
    rows = []
    for name, method, n in STATEMENTS:
        found = [r for r in tables[name] if (r["method"], r["n"]) == (method, str(n))]
        for row in found:
            if row["note"]:
                continue
            rows.append(
                (
                    TITLES[method],
                    f"{n:,}" if n else "0 (the seal)",
                    seconds(row["setup_s"]),
                    seconds(row["audit_s"]),
                    seconds(row["prove_s"]),
                    seconds(row["paper_prove_s"]),
                    seconds(row["verify_s"]),
                    size(row["proof_bytes"]),
                    f"{int(row['peak_mb']) / 1000:.1f} GB",
                )
            )
    head = ("statement", "images", "setup", "audit", "prove", "paper: prove")
    return markdown((*head, "verify", "proof", "peak memory"), rows)


def _engine(rows: Rows) -> str:
    lines = []
    for row in rows:
        if row["name"] in DETAILS or (row["name"] in WHOLE_ONLY and int(row["size"]) < 1 << 20):
            continue
        name = row["name"] + (f", {row['bits']}-bit scalars" if row["bits"] else "")
        # files from before there were rows of both bodies do not say which
        name += ", portable body" if row.get("lanes") == "portable" else ""
        memory = f"{float(row['peak_memory_bytes']) / 1e9:.1f} GB"
        lines.append((name, power(row["size"]), row["threads"], small(row["seconds"]), memory))
    return markdown(("what", "size", "threads", "time", "peak memory"), lines)


def _groth16_peers(rows: Rows) -> str:
    ours = {(row["kind"], row["size"]): row for row in rows if row["tool"] == "zkcmp"}
    lines = []
    for row in rows:
        base = ours[row["kind"], row["size"]]
        cells: list[str] = []
        for column in ("setup_s", "prove_s"):
            value = row[column]
            cells.append(seconds(value))
            cells.append(f"{float(value) / float(base[column]):.1f}" if value else "–")
        peak = row["prove_peak_bytes"]
        cells.append(f"{int(peak) / 1e9:.1f} GB" if peak else "–")
        lines.append((f"{row['kind']} 2^{row['size']}", f"{row['tool']} {row['version']}", *cells))
    head = ("circuit", "tool", "setup", "÷ ours", "prove", "÷ ours", "peak memory")
    return markdown(head, lines)


def _peers(rows: Rows) -> str:
    lines = []
    for row in rows:
        peak = f"{int(row['peak_mb']) / 1000:.1f} GB" if row["peak_mb"] else "–"
        times = (seconds(row[name]) for name in ("setup_s", "prove_s", "verify_s"))
        remark = "" if row["prove_s"] else row["proves"]
        lines.append((row["tool"], *times, size(row["proof_bytes"]), peak, remark))
    return markdown(("tool", "setup", "prove", "verify", "proof", "peak memory", ""), lines)


def seconds(text: str) -> str:
    if not text:
        return "–"
    value = float(text)
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def small(text: str) -> str:
    value = float(text)
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def size(text: str) -> str:
    if not text:
        return "–"
    n = int(text)
    return f"{n} B" if n < 1000 else f"{n / 1000:.1f} KB"


def power(text: str) -> str:
    n = int(text)
    return f"2^{n.bit_length() - 1}" if n > 1 and n & (n - 1) == 0 else f"{n:,}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def replaced(readme: str, text: str) -> str:
    """README with `text` between the marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into README.md")
    options = parser.parse_args()
    text = section(RESULTS)
    if options.write:
        README.write_text(replaced(README.read_text(), text))
    else:
        print(text)


if __name__ == "__main__":
    main()
