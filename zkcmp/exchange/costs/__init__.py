"""What a statement costs, before anything of it is built."""
