"""What each supported ONNX operator does to the chain of layers, and why others are refused.

HANDLERS     operators that the chain goes through
LABEL_NODES  operators that turn logits into labels, which a sale does not need
HINTS        operators that are not supported, and what is nearest
"""

from collections.abc import Callable
from dataclasses import dataclass

from zkcmp.model.onnx import element_nodes as element
from zkcmp.model.onnx import end_nodes as end
from zkcmp.model.onnx import layer_nodes as layer
from zkcmp.model.onnx import shape_nodes as shape
from zkcmp.model.onnx.node import Node

SUPPORTED = (
    "Conv, Gemm, MatMul, LinearClassifier, BatchNormalization, Scaler, Add, Sub, Mul, Div with "
    "constants, Mul(x, x), Pow(x, 2), AveragePool, GlobalAveragePool, ReduceMean, ReduceSum, "
    "Flatten, Reshape, Squeeze, Unsqueeze, Transpose, Identity, Dropout, Cast, and Softmax or "
    "labels at the end"
)
_TRAIN = "not yet; a square activation trains nearly as well, see experiments/train_mnist.py"
ACTIVATIONS = frozenset(
    (
        *("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Gelu", "Clip", "ThresholdedRelu"),
        *("Sigmoid", "HardSigmoid", "HardSwish", "Mish", "Tanh", "Softplus", "Softsign", "Erf"),
    )
)
HINTS = dict.fromkeys(ACTIVATIONS, _TRAIN) | {
    "MaxPool": f"{_TRAIN}, and AveragePool in its place",
    "GlobalMaxPool": f"{_TRAIN}, and GlobalAveragePool in its place",
    "QLinearConv": "export the float model; zkcmp quantises it itself",
    "QLinearMatMul": "export the float model; zkcmp quantises it itself",
    "QuantizeLinear": "export the float model; zkcmp quantises it itself",
    "DequantizeLinear": "export the float model; zkcmp quantises it itself",
    "Pad": "give the padding to the convolution (pads)",
    "Concat": "only chains of layers are supported, no branches",
    "InstanceNormalization": "its statistics depend on the image; use BatchNormalization",
    "LayerNormalization": "its statistics depend on the image; use BatchNormalization",
}


@dataclass(frozen=True)
class Handler:
    """read: changes the chain; True when the value stays as it was, under one more name.

    in_the_end: allowed after the softmax; ends: is one; output: which output is the value, the
    others being labels.
    """

    read: Callable[[Node], bool | None]
    in_the_end: bool = False
    ends: bool = False
    output: int = 0


LABEL_NODES: dict[str, Callable[[Node], None]] = {
    **dict.fromkeys(("Cast", "Reshape", "Squeeze", "Unsqueeze", "Identity"), end.same_labels),
    "ArgMax": end.labels_of_logits,
    "ArrayFeatureExtractor": end.class_labels,
    "Gather": end.class_labels,
    "ZipMap": end.zip_map,
}

HANDLERS: dict[str, Handler] = {
    "Conv": Handler(layer.convolution),
    "Gemm": Handler(layer.gemm),
    "MatMul": Handler(layer.matmul),
    "LinearClassifier": Handler(layer.linear_classifier, output=1),
    "Scaler": Handler(element.scaler),
    "BatchNormalization": Handler(element.batch_normalization),
    "Add": Handler(element.add),
    "Sub": Handler(element.subtract),
    "Mul": Handler(element.multiply),
    "Div": Handler(element.divide),
    "Neg": Handler(element.negate),
    "Pow": Handler(element.power),
    "AveragePool": Handler(layer.average_pool),
    "GlobalAveragePool": Handler(layer.global_average_pool),
    "ReduceMean": Handler(layer.reduction(divide=True)),
    "ReduceSum": Handler(layer.reduction(divide=False)),
    "Flatten": Handler(shape.flatten, in_the_end=True),
    "Reshape": Handler(shape.reshape, in_the_end=True),
    "Squeeze": Handler(shape.squeeze, in_the_end=True),
    "Unsqueeze": Handler(shape.unsqueeze, in_the_end=True),
    "Transpose": Handler(shape.transpose),
    "Cast": Handler(end.cast, in_the_end=True),
    "Identity": Handler(end.no_change, in_the_end=True),
    "Dropout": Handler(end.dropout, in_the_end=True),
    "Softmax": Handler(end.softmax, ends=True),
    "LogSoftmax": Handler(end.softmax, ends=True),
    "Normalizer": Handler(end.normalizer, in_the_end=True, ends=True),
}
