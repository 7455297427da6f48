"""One layer proved on its own: a claim on its public output, its input and weights committed."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from clear_scheme import run

from zkcmp.libra.conversation.claims import TensorClaim
from zkcmp.libra.conversation.forms import Form
from zkcmp.libra.layers.step import Step
from zkcmp.libra.multilinear.tensors import Tensor
from zkcmp.libra.relations.network import REDUCTIONS
from zkcmp.libra.requirements.opening import EqWeights
from zkcmp.model.layers import Conv, Dense, Square

NAME = "layer0"


@dataclass(frozen=True, eq=False)
class Case:
    """`inputs`, `outputs`: (n, …) integers; `weights`: weight and bias, or none."""

    layer: object
    inputs: np.ndarray
    outputs: np.ndarray
    weights: tuple[np.ndarray, ...] = ()
    reduction: object = None

    def attempt(self, is_public=False, used=None, tamper=None):
        """Prove; `used` is what the prover computes with instead of the committed input."""
        reduction = self.reduction or REDUCTIONS[type(self.layer)]
        outputs, known = Tensor.from_ints(self.outputs), Tensor.from_ints(self.inputs)
        values = known if used is None else Tensor.from_ints(used)

        def prove(channel, tensors):
            step = Step(
                NAME,
                len(self.inputs),
                self.inputs.shape[1:],
                self.outputs.shape[1:],
                is_public,
                known if is_public else None if tensors is None else values,
                tensors,
            )
            point = channel.challenges(b"output", outputs.n_vars)
            claim = TensorClaim(point, Form.public(outputs.evaluate(point)))
            claim = reduction(channel, self.layer, step, claim)
            if claim is None:
                assert is_public
            elif is_public:
                channel.require_zero(claim.form - known.evaluate(claim.point))
            else:
                channel.require_opening("input", EqWeights(claim.point), claim.form)

        names = (f"{NAME}.weight", f"{NAME}.bias")
        tensors = {"input": known.table()}
        for name, values_of in zip(names, self.weights, strict=False):
            shape = values_of.shape
            if isinstance(self.layer, Dense) and len(shape) == 2:
                values_of = values_of.reshape(shape[0], *self.inputs.shape[1:])
            tensors[name] = Tensor.from_ints(values_of).table()
        return run(prove, {k: len(t) for k, t in tensors.items()}, tensors, tamper=tamper)

    def with_output(self, index: int, change: int) -> "Case":
        outputs = self.outputs.copy()
        outputs.reshape(-1)[index] += change
        return replace(self, outputs=outputs)


def conv_case(layer: Conv, n: int, height: int, width: int, seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    x = rng.integers(-100, 100, (n, layer.in_channels, height, width))
    w = rng.integers(-8, 8, layer.weight_shape)
    b = rng.integers(-50, 50, layer.out_channels)
    return Case(layer, x, naive_conv(layer, x, w, b), (w, b))


def naive_conv(layer: Conv, x, w, b):
    out = np.zeros((len(x), *layer.output_shape(x.shape[1:])), np.int64)
    top, left = layer.padding[:2]
    for j, o, h, k in np.ndindex(out.shape):
        total = b[o]
        first = o // (layer.out_channels // layer.groups) * w.shape[1]
        for c, a, d in np.ndindex(w.shape[1:]):
            y = layer.stride[0] * h + layer.dilation[0] * a - top
            z = layer.stride[1] * k + layer.dilation[1] * d - left
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                total += w[o, c, a, d] * x[j, first + c, y, z]
        out[j, o, h, k] = total
    return out


def dense_case(n: int, in_shape: tuple[int, ...], n_out: int, seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    size = int(np.prod(in_shape))
    x = rng.integers(-(2**40), 2**40, (n, *in_shape))
    w, b = rng.integers(-8, 8, (n_out, size)), rng.integers(-50, 50, n_out)
    out = np.zeros((n, n_out), np.int64)
    for j, o in product(range(n), range(n_out)):
        out[j, o] = sum(int(w[o, i]) * int(x[j].reshape(-1)[i]) for i in range(size)) + b[o]
    return Case(Dense(size, n_out, 5, 8), x, out, (w, b))


def square_case(shape: tuple[int, ...], limit: int, seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    x = rng.integers(-limit, limit, shape)
    wide = x.astype(object)
    return Case(Square(), x, wide * wide)
