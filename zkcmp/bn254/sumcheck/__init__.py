"""Kernels of sumcheck provers: the rounds over tables, the cipher and fractions."""
