"""What prover and verifier say: messages under one-time pads, forms of them, claims, challenges."""
