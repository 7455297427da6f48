"""`zkcmp model`: look at a network, quantise it, measure it, write what a buyer would get."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zkcmp.cli.model.options import (
    AsJson,
    Data,
    DivideBy,
    Figure,
    Images,
    Mean,
    Model,
    Overwrite,
    PerChannel,
    Pixels,
    Skip,
    Std,
    WeightBits,
    any_width,
    quantized,
    read_network,
)
from zkcmp.cli.model.words import described, kind_of, say_caution, say_json, say_report
from zkcmp.cli.proving.estimate import InputBits
from zkcmp.cli.samples import Labels, TestSetName, load_samples
from zkcmp.cli.terminal.console import progress_bars, say, typed
from zkcmp.cli.terminal.listing import Listing

if TYPE_CHECKING:
    from zkcmp.exchange.costs.by_method import Cost
    from zkcmp.model.dataset import TestSet
    from zkcmp.model.float_network import FloatNetwork
    from zkcmp.model.network import Network
    from zkcmp.model.report import QuantisationReport


app = typer.Typer(cls=Listing, help="Look at a network, quantise it, measure it.")


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
    float_network = read_network(model, pixels)
    network = quantized(float_network, weight_bits, per_channel)
    costs = _costs(network, images)
    if as_json:
        say_json(described(network) | {"file": kind_of(float_network), "costs": costs})
        return
    from zkcmp.cli.model.tables import say_costs, say_layers

    architecture = network.architecture
    shape = "x".join(map(str, architecture.input_shape))
    say(f"file       {model}: {kind_of(float_network)} network")
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
    float_network = read_network(model, pixels)
    samples = load_samples(test_set, images, skip, data, labels, any_width(float_network))
    if weight_bits or float_network.integer is not None:
        network = quantized(float_network, weight_bits, per_channel)
    else:
        with progress_bars() as progress:
            network = choose_widths(float_network, samples, drop, per_channel, progress).network
    result = _report(float_network, network, samples)
    _check_drop(result, max_drop)
    costs = _costs(network, len(samples))
    _write(out, _exported(network))
    _draw(figure, result, costs, model)
    say_report(result, costs, len(samples), as_json, {"written": str(out)})
    if not as_json:
        say_caution(samples, network)
        say(f"written    {out}")
        say(f"next       `zkcmp seller seal {typed(out)} --deal DIR --price-sat PRICE`")


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
    float_network = read_network(model, pixels)
    network = quantized(float_network, weight_bits, per_channel)
    samples = load_samples(test_set, images, skip, data, labels, network.architecture)
    result = _report(float_network, network, samples)
    costs = _costs(network, len(samples))
    _draw(figure, result, costs, model)
    say_report(result, costs, len(samples), as_json, {})
    if not as_json:
        say_caution(samples, network)


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
    network = quantized(read_network(model, pixels), weight_bits, per_channel)
    _write(out, _exported(network))
    if as_json:
        say_json(described(network) | {"written": str(out)})
        return
    say(f"written    {out}: {network.architecture.n_weights} integer weights, raw pixels in")


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
    from zkcmp.exchange.costs.by_method import predict_all

    return predict_all(network.architecture, images)


def _exported(network: "Network") -> bytes:
    from zkcmp.model.onnx import export_onnx

    return export_onnx(network)


def _check_out(out: Path, overwrite: bool) -> None:
    from zkcmp.errors import ZkcmpError
    from zkcmp.exchange.shared_places import refuse_shared

    refuse_shared(out)
    if out.is_dir():
        raise ZkcmpError(f"{out} is a directory; name a file to write")
    if out.exists() and not overwrite:
        raise ZkcmpError(f"{out} exists; name another file, or say --overwrite")
    place = out.absolute().parent
    if not place.is_dir():
        raise ZkcmpError(f"{place} is no directory; make it first")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ZkcmpError(f"{place} cannot be written to; name a file elsewhere")


def _check_figure(figure: Path | None, overwrite: bool) -> None:
    from zkcmp.cli.model.figure import require_figures

    if figure is not None:
        require_figures(figure)
        _check_out(figure, overwrite)


def _write(path: Path, data: bytes) -> None:
    from zkcmp.exchange.private.store import write_atomic

    write_atomic(path, data)  # for us alone: it holds weights, or says something about them


def _draw(
    figure: Path | None, result: "QuantisationReport", costs: "list[Cost]", model: Path
) -> None:
    from zkcmp.cli.model.figure import draw

    if figure is not None:
        _write(figure, draw(result, costs, model.stem))
