"""ONNX files as untrusted bytes: the message, its metadata, its tensors.

Sizes are checked before arrays are made. A tensor may lie in a file of its own beside the model,
never above that directory.
"""

from collections import Counter
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError as ProtobufError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper

from zkcmp.errors import DecodeError
from zkcmp.model.layers import MAX_VOLUME

MAX_FILE_BYTES = 1 << 28
MAX_NODES = 4096
_MIN_OPSET = 7  # from here on the operators read here mean what they mean today
_DOMAINS = ("", "ai.onnx")
FLOAT_TYPES = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
NUMBER_TYPES = (*FLOAT_TYPES, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)


def parse_model(data: bytes) -> onnx.ModelProto:
    """The protobuf message; raises DecodeError when the bytes are not one of acceptable size."""
    if len(data) > MAX_FILE_BYTES:
        raise DecodeError(f"the ONNX file is larger than {MAX_FILE_BYTES} bytes")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except ProtobufError:
        raise DecodeError("not an ONNX file, or one cut short; export the network again") from None
    if not model.HasField("graph") or not model.graph.node:
        raise DecodeError("not an ONNX file: it holds no graph")
    if len(model.graph.node) > MAX_NODES:
        raise DecodeError(f"the ONNX graph has more than {MAX_NODES} nodes")
    # exporters of scikit-learn write the same version twice
    versions = {entry.version for entry in model.opset_import if entry.domain in _DOMAINS}
    if len(versions) != 1 or min(versions) < _MIN_OPSET:
        found = ", ".join(map(str, sorted(versions))) or "none"
        raise DecodeError(
            f"the ONNX file must use one standard opset, {_MIN_OPSET} or later, not {found}; "
            "export it again with opset 13"
        )
    if len(model.functions) or len(model.graph.sparse_initializer):
        raise DecodeError("ONNX functions and sparse tensors are not supported; inline them")
    if not all(isinstance(text, str) for text in _texts(model)):  # bytes when not UTF-8
        raise DecodeError("the ONNX file has a name that is not text")
    _check_names(model.graph)
    return model


def _check_names(graph: onnx.GraphProto) -> None:
    """Raises DecodeError when a name means two values: readers would differ in which they take."""
    inputs = [entry.name for entry in graph.input]
    stored = [tensor.name for tensor in graph.initializer]  # these may be listed as inputs, too
    made = [name for node in graph.node for name in node.output if name]
    for names in (inputs, stored, [*{*inputs, *stored}, *made]):
        if len(set(names)) != len(names):
            twice = min(name for name, times in Counter(names).items() if times > 1)
            raise DecodeError(f"the ONNX graph has two values of the name {quote(twice)}")


def _texts(model: onnx.ModelProto) -> Iterator[object]:
    """Every name in the file that is read."""
    graph = model.graph
    for entry in model.metadata_props:
        yield from (entry.key, entry.value)
    for named in (*graph.input, *graph.output, *graph.initializer):
        yield named.name
    for node in graph.node:
        yield from (node.op_type, node.name, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.t.name)


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    """The model's metadata entries; raises DecodeError when a key occurs twice."""
    entries = {entry.key: entry.value for entry in model.metadata_props}
    if len(entries) != len(model.metadata_props):
        raise DecodeError("the ONNX file has a metadata key twice")
    return entries


class TensorReader:
    """Stored tensors as arrays. directory: where tensors outside the file may lie, if anywhere."""

    def __init__(self, directory: Path | None = None):
        self._directory = directory
        self._external_bytes = 0

    def __call__(self, tensor: onnx.TensorProto) -> np.ndarray:
        """Raises DecodeError when the tensor is too large, malformed, or not where it may be."""
        name = quote(tensor.name)
        if any(d < 0 or d > MAX_VOLUME for d in tensor.dims) or prod(tensor.dims) > MAX_VOLUME:
            raise DecodeError(f"tensor {name} holds more than {MAX_VOLUME} values")
        if tensor.data_type not in NUMBER_TYPES:
            raise DecodeError(f"tensor {name} is neither float nor integer")
        try:
            if tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data):
                return self._external(tensor, name)
            return np.asarray(numpy_helper.to_array(tensor))
        except (ValueError, TypeError) as error:
            raise DecodeError(f"tensor {name} is malformed: {one_line(error)}") from None

    def _external(self, tensor: onnx.TensorProto, name: str) -> np.ndarray:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        path = self._inside(location, name)
        kind = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).newbyteorder("<")
        size = prod(tensor.dims) * kind.itemsize
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", size))
        self._external_bytes += size
        if self._external_bytes > MAX_FILE_BYTES:
            raise DecodeError(f"tensors outside the file hold more than {MAX_FILE_BYTES} bytes")
        try:
            with open(path, "rb") as stream:
                stream.seek(max(offset, 0))
                data = stream.read(size)
        except (OSError, OverflowError):
            raise DecodeError(
                f"tensor {name} is stored in {quote(location)}, which cannot be read; "
                "put that file beside the model"
            ) from None
        if offset < 0 or length != size or len(data) != size:
            raise DecodeError(f"tensor {name}: {quote(location)} does not hold its {size} bytes")
        return np.frombuffer(data, kind).reshape(tuple(tensor.dims)).astype(kind.newbyteorder("="))

    def _inside(self, location: str, name: str) -> Path:
        if self._directory is None:
            raise DecodeError(
                f"tensor {name} is stored outside the file; give the model as a file, with "
                f"{quote(location)} beside it, or save it in one file"
            )
        directory = self._directory.resolve()
        try:
            path = (directory / location).resolve()
            inside = path.is_relative_to(directory) and path.is_file()
        except (OSError, ValueError, RuntimeError):
            inside = False
        if not location or not inside:
            raise DecodeError(
                f"tensor {name} is stored in {quote(location)}, which is no file beside the model; "
                "put it there, or save the model in one file"
            )
        return path


def quote(text: str) -> str:
    """A name from the file, safe to print on one line."""
    return repr(text[:60])


def one_line(error: Exception) -> str:
    """An error of another library, safe to print on one line."""
    return " ".join(str(error).split())[:200]
