"""Ranges by lookup, in two rounds."""
