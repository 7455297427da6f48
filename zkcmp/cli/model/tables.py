"""Tables of a network, a quantisation report and predicted costs, for a terminal."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

from zkcmp.cli.proving.estimate import megabytes
from zkcmp.cli.terminal.console import say

if TYPE_CHECKING:
    from zkcmp.exchange.costs.by_method import Cost
    from zkcmp.model.architecture import Architecture
    from zkcmp.model.report import QuantisationReport

_WIDTH = 100
_MOST_CLASSES = 20  # a larger confusion matrix fits no terminal


def say_layers(architecture: "Architecture", chosen: bool = True) -> None:
    """One row a layer. `chosen`: the widths are the network's own, and not just proposed."""
    from zkcmp.model.bounds import bounds

    rows = []
    shapes = architecture.shapes()[1:]
    for index, (layer, shape, bound) in enumerate(
        zip(architecture.layers, shapes, bounds(architecture), strict=True)
    ):
        specs = layer.tensors("")
        rows.append(
            (
                architecture.layer_name(index),
                "x".join(map(str, shape)),
                sum(spec.size for spec in specs) or "",
                ", ".join(str(spec.bits) for spec in specs),
                bound.bit_length(),
            )
        )
    bits = "bits (weight, bias)" if chosen else "bits if quantised as it is"
    _say_table(("layer", "output", "weights", bits, "largest value, bits"), rows)


def say_tensors(report: "QuantisationReport") -> None:
    """One row a sealed tensor."""
    rows: list[tuple[Any, ...]] = [(t.name, t.bits, t.size) for t in report.tensors]
    rows.append(("sealed bits", "", report.sealed_bits))
    _say_table(("tensor", "bits", "values"), rows)


def say_accuracy(report: "QuantisationReport") -> None:
    """Accuracies, then the confusion matrix, or its largest entries."""
    say(f"float      {report.float_accuracy:.2%}, {report.float_right} of {report.n} samples right")
    say(
        f"integer    {report.integer_accuracy:.2%}, {report.integer_right} of {report.n}; the same "
        f"answer on {report.agreement:.2%}"
    )
    n_classes = len(report.confusion)
    if n_classes <= _MOST_CLASSES:
        rows = [
            (label, *(int(count) or "" for count in counts))
            for label, counts in enumerate(report.confusion)
        ]
        _say_table(("label", *map(str, range(n_classes))), rows)
        return
    for label, answer, count in list(report.confusions())[:_MOST_CLASSES]:
        say(f"confused   {label} called {answer}: {count} times")


def say_costs(costs: Sequence["Cost"], images: int) -> None:
    """One row a method."""
    rows: list[tuple[Any, ...]] = []
    for cost in costs:
        if cost.refused:
            rows.append((cost.method.title, "too large", "", "", "", "", ""))
            continue
        rows.append(
            (
                cost.method.title,
                f"{cost.size}",
                megabytes(cost.key_bytes) if cost.key_bytes else "none",
                f"{cost.setup_s:.1f} s" if cost.key_bytes else "",
                f"{cost.prove_s:.1f} s",
                f"{cost.proof_bytes / 1000:.1f} KB",
                megabytes(cost.memory_bytes),
            )
        )
    say(f"a proof about {images} images, as predicted for this machine:")
    size = "constraints or committed"
    _say_table(("method", size, "key", "setup", "prove", "proof", "memory"), rows)


def _say_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(columns):
        table.add_column(name, justify="left" if position == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(str, row))
    Console(file=sys.stdout, width=_WIDTH, highlight=False, markup=False).print(table)
