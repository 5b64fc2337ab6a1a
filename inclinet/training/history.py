"""The history of a training run: the metrics of every step."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from inclinet.data.filenames import batch_file
from inclinet.training.plan import Plan

__all__ = ["COLUMNS", "METRICS", "MONITORS", "best_step", "extend_history", "metrics_of_step", "new_history"]

METRICS = ("loss", "mse", "mae")
"""What is computed on a batch, in the network's units (22.5 deg): the loss, and the mean squared and absolute error."""

MONITORS = ("val", "left")
"""What a network is measured on after each step: the test set, which decides nothing, and the left-out galaxies."""

COLUMNS = (*METRICS, *(f"{monitor}_{metric}" for monitor in MONITORS for metric in METRICS))
"""The columns of a history, an ndarray of float64 of shape (steps, columns); NaN where a metric is unknown."""

_DECIDING = COLUMNS.index("left_mse")


def new_history() -> np.ndarray:
    """Return the history of a run before its first step."""
    return np.empty((0, len(COLUMNS)))


def extend_history(history: np.ndarray, metrics: Mapping[str, float]) -> np.ndarray:
    """Return a copy of a history with the metrics of one more step."""
    return np.vstack([history, [metrics.get(name, math.nan) for name in COLUMNS]])


def best_step(history: np.ndarray) -> int | None:
    """Return the step with the smallest squared error on the left-out galaxies, None if that is unknown."""
    errors = history[:, _DECIDING]
    return None if np.isnan(errors).all() else int(np.nanargmin(errors)) + 1


def metrics_of_step(history: np.ndarray, step: int, plan: Plan) -> dict[str, Any]:
    """Return the entry of a step in the metrics JSON: its metrics, `batchNo` and `batchFile`.

    A metric that is unknown or not finite is None.
    """
    row = zip(COLUMNS, history[step - 1].tolist(), strict=True)
    metrics = {name: value if math.isfinite(value) else None for name, value in row}
    number = plan.batch_of(step)
    return metrics | {"batchNo": number, "batchFile": batch_file(plan.size, number)}
