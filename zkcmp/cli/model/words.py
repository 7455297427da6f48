"""What the commands of `zkcmp model` say: a report as tables or JSON, cautions, descriptions."""

import json
from typing import TYPE_CHECKING, Any

from zkcmp.cli.samples import say_repeated
from zkcmp.cli.terminal.console import say

if TYPE_CHECKING:
    from zkcmp.exchange.costs.by_method import Cost
    from zkcmp.model.dataset import TestSet
    from zkcmp.model.float_network import FloatNetwork
    from zkcmp.model.network import Network
    from zkcmp.model.report import QuantisationReport


def say_report(
    result: "QuantisationReport",
    costs: "list[Cost]",
    images: int,
    as_json: bool,
    more: dict[str, Any],
) -> None:
    """Tables, or one JSON object with `more` in it."""
    if as_json:
        say_json(result.to_json() | {"images": images, "costs": costs} | more)
        return
    from zkcmp.cli.model.tables import say_accuracy, say_costs, say_tensors

    say_accuracy(result)
    say_tensors(result)
    say_costs(costs, images)


def say_caution(samples: "TestSet", network: "Network") -> None:
    """Pixels of 0 and 1 are most often fractions that were cut to integers; and repetitions."""
    largest, allowed = int(samples.images.max()), (1 << network.architecture.input_bits) - 1
    if largest <= 1 < allowed:
        say(f"caution    no pixel is above {largest}, and the network reads 0 to {allowed}: were")
        say("           fractions from 0 to 1 cut to integers? scale them before that")
    say_repeated(samples)


def kind_of(float_network: "FloatNetwork") -> str:
    """What the file holds: `float`, or `integer` once it was quantised."""
    return "float" if float_network.integer is None else "integer"


def described(network: "Network") -> dict[str, Any]:
    """The public side of a network, for JSON."""
    architecture = network.architecture
    return {
        "architecture": json.loads(architecture.to_bytes()),
        "architecture_digest": architecture.digest.hex(),
        "n_weights": architecture.n_weights,
        "n_classes": architecture.n_classes,
    }


def say_json(value: dict[str, Any]) -> None:
    """One line; costs are Cost objects."""
    if "costs" in value:
        value = value | {"costs": [cost.to_json() for cost in value["costs"]]}
    say(json.dumps(value, sort_keys=True))
