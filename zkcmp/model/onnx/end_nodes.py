"""Operators that change no label: casts, dropout, the softmax at the end, and labels themselves."""

import numpy as np

from zkcmp.model.float_chain import UnsupportedError
from zkcmp.model.onnx.file import FLOAT_TYPES
from zkcmp.model.onnx.node import Node


def cast(node: Node) -> bool:
    if node.attributes.get("to") not in FLOAT_TYPES:
        raise UnsupportedError("only to a float type")
    return True


def dropout(node: Node) -> bool:
    if node.has(2) and bool(np.asarray(node.constant(2, "training_mode")).any()):
        raise UnsupportedError("training_mode: export the model for inference")
    return True


def no_change(node: Node) -> bool:
    return True


def softmax(node: Node) -> bool:
    rank = len(node.chain.seen) + 1
    if node.number("axis", 1 if node.opset < 13 else -1) not in (1, 1 - rank):
        raise UnsupportedError("only over the classes")
    return True


def normalizer(node: Node) -> bool:
    if node.attributes.get("norm", b"MAX") not in (b"L1", b"L2"):
        raise UnsupportedError("only norm L1 or L2, which keep the order")
    return True


def labels_of_logits(node: Node) -> None:
    if node.attributes.get("axis", 1) not in (-1, 1) or node.attributes.get("select_last_index", 0):
        raise UnsupportedError("only the first largest class of each image")


def class_labels(node: Node) -> None:
    """Labels looked up by the class that was found."""
    known = [node.constants[name] for name in node.inputs if name in node.constants]
    if any(labels.reshape(-1).tolist() != list(range(labels.size)) for labels in known):
        raise UnsupportedError("its labels are not 0, 1, 2, …: number the classes so")


def zip_map(node: Node) -> None:
    for name in ("classlabels_int64s", "classlabels_strings"):
        labels = node.attributes.get(name, [])
        if not isinstance(labels, list) or labels != list(range(len(labels))):
            raise UnsupportedError("its labels are not 0, 1, 2, …: number the classes so")


def same_labels(node: Node) -> None:
    """Labels in another shape or type."""
