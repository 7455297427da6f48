"""Training of polynomial networks (conv, square, dense) in plain numpy, seeded and repeatable.

Adam on softmax cross-entropy. Square activations make logits of degree 2^squares, so steps
are clipped in norm and the rate is annealed by a cosine. `weight_bits` trains a layer under the
width it will be sealed with: the forward pass uses the rounded weights, the gradient passes
straight through (Bengio et al. 2013), and `float_layers` returns exactly the rounded weights.
"""

from dataclasses import dataclass, field

import numpy as np

from zkcmp.model.float_network import FloatConv, FloatDense, FloatLayer
from zkcmp.model.layers import Flatten, Square
from zkcmp.model.network import im2col
from zkcmp.model.quantize import quantize_weight
from zkcmp.model.report import QuantisationReport

LARGEST_DROP = 0.002


@dataclass
class Linear:
    """A conv (with stride and padding) or dense layer under training."""

    weight: np.ndarray
    bias: np.ndarray | None
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    weight_bits: int | None = None
    cache: tuple = field(default=(), repr=False)

    @property
    def is_conv(self) -> bool:
        return self.weight.ndim == 4

    def used_weight(self) -> np.ndarray:
        """The weight the forward pass uses: rounded when a width is set."""
        if self.weight_bits is None:
            return self.weight
        scale, integers = quantize_weight(self.weight.astype(np.float64), self.weight_bits)
        return (integers / scale).astype(np.float32)

    def float_layer(self) -> FloatLayer:
        weight = self.used_weight().astype(np.float64)
        zeros = np.zeros(len(weight))
        bias = zeros if self.bias is None else self.bias.astype(np.float64)
        if self.is_conv:
            return FloatConv(weight, bias, self.stride, self.padding)
        return FloatDense(weight, bias)

    def forward(self, x: np.ndarray) -> np.ndarray:
        weight = self.used_weight()
        rows = weight.reshape(len(weight), -1)
        if self.is_conv:
            x = im2col(x, self.float_layer().integer_layer(8, 8))
        self.cache = (x, rows)
        out = x @ rows.T
        if self.bias is not None:
            out += self.bias
        return out.transpose(0, 3, 1, 2) if self.is_conv else out

    def backward(self, gradient: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Gradient to the input (dense only: a conv is the first layer here) and parameters."""
        x, rows = self.cache
        if self.is_conv:
            gradient = gradient.transpose(0, 2, 3, 1)
        flat = gradient.reshape(-1, len(rows))
        grads = [(flat.T @ x.reshape(-1, rows.shape[1])).reshape(self.weight.shape)]
        if self.bias is not None:
            grads.append(flat.sum(axis=0))
        return (gradient if self.is_conv else gradient @ rows), grads

    def parameters(self) -> list[np.ndarray]:
        return [self.weight] if self.bias is None else [self.weight, self.bias]


Stage = Linear | Square | Flatten


class Model:
    """A chain of stages; forward and backward keep what they need in between."""

    def __init__(self, stages: list[Stage]):
        self.stages = stages
        self.inputs: list[np.ndarray] = []

    def forward(self, x: np.ndarray) -> np.ndarray:
        self.inputs = []
        for stage in self.stages:
            self.inputs.append(x)
            if isinstance(stage, Linear):
                x = stage.forward(x)
            else:
                x = x * x if isinstance(stage, Square) else x.reshape(len(x), -1)
        return x

    def backward(self, gradient: np.ndarray) -> list[np.ndarray]:
        grads: list[np.ndarray] = []
        for stage, x in zip(reversed(self.stages), reversed(self.inputs), strict=True):
            if isinstance(stage, Linear):
                gradient, own = stage.backward(gradient)
                grads = own + grads
            else:
                square = isinstance(stage, Square)
                gradient = gradient * (2 * x) if square else gradient.reshape(x.shape)
        return grads

    def parameters(self) -> list[np.ndarray]:
        return [p for s in self.stages if isinstance(s, Linear) for p in s.parameters()]

    def accuracy(self, x: np.ndarray, labels: np.ndarray) -> float:
        parts = range(0, len(x), 1000)
        predicted = [self.forward(x[i : i + 1000]).argmax(axis=1) for i in parts]
        return float(np.mean(np.concatenate(predicted) == labels))

    def float_layers(self) -> tuple[FloatLayer, ...]:
        return tuple(s.float_layer() if isinstance(s, Linear) else s for s in self.stages)


def dense(
    rng: np.random.Generator, n_in: int, n_out: int, gain: float, bias: bool = True
) -> Linear:
    """A dense layer, weights normal with deviation gain/√n_in."""
    weight = rng.normal(0, gain / np.sqrt(n_in), (n_out, n_in)).astype(np.float32)
    return Linear(weight, np.zeros(n_out, np.float32) if bias else None)


def conv(
    rng: np.random.Generator,
    channels: tuple[int, int],
    kernel: int,
    stride: int,
    padding: tuple[int, int, int, int],
    gain: float,
) -> Linear:
    """A square-kernel convolution from channels[0] to channels[1] maps, with bias."""
    deviation = gain / np.sqrt(channels[0] * kernel * kernel)
    weight = rng.normal(0, deviation, (channels[1], channels[0], kernel, kernel))
    bias = np.zeros(channels[1], np.float32)
    return Linear(weight.astype(np.float32), bias, (stride, stride), padding)


def shifted(rng: np.random.Generator, images: np.ndarray, reach: int) -> np.ndarray:
    """Every image moved by up to `reach` pixels each way, filled with 0."""
    height, width = images.shape[2:]
    padded = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    out = np.empty_like(images)
    moves = rng.integers(0, 2 * reach + 1, (len(images), 2))
    for dy in range(2 * reach + 1):
        for dx in range(2 * reach + 1):
            chosen = (moves[:, 0] == dy) & (moves[:, 1] == dx)
            out[chosen] = padded[chosen, :, dy : dy + height, dx : dx + width]
    return out


def softmax_gradient(logits: np.ndarray, labels: np.ndarray, smoothing: float) -> np.ndarray:
    """Gradient of the mean cross-entropy against labels smoothed by `smoothing`."""
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    p -= smoothing / p.shape[1]
    p[np.arange(len(p)), labels] -= 1 - smoothing
    return p / len(p)


def check_accuracy(result: QuantisationReport, least: float) -> None:
    """Exit with a reason when the float accuracy is below `least`, or quantising lost too much."""
    if result.float_accuracy < least:
        raise SystemExit(f"the float accuracy is below {least:.1%}; train longer, or another seed")
    if result.float_accuracy - result.integer_accuracy > LARGEST_DROP:
        raise SystemExit(f"quantising lost more than {LARGEST_DROP:.1%}; give more bits")


def train(
    model: Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    rng: np.random.Generator,
    epochs: int,
    batch: int,
    rate: float,
    weight_decay: float,
    shift: int = 0,
    smoothing: float = 0.05,
    report=None,
) -> None:
    """Adam with decoupled weight decay, a cosine rate and gradients clipped to norm 1."""
    params = model.parameters()
    first = [np.zeros_like(p) for p in params]
    second = [np.zeros_like(p) for p in params]
    total, step = epochs * (len(images) // batch), 0
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - batch + 1, batch):
            chosen = order[start : start + batch]
            x = shifted(rng, images[chosen], shift) if shift else images[chosen]
            logits = model.forward(x)
            grads = model.backward(softmax_gradient(logits, labels[chosen], smoothing))
            norm = float(np.sqrt(sum(float(np.sum(g * g)) for g in grads)))
            step += 1
            now = rate * min(1.0, step / 200) * 0.5 * (1 + np.cos(np.pi * step / total))
            for p, g, m, v in zip(params, grads, first, second, strict=True):
                g = g * min(1.0, 1.0 / (norm + 1e-12))
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                p -= now * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
                if p.ndim > 1:
                    p *= 1 - now * weight_decay
        if report is not None:
            report(epoch + 1)
