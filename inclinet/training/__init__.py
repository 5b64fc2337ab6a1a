"""Training: one network, one stored batch at a time."""
