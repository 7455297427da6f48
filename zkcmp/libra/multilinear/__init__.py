"""Tables on the hypercube, their extensions, and where tensors lie in the committed vector."""
