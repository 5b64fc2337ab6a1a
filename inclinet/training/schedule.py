"""The stored batch and the learning rate of a step; both follow from the step's number and the settings."""

import math

import numpy as np

from inclinet.settings import Train

__all__ = ["batch_of_step", "learning_rate"]


def batch_of_step(step: int, nbatch: int, seed: int) -> int:
    """Return the number of the stored batch that a step trains on.

    Steps and batches count from 1. Each pass takes every batch once, in its own random order.
    """
    passes, place = divmod(step - 1, nbatch)
    return int(np.random.default_rng([seed, 1, passes]).permutation(nbatch)[place]) + 1


def learning_rate(step: int, steps: int, settings: Train) -> float:
    """Return Adam's learning rate at a step.

    It is constant, or falls along half a cosine over all `steps` (Loshchilov & Hutter 2017, without restarts). It never
    falls below a hundredth of its start.
    """
    if settings.schedule == "constant":
        return settings.learning_rate
    progress = min(step - 1, steps) / steps
    return settings.learning_rate * max(0.01, 0.5 * (1 + math.cos(math.pi * progress)))
