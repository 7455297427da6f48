"""How pixels enter a float network whose file does not say so: range and normalisation.

x_0 = (pixel / divide_by − mean) / std,   pixels 0 … 2^input_bits − 1
"""

from collections.abc import Sequence
from dataclasses import replace

from zkcmp.errors import ZkcmpError
from zkcmp.model.architecture import Normalisation
from zkcmp.model.float_network import FloatNetwork


def with_pixels(
    float_network: FloatNetwork,
    input_bits: int | None = None,
    divide_by: int | None = None,
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
) -> FloatNetwork:
    """The network as it reads such pixels; what is not given stays as the file has it.

    mean, std: one number for all channels, or one for each. Where neither file nor caller says how
    wide pixels are, they are as wide as `divide_by`. Raises ZkcmpError for an integer network,
    whose input is fixed.
    """
    if input_bits is None and divide_by is None and not mean and not std:
        return float_network
    if float_network.integer is not None:
        raise ZkcmpError("the file holds an integer network, whose input is fixed: give no options")
    if input_bits is None:
        input_bits = float_network.input_bits or (divide_by.bit_length() if divide_by else None)
    normalisation = float_network.normalisation
    if divide_by is not None or mean or std:
        count = max(len(mean), len(std), 1)
        means, deviations = _repeated("mean", mean, 0.0, count), _repeated("std", std, 1.0, count)
        normalisation = Normalisation.standardising(means, deviations, divide_by or 1)
        normalisation.check(float_network.input_shape[0])
    return replace(float_network, input_bits=input_bits, normalisation=normalisation)


def _repeated(name: str, values: Sequence[float], default: float, count: int) -> list[float]:
    values = values or (default,)
    if len(values) not in (1, count):
        raise ZkcmpError(f"{name} has {len(values)} numbers and the other {count}; give as many")
    return list(values) * (count // len(values))
