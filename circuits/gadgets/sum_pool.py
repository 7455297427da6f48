"""The sums of windows of every channel of images j = 0 … n − 1, one constraint an output.

1 · Σ_{a,b} x[j, c, sh·h + a, sw·w + b] = y[j, c, h, w]
"""

from circuits.gadgets.conv import first_inputs, taps
from circuits.second_round import grouped
from circuits.signals import Signals, private, widen
from zkcmp.linear_combination import IntArray
from zkcmp.model.layers import SumPool
from zkcmp.model.network import sum_windows
from zkcmp.r1cs_builder import ConstraintSystem


def window_inputs(layer: SumPool, input_shape: tuple[int, ...]) -> IntArray:
    """(n_outputs, fan_in) numbers of the inputs that each output sums."""
    conv = layer.as_conv(input_shape[0])
    first = first_inputs(conv, input_shape)[:, None, None]
    return (first + taps(conv, input_shape)[0]).reshape(-1, layer.fan_in)


def sum_pool(
    system: ConstraintSystem, gadget: str, layer: SumPool, x: Signals, bound: int
) -> Signals:
    """x (n, C, H, W) -> (n, C, H', W'); bound: what no sum exceeds."""
    input_shape = x.wires.shape[1:]
    values = None if x.values is None else sum_windows(widen(x.known, bound), layer)
    shape = (len(x.wires), *layer.output_shape(input_shape))
    out = private(system, f"{gadget} sums", shape, values)
    read = x.wires.reshape(len(x.wires), -1)[:, window_inputs(layer, input_shape)]
    windows = grouped(system, read.reshape(-1, layer.fan_in))
    system.enforce(gadget, windows, 1, system.wires(out.wires.reshape(-1)))
    return out
