"""What whoever runs an exported network must know, as JSON beside the ONNX file.

    input    shape, type, the integers that a pixel may be, and what float value one stands for
    output   the logits, and how they become a label
    exact    whether doubles hold every sum, so that any runtime gives the proved integers

The architecture in the ONNX file's metadata says the same; its digest ties the two together.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from zkcmp.model.bounds import bounds
from zkcmp.model.double_rounding import EXACT_LIMIT
from zkcmp.model.network import Network

FORMAT = "zkcmp-network-1"


def network_card(network: Network, model: bytes, deal: Mapping[str, str] | None = None) -> bytes:
    """The JSON for the export `model` of a network; deal: what it was bought by, if it was."""
    architecture = network.architecture
    scaling = architecture.normalisation
    tree: dict[str, Any] = {
        "format": FORMAT,
        "onnx_sha256": sha256(model).hexdigest(),
        "architecture_sha256": architecture.digest.hex(),
        "input": {
            "name": "image",
            "shape": ["N", *architecture.input_shape],
            "type": "double",
            "smallest": 0,
            "largest": (1 << architecture.input_bits) - 1,
            "scale": scaling.scale.split(","),
            "offset": scaling.offset.split(","),
            "meaning": "a pixel p of channel c stands for scale[c] * p + offset[c]; give the p",
        },
        "output": {
            "name": "logits",
            "classes": architecture.n_classes,
            "label": "the first index of the largest logit",
        },
        "weight_bits": {spec.name: spec.bits for spec in architecture.tensors()},
        "exact_in_doubles": max(bounds(architecture)) < EXACT_LIMIT,
    }
    if deal is not None:
        tree["deal"] = dict(deal)
    return (json.dumps(tree, indent=2, sort_keys=True) + "\n").encode()
