"""From a trained network to the integer one that is sold."""

from collections.abc import Sequence
from pathlib import Path

from zkcmp.api.arguments import Array, StrPath, as_test_set
from zkcmp.errors import ZkcmpError
from zkcmp.exchange.costs.by_method import Cost, predict_all
from zkcmp.exchange.private.store import write_atomic
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.calibrate import choose_widths, parse_drop
from zkcmp.model.float_network import FloatNetwork
from zkcmp.model.network import Network
from zkcmp.model.onnx import export_onnx, read_onnx
from zkcmp.model.pixels import with_pixels
from zkcmp.model.quantize import quantize as quantize_network
from zkcmp.model.report import QuantisationReport, report
from zkcmp.progress import Progress, silent

Model = StrPath | Network


def read(
    path: StrPath,
    input_bits: int | None = None,
    divide_by: int | None = None,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> FloatNetwork:
    """The float network in an ONNX file, and how pixels enter it where the file does not say so.

    Training fed it (pixel / divide_by − mean) / std with pixels 0 … 2^input_bits − 1; mean and std
    are one number, or one for each channel.
    """
    return with_pixels(read_onnx(Path(path)), input_bits, divide_by, mean, std)


def quantize(
    model: StrPath | FloatNetwork,
    images: Array | None = None,
    labels: Array | None = None,
    max_drop: str = "0.2%",
    weight_bits: int | list[int] | None = None,
    per_channel: bool | None = None,
    progress: Progress = silent,
) -> Network:
    """The integer network of an ONNX file, or of what `read` returned.

    With labelled images (which no buyer will send), the one of fewest bits that loses at most
    `max_drop` of the float accuracy on them. Without, weights have the width that is given, or the
    one that the file asks for, or 8 bits.
    """
    float_network = as_float_network(model)
    if (images is None) != (labels is None):
        raise ZkcmpError("give images and labels, or neither")
    if images is None or labels is None:
        network = quantize_network(float_network, weight_bits, per_channel=bool(per_channel))
        check_no_wrap(network.architecture)
        return network
    if weight_bits is not None:
        raise ZkcmpError(
            "weight_bits leaves nothing to search for; leave out images or weight_bits"
        )
    samples, drop = as_test_set(images, labels), parse_drop(max_drop)
    return choose_widths(float_network, samples, drop, per_channel, progress).network


def evaluate(
    model: StrPath | FloatNetwork, network: Network, images: Array, labels: Array
) -> QuantisationReport:
    """Accuracies and confusion matrix of an integer network beside the float one it came from."""
    return report(as_float_network(model), network, as_test_set(images, labels))


def costs(network: Network, n_images: int) -> list[Cost]:
    """What a proof about so many images would cost by each sound method, on this machine."""
    return predict_all(network.architecture, n_images)


def save(network: Network, path: StrPath) -> None:
    """Write the integer network as an ONNX file that onnxruntime runs on raw pixels."""
    write_atomic(Path(path), export_onnx(network))


def as_float_network(model: StrPath | FloatNetwork) -> FloatNetwork:
    """A network that was read, or is in a file."""
    return model if isinstance(model, FloatNetwork) else read(model)


def as_network(model: Model) -> Network:
    """A network that was quantised, or is in a file."""
    return model if isinstance(model, Network) else quantize(model)
