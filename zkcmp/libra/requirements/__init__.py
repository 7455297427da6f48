"""What the channel collected: products of hidden values, and linear equations in the commitment."""
