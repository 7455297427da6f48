"""The Libra backend: a graph of tensors, proved by sumchecks over one commitment.

prove, statement     commit, reduce, open; what is public and what is committed
relations, layers    S1–S5 as sumchecks; layers has one file for each kind of layer
requirements         all that was required of the channel, led to one opening
sumcheck             from a sum over the hypercube to one evaluation, and fast provers of it
conversation         what is sent under one-time pads, and what must hold of it
multilinear          tables, tensors, extensions, places in the committed vector
layered              circuits with any wiring, of which the statement has none
estimate             what a proof will cost
"""
