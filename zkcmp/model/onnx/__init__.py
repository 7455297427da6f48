"""ONNX files in and out.

    import_onnx:  bytes -> FloatNetwork  (with `.integer` when the file is our own export)
    export_onnx:  Network -> bytes       (onnxruntime's labels = Network.predict, see export.py)

An export carries its architecture in the metadata. On import the integers are read back as they
are and the graph is compared with a fresh export, so such a file cannot say one thing and compute
another.
"""

import re
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.model.architecture import Architecture, Normalisation
from zkcmp.model.double_rounding import stable_in_double
from zkcmp.model.float_network import FloatConv, FloatDense, FloatLayer, FloatNetwork
from zkcmp.model.layers import Conv, Dense
from zkcmp.model.network import Network
from zkcmp.model.onnx.export import (
    ARCHITECTURE_KEY,
    INPUT_BITS_KEY,
    OFFSET_KEY,
    SCALE_KEY,
    WEIGHT_BITS_KEY,
    export_float_onnx,
    export_onnx,
    integer_model,
    storage_type,
)
from zkcmp.model.onnx.file import MAX_FILE_BYTES, metadata, parse_model
from zkcmp.model.onnx.graph import OnnxGraph

__all__ = ["export_float_onnx", "export_onnx", "import_onnx", "read_onnx", "stable_in_double"]


def read_onnx(path: str | Path) -> FloatNetwork:
    """`import_onnx` of a file; raises DecodeError when it cannot be read."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise DecodeError(f"cannot read {path}: {error.strerror}") from None
    try:
        return import_onnx(data, Path(path).parent)
    except DecodeError as error:
        raise DecodeError(f"{path}: {error}") from None
    except ZkcmpError as error:
        raise ZkcmpError(f"{path}: {error}") from None


def import_onnx(data: bytes, directory: Path | None = None) -> FloatNetwork:
    """The network in an ONNX file. directory: where tensors outside the file may lie.

    Raises DecodeError when the bytes are not an ONNX model, ZkcmpError that lists every
    unsupported node at once when they are.
    """
    model = parse_model(data)
    entries = metadata(model)
    if ARCHITECTURE_KEY in entries:
        return _exact(_import_integer(model, entries[ARCHITECTURE_KEY]))
    input_bits, weight_bits = _widths(entries, INPUT_BITS_KEY), _widths(entries, WEIGHT_BITS_KEY)
    try:
        scaling = Normalisation(entries.get(SCALE_KEY, "1"), entries.get(OFFSET_KEY, "0"))
    except ZkcmpError as error:
        raise DecodeError(f"metadata {SCALE_KEY}, {OFFSET_KEY}: {error}") from None
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    graph = OnnxGraph(model.graph, opset, directory)
    return FloatNetwork(
        graph.input_shape,
        graph.layers,
        None if input_bits is None else input_bits[0],
        scaling,
        weight_bits,
    )


def _widths(entries: dict[str, str], key: str) -> tuple[int, ...] | None:
    """A metadata entry such as "8,2,8"."""
    if key not in entries:
        return None
    if not re.fullmatch(r"[1-9][0-9]?(,[1-9][0-9]?){0,63}", entries[key]):
        raise DecodeError(f"metadata {key} is not a list of widths")
    return tuple(int(text) for text in entries[key].split(","))


def _exact(network: Network) -> FloatNetwork:
    """The float view of an integer network, which `quantize` turns back into that network."""
    architecture, tensors = network.architecture, iter(network.tensors)
    layers: list[FloatLayer] = []
    for layer in architecture.layers:
        if isinstance(layer, Conv | Dense):
            weight, bias = next(tensors).astype(np.float64), next(tensors).astype(np.float64)
            if isinstance(layer, Conv):
                shape = layer.stride, layer.padding, layer.groups, layer.dilation
                layers.append(FloatConv(weight, bias, *shape))
            else:
                layers.append(FloatDense(weight, bias))
        else:
            layers.append(layer)
    return FloatNetwork(
        architecture.input_shape, tuple(layers), architecture.input_bits, integer=network
    )


def _import_integer(model: onnx.ModelProto, text: str) -> Network:
    architecture = Architecture.from_bytes(text.encode())
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    tensors = []
    for spec in architecture.tensors():
        tensor = stored.get(spec.name)
        kind = helper.np_dtype_to_tensor_dtype(storage_type(spec))
        if tensor is None or tensor.data_type != kind or tuple(tensor.dims) != spec.shape:
            raise DecodeError(f"{spec.name} is missing or not as the architecture declares it")
        if len(tensor.raw_data) != spec.size * storage_type(spec).itemsize:
            raise DecodeError(f"{spec.name} has the wrong length")
        tensors.append(np.asarray(numpy_helper.to_array(tensor)).astype(np.int64))
    try:
        network = Network(architecture, tensors)
    except ZkcmpError as error:
        raise DecodeError(str(error)) from None
    if integer_model(network).graph.SerializeToString(
        deterministic=True
    ) != model.graph.SerializeToString(deterministic=True):
        raise DecodeError(
            f"the graph is not that of the architecture in its metadata; remove {ARCHITECTURE_KEY} "
            "to import it as a float network"
        )
    return network
