"""A file for each kind of layer: a claim on its output becomes a claim on its input."""
