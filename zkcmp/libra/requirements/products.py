"""All products of hidden values at once: a_t·b_t = c_t for every triple required of the channel.

With A, B, C the extensions of the lists of forms, filled with zeros to 2^q, and τ random,

    Σ_t eq(τ, t)·(A(t)·B(t) − C(t)) = 0

is one sumcheck. At its end A(r), B(r), C(r) are sent in the clear: A(r) = Σ_t eq(r, t)·a_t and the
others are linear equations in the pads. Three triples of unused pads x, y, z,

    (x, 0, 0)    (0, y, 0)    (z, 1, z)

make the three values uniformly random and independent of everything else, unless eq(r, ·) is 0 at
one of them. Then the prover stops: a random challenge does that with probability 3q/r, but one that
a live verifier picks could ask for any a_t in the clear.
"""

from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.libra.conversation.channel import Channel
from zkcmp.libra.conversation.forms import Form, combine
from zkcmp.libra.multilinear.tables import eq_table, log_size
from zkcmp.libra.sumcheck.protocol import TableProver, sumcheck

N_MASKS = 3
ROUND, FINAL = b"products", b"products at a point"


def prove_products(channel: Channel) -> None:
    """Replace the products that the channel collected by linear equations."""
    zero, one = Form.public(0), Form.public(1)
    x, y, z = channel.pads(N_MASKS)
    triples = [*channel.products, (x, zero, zero), (zero, y, zero), (z, one, z)]
    channel.products = []
    n_vars = log_size(len(triples))
    tau = channel.challenges(ROUND, n_vars)
    prover = None
    if channel.is_prover:
        columns = [_table([triple[k].known for triple in triples], n_vars) for k in range(3)]
        prover = TableProver(columns, lambda v: v[0] * v[1] - v[2], 2, tau)
    point, claim = sumcheck(channel, ROUND, zero, n_vars, 2, prover, tau)
    basis = eq_table(point).to_ints()
    if prover is not None and not all(basis[len(triples) - N_MASKS : len(triples)]):
        raise ValueError("under these challenges the products would show a hidden value")
    values = channel.reveal(FINAL, None if prover is None else prover.finals, 3)
    channel.require_zero(claim - (values[0] * values[1] - values[2]))
    for k, value in enumerate(values):
        terms = [(basis[t], triple[k]) for t, triple in enumerate(triples)]
        channel.require_zero(combine(terms) - value)


def _table(values: list[int], n_vars: int) -> FrVector:
    return FrVector.from_ints(
        [v % FR_MODULUS for v in values] + [0] * ((1 << n_vars) - len(values))
    )
