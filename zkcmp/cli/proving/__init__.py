"""Commands that need no deal: keys and proofs by themselves, what they cost, how fast they are."""
