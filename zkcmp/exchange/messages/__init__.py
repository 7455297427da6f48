"""What the parties send each other: canonical bytes, signed, in envelopes, some encrypted."""
