"""Which element made an audit fail: the equations again, one by one, then bisected.

Order matters: each equation supposes those before it. An element that enters many (α, γ, twins that
were changed together) is blamed when every entry made from it fails and all the others pass.
"""

from collections.abc import Callable

import numpy as np

from zkcmp.bn254.field.ntt import bit_reversed
from zkcmp.groth16.audit.equations import Equations
from zkcmp.groth16.audit.error import AuditError
from zkcmp.progress import Progress

_SAMPLES = 7


def name_the_culprit(equations: Equations, progress: Progress) -> AuditError:
    """The error of a key for which some equation failed."""
    searches: tuple[Callable[[Equations], AuditError | None], ...] = (
        _twins,
        _powers,
        _a_query,
        _b_g1_query,
        _b_g2_query,
        _l_query,
        _h_query,
    )
    for k, search in enumerate(searches):
        progress("audit: finding the wrong element", k, len(searches))
        error = search(equations)
        if error is not None:
            return error
    return AuditError("file", None, "all equations to hold", "a failure that did not repeat")


def first_failure(holds: Callable[[int, int], bool], start: int, stop: int) -> int:
    """A position that fails by itself, given that [start, stop) fails."""
    while stop - start > 1:
        middle = (start + stop) // 2
        if holds(start, middle):
            start = middle
        else:
            stop = middle
    return start


def _twins(equations: Equations) -> AuditError | None:
    if not equations.twins_hold("beta"):
        return AuditError("beta_g1, beta_g2", None, "one beta in both groups", "two")
    if not equations.twins_hold("delta"):
        return AuditError("delta_g1, delta_g2", None, "one delta in both groups", "two")
    if not equations.twins_hold("delta0"):
        return AuditError("delta0_g1, delta0_g2", None, "one delta_0 in both groups", "two")
    return None


def _powers(equations: Equations) -> AuditError | None:
    n = equations.n
    if equations.powers_hold():
        return None
    i = first_failure(equations.powers_hold, 0, n)
    # a wrong [tau]_2 disagrees with every power, a wrong power with its two neighbours
    sample = {int(k) for k in np.linspace(0, n - 1, _SAMPLES)}
    if not any(equations.powers_hold(k, k + 1) for k in sample):
        return AuditError("tau_g2", None, "tau as in tau_g1", "another")
    return AuditError("tau_g1", i + 1, f"tau times element {i}", "another point")


def _at(wires: np.ndarray, wire: int) -> int | None:
    """The position of a wire in a query."""
    position = int(np.searchsorted(wires, wire))
    return position if position < len(wires) and wires[position] == wire else None


def _first_wire(equations: Equations, holds: Callable[..., bool]) -> int | None:
    n = equations.r1cs.n_wires
    if holds(equations.weights(0, n)):
        return None
    return first_failure(lambda i, j: holds(equations.weights(i, j)), 0, n)


def _a_query(equations: Equations) -> AuditError | None:
    return _column_query(equations, "a_query", equations.key.a_wires, equations.a_holds)


def _b_g1_query(equations: Equations) -> AuditError | None:
    return _column_query(equations, "b_g1_query", equations.key.b_wires, equations.b_g1_holds)


def _b_g2_query(equations: Equations) -> AuditError | None:
    return _column_query(equations, "b_g2_query", equations.key.b_wires, equations.b_g2_holds)


def _column_query(
    equations: Equations, name: str, wires: np.ndarray, holds: Callable[..., bool]
) -> AuditError | None:
    wire = _first_wire(equations, holds)
    if wire is None:
        return None
    matrix = name[0].upper()
    return AuditError(name, _at(wires, wire), f"{matrix}_{wire}(tau)", "another")


def _l_query(equations: Equations) -> AuditError | None:
    wire = _first_wire(equations, equations.l_holds)
    if wire is None:
        return None
    shared = _shared_culprit(equations)
    if shared is not None:
        return AuditError(shared, None, "the value that all entries were made with", "another")
    expected = f"(beta A + alpha B + C)_{wire}(tau)"
    if wire < equations.first_private:
        return AuditError("gamma_abc_g1", wire, f"{expected} / gamma", "another")
    if wire < equations.key.shape.first_other:
        position = _at(equations.key.commitment_wires, wire)
        return AuditError("commitment_query", position, f"{expected} / delta_0", "another")
    position = _at(equations.key.l_wires, wire)
    return AuditError("l_query", position, f"{expected} / delta", "another")


def _shared_culprit(equations: Equations) -> str | None:
    """What all wrong entries of l_query, commitment_query and gamma_abc_g1 have in common."""
    key, r1cs = equations.key, equations.r1cs
    public = np.arange(r1cs.n_public + 1)
    for name, wires in (
        ("gamma_g2", public),
        ("delta_g1, delta_g2", key.l_wires),
        ("delta0_g1, delta0_g2", key.commitment_wires),
        ("alpha_g1", key.b_wires),
        ("beta_g1, beta_g2", key.a_wires),
    ):
        mask = np.zeros(r1cs.n_wires, bool)
        mask[wires] = True
        if len(wires) < 2 or not equations.l_holds(equations.masked_weights(~mask)):
            continue
        sample = wires[np.linspace(0, len(wires) - 1, _SAMPLES).astype(int)]
        if not any(equations.l_holds(equations.weights(int(w), int(w) + 1)) for w in sample):
            return name
    return None


def _h_query(equations: Equations) -> AuditError | None:
    if equations.quotients_hold():
        return None
    if not equations.first_quotient_holds():
        return AuditError("h_query", 0, "Z(tau) / delta", "another")
    i = first_failure(equations.quotients_hold, 0, equations.n - 2) + 1
    position = int(bit_reversed(equations.n)[i])
    return AuditError("h_query", position, f"tau^{i} Z(tau) / delta", "another")
