"""The lane type: eight field elements, or one, in registers, and how kernels are compiled."""
