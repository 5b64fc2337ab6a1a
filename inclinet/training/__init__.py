"""Training: one network, one stored batch per step."""
