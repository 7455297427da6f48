"""Small architectures and a slow, obvious evaluation of them in Python ints."""

import numpy as np
from hypothesis import strategies as st

from zkcmp.errors import ZkcmpError
from zkcmp.model.layers import MAX_TENSOR_BITS
from zkcmp.model.network import Architecture, Conv, Dense, Flatten, Network, Square, SumPool

TINY = Architecture(
    (2, 5, 4),
    4,
    (
        Conv(2, 3, (3, 2), (2, 1), (1, 0, 2, 1), 5, 9),
        Square(),
        Flatten(),
        Dense(36, 4, 6, 20),
        Square(),
        Dense(4, 3, 7, 30),
    ),
)
TWO_CONVS = Architecture(
    (1, 9, 9),
    6,
    (
        Conv(1, 2, (3, 3), (2, 2), (1, 1, 1, 1), 8, 12),
        Square(),
        Conv(2, 3, (2, 3), (1, 2), (1, 0, 0, 2), 8, 30),
        Square(),
        Flatten(),
        Dense(45, 4, 8, 40),
    ),
)
POOLED = Architecture(
    (2, 9, 8),
    4,
    (
        SumPool((2, 2), (1, 1)),
        Conv(2, 4, (2, 2), (1, 1), (1, 0, 0, 1), 7, 14, groups=2, dilation=(2, 3)),
        Square(),
        SumPool((2, 3), (2, 1)),
        Conv(4, 4, (2, 1), (1, 1), (1, 0, 0, 0), 8, 30, groups=4),
        Flatten(),
        Dense(36, 3, 8, 30),
    ),
)
CRYPTONETS = Architecture(
    (1, 28, 28),
    8,
    (
        Conv(1, 5, (5, 5), (2, 2), (1, 1, 1, 1), 8, 16),
        Square(),
        Flatten(),
        Dense(845, 100, 8, 40),
        Square(),
        Dense(100, 10, 8, 2),
    ),
)


def random_network(architecture: Architecture, seed: int) -> Network:
    """Weights uniform over their declared ranges."""
    rng = np.random.default_rng(seed)
    return Network(
        architecture,
        [rng.integers(s.low, s.high, s.shape, endpoint=True) for s in architecture.tensors()],
    )


def extreme_network(architecture: Architecture, seed: int) -> Network:
    """Every weight at one end of its range."""
    rng = np.random.default_rng(seed)
    return Network(
        architecture,
        [np.where(rng.random(s.shape) < 0.7, s.low, s.high) for s in architecture.tensors()],
    )


def random_images(architecture: Architecture, n: int, seed: int) -> np.ndarray:
    """Pixels uniform over the declared range."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 1 << architecture.input_bits, (n, *architecture.input_shape))


def naive_logits(network: Network, image: np.ndarray) -> list[int]:
    """One image by loops over Python ints."""
    value = np.array(image.tolist(), dtype=object)
    tensors = iter([np.array(t.tolist(), dtype=object) for t in network.tensors])
    for layer in network.architecture.layers:
        if isinstance(layer, Conv):
            value = _naive_conv(layer, value, next(tensors), next(tensors))
        elif isinstance(layer, Dense):
            weight, bias = next(tensors), next(tensors)
            rows = [sum(w * x for w, x in zip(row, value, strict=True)) for row in weight]
            value = np.array([r + b for r, b in zip(rows, bias, strict=True)], dtype=object)
        elif isinstance(layer, SumPool):
            value = _naive_sums(layer, value)
        elif isinstance(layer, Square):
            value = np.array([x * x for x in value.ravel()], dtype=object).reshape(value.shape)
        else:
            value = value.ravel()
    return [int(x) for x in value]


def _naive_conv(layer: Conv, x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    out = np.zeros(layer.output_shape(x.shape), dtype=object)
    top, left = layer.padding[:2]
    for o, i, j in np.ndindex(out.shape):
        total = bias[o]
        first = o // (layer.out_channels // layer.groups) * weight.shape[1]
        for c, a, b in np.ndindex(weight.shape[1:]):
            y = layer.stride[0] * i + layer.dilation[0] * a - top
            z = layer.stride[1] * j + layer.dilation[1] * b - left
            if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                total += weight[o, c, a, b] * x[first + c, y, z]
        out[o, i, j] = total
    return out


def _naive_sums(layer: SumPool, x: np.ndarray) -> np.ndarray:
    out = np.zeros(layer.output_shape(x.shape), dtype=object)
    for c, i, j in np.ndindex(out.shape):
        for a, b in np.ndindex(layer.kernel):
            out[c, i, j] += x[c, layer.stride[0] * i + a, layer.stride[1] * j + b]
    return out


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    """Random small architectures, narrow and wide, with and without convolutions."""
    bits = st.integers(1, 40) | st.integers(41, MAX_TENSOR_BITS)
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    layers: list = []
    current = shape
    for _ in range(draw(st.integers(0, 2))):
        kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
        stride = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
        dilation = tuple(1 if size == 1 else draw(st.integers(1, 2)) for size in kernel)
        limits = [d * (size - 1) for d, size in zip(dilation, kernel, strict=True)] * 2
        groups = draw(st.sampled_from([1, current[0]]))
        layer = Conv(
            current[0],
            groups * draw(st.integers(1, 3)),
            kernel,
            stride,
            tuple(draw(st.integers(0, limit)) for limit in limits),
            draw(bits),
            draw(bits),
            groups,
            dilation,
        )
        if draw(st.integers(0, 3)) == 0:
            layer = SumPool(kernel, stride)
        try:
            current = layer.output_shape(current)
        except ZkcmpError:
            continue
        layers.append(layer)
        if draw(st.booleans()):
            layers.append(Square())
    layers.append(Flatten())
    features = int(np.prod(current))
    for _ in range(draw(st.integers(0, 1))):
        width = draw(st.integers(1, 6))
        layers += [Dense(features, width, draw(bits), draw(bits)), Square()]
        features = width
    layers.append(Dense(features, draw(st.integers(2, 4)), draw(bits), draw(bits)))
    return Architecture(shape, draw(st.integers(1, 8)), tuple(layers))
