"""How large the ONNX file of a network is at the most, from its architecture alone.

    bytes <= 8 * (weights + sum over convolutions and pools of their windows, laid out) + 1 MB

`onnx/export.py` stores a position for every value of a window (one of 8 bytes), and the format,
protobuf, ends below 2 GB. A buyer must know before it pays that the network can be written.
"""

from math import prod

from zkcmp.model.architecture import Architecture
from zkcmp.model.layers import Conv, SumPool

MAX_EXPORT_BYTES = (1 << 31) - 1
"""What protobuf can write."""

_ENTRY_BYTES = 8
_NAMES_BYTES = 1 << 20


def export_bytes(architecture: Architecture) -> int:
    """No ONNX file of a network of this architecture has more bytes."""
    entries = architecture.n_weights
    for layer, shape in zip(architecture.layers, architecture.shapes()[1:], strict=True):
        if isinstance(layer, Conv):
            entries += layer.fan_in * layer.groups * prod(shape[1:])
        elif isinstance(layer, SumPool):
            entries += layer.fan_in * prod(shape)
    return _ENTRY_BYTES * entries + _NAMES_BYTES
