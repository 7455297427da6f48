"""Options that the commands of `zkcmp model` share, and the network that they describe."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from zkcmp.model.architecture import Architecture
    from zkcmp.model.float_network import FloatNetwork
    from zkcmp.model.network import Network

_NUMBER = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,20})?")

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


@dataclass(frozen=True)
class Pixels:
    """The options about the input, as typed."""

    input_bits: int | None
    divide_by: int | None
    mean: str
    std: str


def read_network(model: Path, pixels: Pixels) -> "FloatNetwork":
    """The network of a file, its pixels as the options say. Raises BadParameter, ZkcmpError."""
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


def quantized(
    float_network: "FloatNetwork",
    weight_bits: str,
    per_channel: bool | None,
) -> "Network":
    """With the widths asked for. Raises ZkcmpError, also when a value could wrap the field."""
    from zkcmp.model.bounds import check_no_wrap
    from zkcmp.model.quantize import quantize

    widths = _parse_widths(weight_bits)
    if widths is not None and float_network.integer is not None:
        raise typer.BadParameter("the file holds an integer network; leave --weight-bits out")
    network = quantize(float_network, widths, per_channel=bool(per_channel))
    check_no_wrap(network.architecture)
    return network


def any_width(float_network: "FloatNetwork") -> "Architecture":
    """An architecture with the shapes and classes of the network."""
    from zkcmp.model.quantize import MIN_WEIGHT_BITS, quantize

    return quantize(float_network, MIN_WEIGHT_BITS).architecture


def _parse_widths(text: str) -> int | list[int] | None:
    """`8`, or `8,2,8`; None for nothing."""
    if not text:
        return None
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) <= 2 for part in parts):
        raise typer.BadParameter(f"--weight-bits {text!r} is not a width, or widths as 8,2,8")
    widths = [int(part) for part in parts]
    return widths[0] if len(widths) == 1 else widths
