"""What quantisation did to a network, on labelled samples: for a terminal, JSON, or a figure.

confusion[i, j] = samples of class i that the integer network calls j
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkcmp.model.bounds import bounds, check_no_wrap
from zkcmp.model.dataset import TestSet
from zkcmp.model.float_network import FloatNetwork
from zkcmp.model.network import Network


@dataclass(frozen=True)
class TensorWidth:
    """A sealed tensor, its declared width and how many integers it holds."""

    name: str
    bits: int
    size: int


@dataclass(frozen=True, eq=False)
class QuantisationReport:
    """What quantisation cost on one labelled set; accuracies are fractions of `n` samples.

    confusion: (n_classes, n_classes) counts, row the label, column the integer network's answer.
    """

    n: int
    float_right: int
    integer_right: int
    same: int
    confusion: NDArray[np.int64]
    tensors: tuple[TensorWidth, ...]
    bound_bits: int

    @property
    def float_accuracy(self) -> float:
        return self.float_right / self.n

    @property
    def integer_accuracy(self) -> float:
        return self.integer_right / self.n

    @property
    def agreement(self) -> float:
        """The share of samples that both networks give the same label."""
        return self.same / self.n

    @cached_property
    def sealed_bits(self) -> int:
        """Over all weights and biases."""
        return sum(tensor.bits * tensor.size for tensor in self.tensors)

    def __str__(self) -> str:
        widths = ", ".join(f"{tensor.name} {tensor.bits}" for tensor in self.tensors)
        return (
            f"on {self.n} samples: float {self.float_accuracy:.2%}, integer "
            f"{self.integer_accuracy:.2%}, same prediction {self.agreement:.2%} (bits: {widths})"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for json.dumps."""
        return {
            "samples": self.n,
            "float_right": self.float_right,
            "integer_right": self.integer_right,
            "same_prediction": self.same,
            "float_accuracy": self.float_accuracy,
            "integer_accuracy": self.integer_accuracy,
            "confusion": self.confusion.tolist(),
            "tensors": [vars(tensor) for tensor in self.tensors],
            "sealed_bits": self.sealed_bits,
            "largest_value_bits": self.bound_bits,
        }

    def confusions(self) -> Iterator[tuple[int, int, int]]:
        """(label, answer, count) of every mistake made, the most frequent first."""
        wrong = self.confusion - np.diag(np.diag(self.confusion))
        for flat in np.argsort(-wrong, axis=None, kind="stable"):
            label, answer = divmod(int(flat), len(wrong))
            if wrong[label, answer] == 0:
                return
            yield label, answer, int(wrong[label, answer])


def report(float_network: FloatNetwork, network: Network, samples: TestSet) -> QuantisationReport:
    """How the float network and the integer one made from it do on the samples.

    Raises VerificationError when a sample does not fit the network, or the network could wrap.
    """
    architecture = network.architecture
    samples.check(architecture)
    check_no_wrap(architecture)
    float_labels, labels = float_network.predict(samples.images), network.predict(samples.images)
    confusion = np.zeros((architecture.n_classes, architecture.n_classes), np.int64)
    np.add.at(confusion, (samples.labels, labels), 1)
    return QuantisationReport(
        len(samples),
        int((float_labels == samples.labels).sum()),
        int((labels == samples.labels).sum()),
        int((float_labels == labels).sum()),
        confusion,
        tuple(TensorWidth(spec.name, spec.bits, spec.size) for spec in architecture.tensors()),
        max(bounds(architecture)).bit_length(),
    )
