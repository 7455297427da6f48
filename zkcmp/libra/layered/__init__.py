"""Layered circuits with any wiring, by Libra's sumcheck: no part of a sale's statement."""
