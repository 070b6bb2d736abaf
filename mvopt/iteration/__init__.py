"""What every iterative method shares: the protocol, the loop over lanes, the implicit rule."""
