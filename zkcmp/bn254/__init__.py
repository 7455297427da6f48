"""The engine: BN254 on all lanes of the processor, compiled from Python by numba.

params, reference    the curve, and plain-Python twins of the kernels: the oracle of their tests
lanes/               the lane type of both bodies, and how kernels are compiled
field/               vectors and matrices over Fr, sparse products, number-theoretic transforms
curve/               points of G1 and G2: group law, arrays, bytes, membership of the subgroup
msm/                 multi-scalar products, multiples of one point and of many
pairing/             the optimal ate pairing
sumcheck/            rounds of sumcheck provers
threads, aligned     a pool of threads, arrays on whole cache lines
"""
