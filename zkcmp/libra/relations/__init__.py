"""The relations S1–S5, each reduced to requirements of the channel; layers/ has those of layers."""
