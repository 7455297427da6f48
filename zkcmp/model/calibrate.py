"""The fewest bits that keep a network's accuracy, found on labelled samples.

    right(integer network) ≥ right(float network) − ⌊max_drop · n⌋

A bit of a tensor costs a bit of ciphertext and of range proof for each of its weights, so the
largest tensors are narrowed first, while the others are generous:

    1. the least width b, the same for all, that passes
    2. every tensor at b + GENEROUS, or what still fits; then from the largest tensor to the
       smallest, each at the least width that passes
    3. the same with a scale for every channel; the network with fewer sealed bits wins

Every candidate has its static bounds proved (`check_no_wrap`) before it is tried, and is judged by
exact integer arithmetic. What was chosen on samples says little about them as a test set: report
the accuracy on others.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from zkcmp.errors import VerificationError, ZkcmpError
from zkcmp.model.bounds import check_no_wrap
from zkcmp.model.dataset import TestSet
from zkcmp.model.float_network import FloatConv, FloatDense, FloatNetwork
from zkcmp.model.network import Network
from zkcmp.model.quantize import MIN_WEIGHT_BITS, linear_count, quantize, quantize_weight
from zkcmp.progress import Progress, silent

WIDEST = 16
GENEROUS = 3
_CHUNK = 250
_DROP = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,30})?)(%?)")


@dataclass(frozen=True)
class Calibrated:
    """A network, the widths of its weight tensors, and how both networks did on the samples."""

    network: Network
    widths: tuple[int, ...]
    per_channel: bool
    n: int
    float_right: int
    integer_right: int

    @property
    def sealed_bits(self) -> int:
        """Over all weights and biases."""
        return sealed_bits(self.network)


def parse_drop(text: str) -> Fraction:
    """A drop in accuracy written as `0.2%` or `0.002`. Raises ZkcmpError unless below 1."""
    if not isinstance(text, str):
        raise ZkcmpError(f"a drop must be text, so that it is exact: '{text}'")
    match = _DROP.fullmatch(text.strip())
    if not match:
        raise ZkcmpError(f"drop {text!r} is not a share such as 0.2% or 0.002")
    drop = Fraction(match[1]) / (100 if match[2] else 1)
    if drop >= 1:
        hint = "" if match[2] else f"; for percent write {text.strip()}%"
        raise ZkcmpError(f"drop {text.strip()} is not below 1 (100%){hint}")
    return drop


def sealed_bits(network: Network) -> int:
    """Bits of all weights and biases, as declared."""
    return sum(spec.size * spec.bits for spec in network.architecture.tensors())


def choose_widths(
    float_network: FloatNetwork,
    samples: TestSet,
    max_drop: Fraction,
    per_channel: bool | None = None,
    progress: Progress = silent,
) -> Calibrated:
    """The integer network of fewest sealed bits that loses at most `max_drop` of the accuracy.

    per_channel: with, without, or (None) whichever is smaller.
    Raises VerificationError for samples that do not fit the network; ZkcmpError that names the
    layer which loses most, or could wrap the field, and what to try; for a file that holds an
    integer network nothing is chosen, and it comes back as it is.
    """
    samples.check(quantize(float_network, MIN_WEIGHT_BITS).architecture)
    search = _Search(float_network, samples, max_drop, progress)
    if float_network.integer is not None:
        return search.exact(float_network.integer)
    found: list[Calibrated] = []
    failures: list[ZkcmpError] = []
    for by_channel in (False, True) if per_channel is None else (per_channel,):
        try:
            found.append(search.run(by_channel))
        except ZkcmpError as error:
            failures.append(error)
    if not found:
        raise failures[0]
    return min(found, key=lambda calibrated: calibrated.sealed_bits)


class _Search:
    """Candidates, and which of them pass."""

    def __init__(
        self,
        float_network: FloatNetwork,
        samples: TestSet,
        max_drop: Fraction,
        progress: Progress,
    ):
        self.float_network, self.samples, self.max_drop = float_network, samples, max_drop
        self.progress = progress
        self.float_right = _right(float_network, samples)
        self.needed = self.float_right - int(max_drop * len(samples))
        self.tried, self.most = 0, 2 * (WIDEST + GENEROUS) * (1 + linear_count(float_network))

    def run(self, per_channel: bool) -> Calibrated:
        """Steps 1 and 2."""
        n_linear = linear_count(self.float_network)
        uniform = self._uniform(n_linear, per_channel)
        sizes = [layer.weight.size for layer in _linear_layers(self.float_network)]
        widths = self._generous(uniform, n_linear, per_channel)
        for index in sorted(range(n_linear), key=lambda index: (-sizes[index], index)):
            for bits in range(MIN_WEIGHT_BITS, widths[index]):
                candidate = [*widths[:index], bits, *widths[index + 1 :]]
                if self._passes(candidate, per_channel):
                    widths = candidate
                    break
        network = self._candidate(widths, per_channel)
        return Calibrated(
            network,
            tuple(widths),
            per_channel,
            len(self.samples),
            self.float_right,
            _right(network, self.samples),
        )

    def exact(self, network: Network) -> Calibrated:
        """A network that is quantised already, as it is."""
        check_no_wrap(network.architecture)
        widths = tuple(spec.bits for spec in network.architecture.tensors()[::2])
        right = _right(network, self.samples)
        n = len(self.samples)
        return Calibrated(network, widths, False, n, right, right)

    def _uniform(self, n_linear: int, per_channel: bool) -> int:
        """The least width for all that passes. Raises ZkcmpError when none does."""
        best_bits, best_right = 0, -1
        for bits in range(MIN_WEIGHT_BITS, WIDEST + 1):
            try:
                network = self._candidate([bits] * n_linear, per_channel)
            except ZkcmpError as error:
                if not best_bits:
                    raise
                why = str(error)
                if isinstance(error, VerificationError):
                    why = f"{error.where} could need {error.got} of the field's 253"
                raise self._failure(best_bits, best_right, f"with {bits} bits {why}") from None
            right = self._right_enough(network)
            if right >= self.needed:
                return bits
            right = _right(network, self.samples)
            if right > best_right:
                best_bits, best_right = bits, right
        raise self._failure(best_bits, best_right, "")

    def _generous(self, uniform: int, n_linear: int, per_channel: bool) -> list[int]:
        """Widths somewhat above `uniform` that pass, `uniform` itself at the least."""
        for bits in range(min(uniform + GENEROUS, WIDEST), uniform, -1):
            if self._passes([bits] * n_linear, per_channel):
                return [bits] * n_linear
        return [uniform] * n_linear

    def _candidate(self, widths: Sequence[int], per_channel: bool) -> Network:
        network = quantize(self.float_network, widths, per_channel=per_channel)
        check_no_wrap(network.architecture)
        return network

    def _passes(self, widths: Sequence[int], per_channel: bool) -> bool:
        try:
            network = self._candidate(widths, per_channel)
        except ZkcmpError:  # too wide for the field or for a tensor
            return False
        return self._right_enough(network) >= self.needed

    def _right_enough(self, network: Network) -> int:
        """How many samples are right; counting ends once too many are wrong."""
        self.tried += 1
        self.progress("trying widths", self.tried, self.most)
        allowed, wrong = len(self.samples) - self.needed, 0
        for start in range(0, len(self.samples), _CHUNK):
            part = self.samples.take(slice(start, start + _CHUNK))
            wrong += len(part) - _right(network, part)
            if wrong > allowed:
                break
        return len(self.samples) - wrong

    def _failure(self, bits: int, right: int, wrapped: str) -> ZkcmpError:
        n = len(self.samples)
        lost = Fraction(self.float_right - right, n)
        layer = self._most_sensitive(bits)
        beyond = f"; wider does not fit, {wrapped}" if wrapped else ""
        return ZkcmpError(
            f"no widths lose at most {float(self.max_drop):.2%} of the float accuracy "
            f"{self.float_right / n:.2%} on {n} samples: {bits} bits lose {float(lost):.2%}, most "
            f"of it in {layer}{beyond}; allow a larger --max-drop, or train that layer for few "
            "bits (docs/quantisation.md)"
        )

    def _most_sensitive(self, bits: int) -> str:
        """The layer whose rounding alone costs the float network most."""
        layers = list(self.float_network.layers)
        right: dict[str, int] = {}
        for index, layer in enumerate(layers):
            if not isinstance(layer, FloatConv | FloatDense):
                continue
            scale, integers = quantize_weight(layer.weight, bits)
            rounded = _with_weight(layer, integers / scale)
            changed = (*layers[:index], rounded, *layers[index + 1 :])
            network = FloatNetwork(
                self.float_network.input_shape,
                changed,
                self.float_network.input_bits,
                self.float_network.normalisation,
            )
            kind = "conv" if isinstance(layer, FloatConv) else "dense"
            right[f"{kind}{index}"] = _right(network, self.samples)
        return min(right, key=lambda name: right[name])


def _with_weight(layer: FloatConv | FloatDense, weight: np.ndarray) -> FloatConv | FloatDense:
    if isinstance(layer, FloatDense):
        return FloatDense(weight, layer.bias)
    shape = layer.stride, layer.padding, layer.groups, layer.dilation
    return FloatConv(weight, layer.bias, *shape)


def _linear_layers(float_network: FloatNetwork) -> list[FloatConv | FloatDense]:
    return [x for x in float_network.layers if isinstance(x, FloatConv | FloatDense)]


def _right(network: Network | FloatNetwork, samples: TestSet) -> int:
    return int((network.predict(samples.images) == samples.labels).sum())
