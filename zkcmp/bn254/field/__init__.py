"""Vectors and matrices over Fr: element-wise arithmetic, sparse products, transforms."""
