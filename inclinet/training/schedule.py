"""What a step of training does, by its number alone: which stored batch, which learning rate."""

import math

import numpy as np

from inclinet.settings import Train

__all__ = ["batch_of_step", "learning_rate"]


def batch_of_step(step: int, nbatch: int, seed: int) -> int:
    """Return the stored batch of a step, both counted from 1; every pass has an order of its own."""
    turn, place = divmod(step - 1, nbatch)
    return int(np.random.default_rng([seed, 1, turn]).permutation(nbatch)[place]) + 1


def learning_rate(step: int, steps: int, settings: Train) -> float:
    """Return Adam's learning rate at a step: constant, or half a cosine over all steps."""
    if settings.schedule == "constant":
        return settings.learning_rate
    progress = min(step - 1, steps) / steps
    return settings.learning_rate * max(0.01, 0.5 * (1 + math.cos(math.pi * progress)))
