"""The three ways to fund a lock, one at a time; what was signed, paid, lost, and is kept for it."""
