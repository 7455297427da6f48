"""Figures 7 and 8: a column of a table against n, one curve a method, the paper's curves dashed."""

from pathlib import Path

from records import plots, read_csv

Curve = tuple[list[int], list[float]]


def curves(rows: list[dict[str, str]], column: str, paper: str) -> dict[str, Curve]:
    """name -> (n, values): what was measured, and what the paper has, under the same method."""
    found: dict[str, Curve] = {}
    for row in rows:
        predicted = ", predicted" if row["note"] else ""
        for name, cell in ((row["method"] + predicted, column), (f"{row['method']}, paper", paper)):
            if row[cell]:
                n, values = found.setdefault(name, ([], []))
                n.append(int(row["n"]))
                values.append(float(row[cell]))
    return found


def draw(table: Path, panels: list[tuple[str, str, str]], out: Path) -> None:
    """panels: (column, the paper's column, title of the axis). Writes a PNG."""
    rows = read_csv(table)
    pyplot = plots()
    if pyplot is None:
        return
    figure, grid = pyplot.subplots(1, len(panels), figsize=(6 * len(panels), 4), squeeze=False)
    for axes, (column, paper, title) in zip(grid[0], panels, strict=True):
        for name, (n, values) in curves(rows, column, paper).items():
            axes.plot(n, values, "x--" if name.endswith("paper") else "o-", label=name)
        axes.set(xlabel="images", ylabel=title, yscale="log")
        axes.legend(fontsize="small")
    figure.savefig(out, dpi=150, bbox_inches="tight")
    print(f"drawn: {out.name}")
