"""A quantisation report as a figure: confusion matrix, bits, and what a proof costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkcmp.errors import ZkcmpError

if TYPE_CHECKING:
    from zkcmp.exchange.costs.by_method import Cost
    from zkcmp.model.report import QuantisationReport


def require_figures(path: Path) -> None:
    """Raise ZkcmpError, before any work, when no figure can be drawn to `path`."""
    if path.suffix.lower() != ".png":
        raise ZkcmpError(f"{path} is not named .png; a figure is written as PNG")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ZkcmpError(
            "a figure needs matplotlib; install the extra `zkcmp[plots]`, or leave --figure out"
        ) from None


def draw(report: "QuantisationReport", costs: Sequence["Cost"], title: str) -> bytes:
    """The figure as PNG."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    confusion, widths, times = figure.subplots(1, 3, width_ratios=(1.2, 1, 1))
    _draw_confusion(confusion, report)
    _draw_widths(widths, report)
    _draw_times(times, costs)
    figure.suptitle(
        f"{title}: float {report.float_accuracy:.2%}, integer {report.integer_accuracy:.2%} "
        f"on {report.n} samples"
    )
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=120, metadata={"Software": None})
    return out.getvalue()


def _draw_confusion(axes: Any, report: "QuantisationReport") -> None:
    n_classes = len(report.confusion)
    shares = report.confusion / report.confusion.sum(axis=1, keepdims=True).clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="answer of the integer network", ylabel="label", title="confusion")
    if n_classes > 20:
        return
    axes.set_xticks(range(n_classes))
    axes.set_yticks(range(n_classes))
    for label in range(n_classes):
        for answer in range(n_classes):
            count = int(report.confusion[label, answer])
            if count:
                shade = "white" if shares[label, answer] > 0.5 else "black"
                axes.text(answer, label, count, ha="center", va="center", color=shade, size=7)


def _draw_widths(axes: Any, report: "QuantisationReport") -> None:
    names = [tensor.name for tensor in report.tensors]
    bars = axes.barh(names, [tensor.bits for tensor in report.tensors], color="tab:blue")
    axes.bar_label(bars, size=7)
    axes.invert_yaxis()
    axes.set(title="bits of each tensor", xlabel="bits")


def _draw_times(axes: Any, costs: Sequence["Cost"]) -> None:
    possible = [cost for cost in costs if not cost.refused]
    names = [cost.method.title for cost in possible]
    setup, prove = [cost.setup_s for cost in possible], [cost.prove_s for cost in possible]
    axes.barh(names, setup, color="tab:gray", label="setup (buyer)")
    axes.barh(names, prove, left=setup, color="tab:orange", label="prove (seller)")
    axes.invert_yaxis()
    axes.legend(fontsize=7)
    axes.set(title="predicted time", xlabel="seconds")
