"""The activation x · x, one constraint an element."""

from circuits.signals import Signals, private, widen
from zkcmp.r1cs_builder import ConstraintSystem


def square(system: ConstraintSystem, gadget: str, x: Signals, bound: int) -> Signals:
    """Element by element; bound: what no square exceeds."""
    values = None
    if x.values is not None:
        wide = widen(x.known, bound)
        values = wide * wide
    out = private(system, f"{gadget} squares", x.wires.shape, values)
    base = system.wires(x.wires)
    system.enforce(gadget, base, base, system.wires(out.wires))
    return out
