"""Commitments to vectors of field elements, and zero-knowledge proofs of linear claims on them."""
