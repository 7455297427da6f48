"""Mode `full`: every product of the network is a constraint."""
