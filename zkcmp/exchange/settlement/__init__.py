"""Coins in and out of a party's wallet: sending, watching and withdrawing."""
