"""The stored batch and the learning rate of a step; both follow from the step's number and the settings."""

import math

import numpy as np

from inclinet.settings import Train

__all__ = ["batch_of_step", "learning_rates"]


def batch_of_step(step: int, nbatch: int, seed: int) -> int:
    """Return the number of the stored batch that a step trains on.

    Steps and batches count from 1. Each pass takes every batch once, in its own random order.
    """
    passes, place = divmod(step - 1, nbatch)
    return int(np.random.default_rng([seed, 1, passes]).permutation(nbatch)[place]) + 1


def _rate_of_step(step: int, steps: int, settings: Train) -> float:
    """Return the learning rate at a step of a run without warm-up.

    It is constant, or falls along half a cosine over all `steps` (Loshchilov & Hutter 2017, without restarts). It never
    falls below a hundredth of its start.
    """
    return _falling(min(step - 1, steps) / steps, settings)


def learning_rates(step: int, steps: int, minibatches: int, settings: Train) -> np.ndarray:
    """Return the learning rate of each mini-batch of a step, float64 (minibatches,).

    With a warm-up it rises linearly over the first `warm_up` steps (of a falling schedule at most half of all),
    mini-batch by mini-batch, and then follows the schedule (Goyal et al. 2017, arXiv:1706.02677). Without one it is the
    same throughout the step.
    """
    if not settings.warm_up:
        return np.full(minibatches, _rate_of_step(step, steps, settings))
    place = step - 1 + (np.arange(minibatches) + 1) / minibatches
    end: float = settings.warm_up
    if settings.schedule != "constant":
        end = min(end, steps / 2)
    return np.array(
        [
            settings.learning_rate * p / end if p < end else _falling((p - end) / (steps - end), settings)
            for p in place.tolist()
        ]
    )


def _falling(progress: float, settings: Train) -> float:
    if settings.schedule == "constant":
        return settings.learning_rate
    return settings.learning_rate * max(0.01, 0.5 * (1 + math.cos(math.pi * progress)))
