"""Circuits: the statement as rank-one constraints, in three modes: full/, freivalds/, sampled/."""
