"""Networks of every shape in mode `freivalds`, honest assignments, and ways to be dishonest."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from gadget_harness import violated_gadgets
from small_statement import encrypt_blocks
from two_rounds import Hashing, tampered

from circuits.freivalds.plan import make_plan
from circuits.freivalds.statement import Assignment, Statement, build
from circuits.gadgets.accuracy import choose_flags
from zkcmp import seal
from zkcmp.bn254.field.fr import FrVector
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import (
    Architecture,
    Conv,
    Dense,
    Flatten,
    Network,
    Square,
    SumPool,
    group_rows,
    im2col,
    sum_windows,
)

PREIMAGE = bytes(range(1, 33))
CONTEXT = bytes(range(100, 132))

SMALL = Architecture(
    (1, 4, 4),
    4,
    (
        Conv(1, 2, (3, 3), (2, 2), (1, 1, 0, 0), 4, 5),
        Square(),
        Flatten(),
        Dense(8, 3, 4, 6),
        Square(),
        Dense(3, 3, 3, 7),
    ),
)
CONV = Conv(2, 3, (3, 2), (2, 1), (1, 0, 2, 1), 5, 9)  # neither square nor even in any respect
NETWORKS = {
    "small": SMALL,
    # a wide first layer is committed, a narrow one is not
    "dense first": Architecture(
        (1, 8, 8), 5, (Flatten(), Dense(64, 20, 6, 16), Square(), Dense(20, 10, 5, 30))
    ),
    "dense only": Architecture((1, 2, 3), 2, (Flatten(), Dense(6, 2, 2, 2))),
    "wide dense only": Architecture((1, 28, 28), 8, (Flatten(), Dense(784, 3, 8, 8))),
    "one bit": Architecture((1, 1, 3), 1, (Flatten(), Dense(3, 4, 1, 1))),
    "wide weights": Architecture((1, 2, 2), 16, (Flatten(), Square(), Dense(4, 5, 62, 61))),
    "dense after dense": Architecture(
        (2, 3, 3), 8, (Flatten(), Dense(18, 30, 8, 20), Dense(30, 7, 7, 40))
    ),
    "conv later": Architecture(
        (2, 6, 5),
        4,
        (
            CONV,
            Square(),
            Conv(3, 4, (3, 2), (1, 2), (2, 1, 1, 0), 3, 9),
            Square(),
            Flatten(),
            Dense(60, 3, 3, 5),
        ),
    ),
    "many channels": Architecture(
        (1, 6, 6),
        2,
        (
            Conv(1, 2, (2, 2), (2, 2), (0, 0, 0, 0), 2, 2),
            Square(),
            Conv(2, 25, (2, 2), (1, 1), (0, 0, 0, 0), 2, 2),
            Flatten(),
            Dense(100, 3, 2, 2),
        ),
    ),
    # strides that skip inputs, kernels as large as the image, padding almost as large as they are
    "convs": Architecture(
        (1, 11, 7),
        3,
        (
            Conv(1, 2, (2, 3), (3, 4), (1, 2, 0, 1), 3, 4),
            Conv(2, 2, (4, 3), (1, 1), (3, 2, 3, 0), 2, 9),
            Conv(2, 1, (3, 2), (2, 5), (2, 1, 1, 1), 4, 4),
            Flatten(),
            Dense(4, 2, 3, 3),
        ),
    ),
    "grouped first": Architecture(
        (2, 5, 6),
        3,
        (
            Conv(2, 4, (2, 2), (1, 2), (0, 1, 1, 0), 3, 4, groups=2, dilation=(2, 3)),
            Square(),
            Conv(4, 4, (2, 2), (1, 1), (1, 0, 1, 0), 3, 9, groups=4),
            Flatten(),
            Dense(20, 3, 3, 3),
        ),
    ),
    "grouped later": Architecture(
        (1, 8, 8),
        3,
        (
            Conv(1, 4, (2, 2), (1, 1), (0, 0, 0, 0), 3, 4),
            Square(),
            Conv(4, 24, (3, 3), (1, 1), (2, 1, 0, 2), 3, 9, groups=2, dilation=(2, 2)),
            Square(),
            Flatten(),
            Dense(720, 3, 2, 3),
        ),
    ),
    "pools": Architecture(
        (1, 8, 8),
        3,
        (
            *(SumPool((2, 2), (1, 1)), Square(), SumPool((1, 2), (1, 2))),
            Conv(1, 2, (2, 2), (1, 1), (0, 0, 0, 0), 3, 4),
            *(SumPool((2, 1), (1, 1)), Square(), SumPool((2, 2), (2, 1)), SumPool((2, 1), (1, 1))),
            *(Flatten(), Dense(2, 3, 3, 3), Square(), Dense(3, 3, 3, 3)),
        ),
    ),
    "two squares": Architecture(
        (1, 3, 3),
        3,
        (
            Conv(1, 2, (2, 2), (1, 1), (0, 0, 0, 0), 3, 3),
            *(Square(), Square(), Flatten()),
            Dense(8, 3, 3, 3),
            *(Square(), Square()),
            Dense(3, 3, 3, 3),
        ),
    ),
    "squares first": Architecture(
        (1, 4, 4),
        9,
        (
            *(Square(), Square()),
            Conv(1, 2, (2, 2), (2, 2), (0, 0, 0, 0), 3, 3),
            *(Square(), Flatten()),
            Dense(8, 2, 3, 3),
        ),
    ),
}


@dataclass
class Case:
    """A statement, its parts, and an assignment that satisfies it."""

    statement: Statement
    network: Network
    testset: TestSet
    honest: Assignment
    hashing: Hashing
    witness: FrVector

    def assign(self, **parts: Any) -> FrVector:
        """The witness of the honest assignment with some parts replaced."""
        respond = Hashing(self.hashing.n_challenges)
        return self.statement.assign(replace(self.honest, **parts), respond)

    def tampered(self, changes: dict[Any, Any], **parts: Any) -> FrVector:
        """The same with changed values for some committed wires."""
        return tampered(self.statement, replace(self.honest, **parts), changes)

    def inputs(self, **parts: Any) -> FrVector:
        """The public inputs that a verifier with these parts replaced computes."""
        honest = {
            "ciphertext": self.honest.ciphertext,
            "commitment": self.honest.commitment,
            "testset": self.testset,
            "threshold": self.honest.threshold,
            "context": CONTEXT,
        }
        return self.statement.public_inputs(**{**honest, **parts})


def random_network(architecture: Architecture, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    return Network(
        architecture, [rng.integers(s.low, s.high + 1, s.shape) for s in architecture.tensors()]
    )


def sparse_images(architecture: Architecture, n: int, seed: int) -> np.ndarray:
    """Images of which half the pixels are 0, and some pixels in every image."""
    rng = np.random.default_rng(seed)
    shape = architecture.input_shape
    images = rng.integers(0, 1 << architecture.input_bits, (n, *shape))
    images *= rng.random((n, *shape)) < 0.5
    images *= rng.random(shape) < 0.8
    return images


def make_case(
    architecture: Architecture,
    n: int,
    threshold: int = 1,
    wrong: tuple[int, ...] = (),
    network: Network | None = None,
    images: np.ndarray | None = None,
) -> Case:
    """`wrong` images get a label that is not the network's."""
    network = network or random_network(architecture, 5)
    images = sparse_images(architecture, n, 6) if images is None else images
    outputs = network.layer_outputs(images)
    labels = network.predict(images)
    is_correct = np.ones(n, bool)
    for j in wrong:
        labels[j] = (labels[j] + 1) % architecture.n_classes
        is_correct[j] = False
    testset = TestSet(images, labels)
    statement = build(architecture, testset)
    honest = Assignment(
        list(network.tensors),
        PREIMAGE,
        encrypt_blocks(seal.pack(network)),
        seal.commit(PREIMAGE),
        CONTEXT,
        threshold,
        choose_flags(is_correct, threshold),
        outputs,
    )
    hashing = Hashing(len(make_plan(architecture, n).challenges))
    return Case(statement, network, testset, honest, hashing, statement.assign(honest, hashing))


def continued(network: Network, outputs: list[np.ndarray], index: int) -> list[np.ndarray]:
    """All outputs, those after layer `index` computed from what `outputs` says of it."""
    result = list(outputs[: index + 1])
    tensors = iter(network.tensors)
    for i, layer in enumerate(network.architecture.layers):
        own = [next(tensors) for _ in layer.tensors("")]
        if i <= index:
            continue
        value = result[-1]
        if isinstance(layer, Square):
            result.append(value * value)
        elif isinstance(layer, SumPool):
            result.append(sum_windows(value, layer))
        elif isinstance(layer, Conv):
            weight, bias = (tensor.astype(value.dtype) for tensor in own)
            rows = group_rows(im2col(value, layer), layer)
            weights = weight.reshape(layer.groups, -1, layer.fan_in)
            parts = [r @ w.T for r, w in zip(rows, weights, strict=True)]
            channels, *positions = layer.output_shape(value.shape[1:])
            out = (np.concatenate(parts, axis=1) + bias).reshape(-1, *positions, channels)
            result.append(out.transpose(0, 3, 1, 2))
        elif isinstance(layer, Flatten):
            result.append(value.reshape(len(value), -1))
        else:
            weight, bias = own
            result.append(value @ weight.T.astype(value.dtype) + bias)
    return result


@cache
def cheated_case() -> Case:
    """Images 0 and 2 are flagged, image 1 carries a wrong label, image 3 is right, not flagged."""
    return make_case(SMALL, 4, threshold=2, wrong=(1,))


def gadgets(case: Case, witness: FrVector) -> set[str]:
    """Names of the gadgets that a witness violates."""
    return violated_gadgets(case.statement.r1cs, witness)
