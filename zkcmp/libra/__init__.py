"""The Libra backend: a graph of tensors, proved by sumchecks over one commitment."""
