"""Sumchecks: the protocol of both sides, and provers that are fast on large tables."""
