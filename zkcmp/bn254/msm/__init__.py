"""Multi-scalar products: buckets, many rows over the same points, multiples of one generator."""
