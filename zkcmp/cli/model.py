"""`zkcmp model`: look at a network, quantise it, measure it, write what a buyer would get."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zkcmp.cli.console import progress_bars, say
from zkcmp.cli.estimate import InputBits
from zkcmp.cli.samples import Labels, TestSetName, load_samples

if TYPE_CHECKING:
    from zkcmp.exchange.costs import Cost
    from zkcmp.model.architecture import Architecture
    from zkcmp.model.dataset import TestSet
    from zkcmp.model.float_network import FloatNetwork
    from zkcmp.model.network import Network
    from zkcmp.model.report import QuantisationReport

_NUMBER = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,20})?")

app = typer.Typer(help="Look at a network, quantise it, measure it.")

Model = Annotated[Path, typer.Argument(help="The trained network, an ONNX file.")]
Images = Annotated[int, typer.Option(min=0, help="Use so many of the set; 0: all.")]
Skip = Annotated[int, typer.Option(min=0, help="Leave out so many at its start.")]
Data = Annotated[Path | None, typer.Option(envvar="ZKCMP_DATA", help="Where MNIST's files are.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")]
Figure = Annotated[
    Path | None, typer.Option(help="Draw the report to this .png (the extra `plots`).")
]
WeightBits = Annotated[
    str,
    typer.Option(
        metavar="BITS",
        help="Widths of the weights, one for all or as 8,2,8.",
        show_default="what the file names, else 8",
    ),
]
DivideBy = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        help="Training divided pixels by this, as 255.",
        show_default="as in the file",
    ),
]
Mean = Annotated[str, typer.Option(help="Then subtracted this, as 0.1307, or one a channel.")]
Std = Annotated[str, typer.Option(help="Then divided by this, as 0.3081, or one a channel.")]
PerChannel = Annotated[
    bool | None,
    typer.Option(
        "--per-channel/--per-tensor",
        help="A scale for every channel, or one for a tensor.",
        show_default="per tensor, or the smaller when widths are searched",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]


@app.command()
def inspect(
    model: Model,
    images: Annotated[int, typer.Option(min=1, help="Predict costs for so many images.")] = 100,
    weight_bits: WeightBits = "",
    input_bits: InputBits = None,
    divide_by: DivideBy = None,
    mean: Mean = "",
    std: Std = "",
    per_channel: PerChannel = None,
    as_json: AsJson = False,
) -> None:
    """Show layers, sizes and bounds, and what a proof would cost; no data is needed."""
    pixels = Pixels(input_bits, divide_by, mean, std)
    float_network = _read(model, pixels)
    network = _quantized(float_network, weight_bits, per_channel)
    costs = _costs(network, images)
    if as_json:
        _say_json(_described(network) | {"file": _kind(float_network), "costs": costs})
        return
    from zkcmp.cli.model_tables import say_costs, say_layers

    architecture = network.architecture
    shape = "x".join(map(str, architecture.input_shape))
    say(f"file       {model}: {_kind(float_network)} network")
    say(f"input      {shape}, pixels 0 to {(1 << architecture.input_bits) - 1}")
    say(f"classes    {architecture.n_classes}")
    say_layers(architecture, chosen=float_network.integer is not None)
    say_costs(costs, images)


@app.command()
def quantize(
    model: Model,
    test_set: TestSetName,
    out: Annotated[Path, typer.Option(help="Where to write the integer network, ONNX.")],
    max_drop: Annotated[
        str, typer.Option(help="How much accuracy may be lost on the samples, as 0.2%.")
    ] = "0.2%",
    weight_bits: WeightBits = "",
    input_bits: InputBits = None,
    divide_by: DivideBy = None,
    mean: Mean = "",
    std: Std = "",
    per_channel: PerChannel = None,
    images: Images = 0,
    skip: Skip = 0,
    data: Data = None,
    labels: Labels = None,
    figure: Figure = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Find the fewest bits that keep the accuracy on labelled samples; write the network.

    Give samples that no buyer will send. With --weight-bits nothing is searched: these widths
    are taken, if they keep the accuracy.
    """
    from zkcmp.model.calibrate import choose_widths, parse_drop

    drop, pixels = parse_drop(max_drop), Pixels(input_bits, divide_by, mean, std)
    _check_out(out, overwrite)
    _check_figure(figure, overwrite)
    float_network = _read(model, pixels)
    samples = load_samples(test_set, images, skip, data, labels, _any_width(float_network))
    if weight_bits or float_network.integer is not None:
        network = _quantized(float_network, weight_bits, per_channel)
    else:
        with progress_bars() as progress:
            network = choose_widths(float_network, samples, drop, per_channel, progress).network
    result = _report(float_network, network, samples)
    _check_drop(result, max_drop)
    costs = _costs(network, len(samples))
    _write(out, _exported(network))
    _draw(figure, result, costs, model)
    _say_report(result, costs, len(samples), as_json, {"written": str(out)})
    if not as_json:
        _say_caution(samples, network)
        say(f"written    {out}")
        say(f"next       `zkcmp seller seal {out} --deal DIR --price-sat PRICE`")


@app.command()
def evaluate(
    model: Model,
    test_set: TestSetName,
    weight_bits: WeightBits = "",
    input_bits: InputBits = None,
    divide_by: DivideBy = None,
    mean: Mean = "",
    std: Std = "",
    per_channel: PerChannel = None,
    images: Images = 0,
    skip: Skip = 0,
    data: Data = None,
    labels: Labels = None,
    figure: Figure = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Measure the float network and the integer one on labelled samples."""
    pixels = Pixels(input_bits, divide_by, mean, std)
    _check_figure(figure, overwrite)
    float_network = _read(model, pixels)
    network = _quantized(float_network, weight_bits, per_channel)
    samples = load_samples(test_set, images, skip, data, labels, network.architecture)
    result = _report(float_network, network, samples)
    costs = _costs(network, len(samples))
    _draw(figure, result, costs, model)
    _say_report(result, costs, len(samples), as_json, {})
    if not as_json:
        _say_caution(samples, network)


@app.command()
def export(
    model: Model,
    out: Annotated[Path, typer.Option(help="Where to write it, ONNX.")],
    weight_bits: WeightBits = "",
    input_bits: InputBits = None,
    divide_by: DivideBy = None,
    mean: Mean = "",
    std: Std = "",
    per_channel: PerChannel = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write the integer network as the buyer would get it; no data is needed, none is measured."""
    _check_out(out, overwrite)
    pixels = Pixels(input_bits, divide_by, mean, std)
    network = _quantized(_read(model, pixels), weight_bits, per_channel)
    _write(out, _exported(network))
    if as_json:
        _say_json(_described(network) | {"written": str(out)})
        return
    say(f"written    {out}: {network.architecture.n_weights} integer weights, raw pixels in")


@dataclass(frozen=True)
class Pixels:
    """The options about the input, as typed."""

    input_bits: int | None
    divide_by: int | None
    mean: str
    std: str


def _read(model: Path, pixels: Pixels) -> "FloatNetwork":
    from zkcmp.model.onnx import read_onnx
    from zkcmp.model.pixels import with_pixels

    mean, std = _numbers("--mean", pixels.mean), _numbers("--std", pixels.std)
    return with_pixels(read_onnx(model), pixels.input_bits, pixels.divide_by, mean, std)


def _numbers(option: str, text: str) -> list[float]:
    """`0.13`, or `0.49,0.48,0.45`; none for nothing."""
    parts = text.split(",") if text else []
    if not all(_NUMBER.fullmatch(part) for part in parts):
        raise typer.BadParameter(f"{option} {text!r} is not a number, or one a channel as 0.5,0.4")
    return [float(part) for part in parts]


def _quantized(
    float_network: "FloatNetwork",
    weight_bits: str,
    per_channel: bool | None,
) -> "Network":
    """With the widths asked for. Raises ZkcmpError, also when a value could wrap the field."""
    from zkcmp.model.bounds import check_no_wrap
    from zkcmp.model.quantize import quantize

    widths = parse_widths(weight_bits)
    if widths is not None and float_network.integer is not None:
        raise typer.BadParameter("the file holds an integer network; leave --weight-bits out")
    network = quantize(float_network, widths, per_channel=bool(per_channel))
    check_no_wrap(network.architecture)
    return network


def _any_width(float_network: "FloatNetwork") -> "Architecture":
    """An architecture with the shapes and classes of the network."""
    from zkcmp.model.quantize import MIN_WEIGHT_BITS, quantize

    return quantize(float_network, MIN_WEIGHT_BITS).architecture


def parse_widths(text: str) -> int | list[int] | None:
    """`8`, or `8,2,8`; None for nothing."""
    if not text:
        return None
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) <= 2 for part in parts):
        raise typer.BadParameter(f"--weight-bits {text!r} is not a width, or widths as 8,2,8")
    widths = [int(part) for part in parts]
    return widths[0] if len(widths) == 1 else widths


def _report(
    float_network: "FloatNetwork", network: "Network", samples: "TestSet"
) -> "QuantisationReport":
    from zkcmp.model.report import report

    return report(float_network, network, samples)


def _check_drop(result: "QuantisationReport", max_drop: str) -> None:
    from zkcmp.errors import ZkcmpError
    from zkcmp.model.calibrate import parse_drop

    if result.float_right - result.integer_right > int(parse_drop(max_drop) * result.n):
        raise ZkcmpError(
            f"these widths lose {result.float_accuracy - result.integer_accuracy:.2%} of the float "
            f"accuracy {result.float_accuracy:.2%} on {result.n} samples, more than {max_drop}; "
            "leave --weight-bits out to search, or allow a larger --max-drop"
        )


def _costs(network: "Network", images: int) -> "list[Cost]":
    from zkcmp.exchange.costs import predict_all

    return predict_all(network.architecture, images)


def _exported(network: "Network") -> bytes:
    from zkcmp.model.onnx import export_onnx

    return export_onnx(network)


def _check_out(out: Path, overwrite: bool) -> None:
    from zkcmp.errors import ZkcmpError

    if out.is_dir():
        raise ZkcmpError(f"{out} is a directory; name a file to write")
    if out.exists() and not overwrite:
        raise ZkcmpError(f"{out} exists; name another file, or say --overwrite")
    if not out.absolute().parent.is_dir():
        raise ZkcmpError(f"{out.absolute().parent} is no directory; make it first")


def _check_figure(figure: Path | None, overwrite: bool) -> None:
    from zkcmp.cli.model_figure import require_figures

    if figure is not None:
        require_figures(figure)
        _check_out(figure, overwrite)


def _write(path: Path, data: bytes) -> None:
    from zkcmp.exchange.store import write_atomic

    write_atomic(path, data)  # for us alone: it holds weights, or says something about them


def _draw(
    figure: Path | None, result: "QuantisationReport", costs: "list[Cost]", model: Path
) -> None:
    from zkcmp.cli.model_figure import draw

    if figure is not None:
        _write(figure, draw(result, costs, model.stem))


def _say_report(
    result: "QuantisationReport",
    costs: "list[Cost]",
    images: int,
    as_json: bool,
    more: dict[str, Any],
) -> None:
    if as_json:
        _say_json(result.to_json() | {"images": images, "costs": costs} | more)
        return
    from zkcmp.cli.model_tables import say_accuracy, say_costs, say_tensors

    say_accuracy(result)
    say_tensors(result)
    say_costs(costs, images)


def _say_caution(samples: "TestSet", network: "Network") -> None:
    """Pixels of 0 and 1 are most often fractions that were cut to integers."""
    largest, allowed = int(samples.images.max()), (1 << network.architecture.input_bits) - 1
    if largest <= 1 < allowed:
        say(f"caution    no pixel is above {largest}, and the network reads 0 to {allowed}: were")
        say("           fractions from 0 to 1 cut to integers? scale them before that")


def _kind(float_network: "FloatNetwork") -> str:
    return "float" if float_network.integer is None else "integer"


def _described(network: "Network") -> dict[str, Any]:
    architecture = network.architecture
    return {
        "architecture": json.loads(architecture.to_bytes()),
        "architecture_digest": architecture.digest.hex(),
        "n_weights": architecture.n_weights,
        "n_classes": architecture.n_classes,
    }


def _say_json(value: dict[str, Any]) -> None:
    if "costs" in value:
        value = value | {"costs": [cost.to_json() for cost in value["costs"]]}
    say(json.dumps(value, sort_keys=True))
