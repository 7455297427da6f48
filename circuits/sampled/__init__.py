"""Mode `sampled`: the paper's Sampling, which is not sound."""
