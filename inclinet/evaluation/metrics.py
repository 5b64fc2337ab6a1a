"""Metrics: how much predicted inclinations differ from human ones; ensembles of networks, bins of inclination.

Needs only a table of predictions, neither images nor Keras.
"""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from inclinet.data.columns import network_columns, parse_network_name
from inclinet.data.inclination import BIN_WIDTH, MIN_INCLINATION
from inclinet.errors import InclinetError

__all__ = ["bin_index", "bin_names", "compute_metrics", "ensemble_predictions"]

_EDGES = np.arange(MIN_INCLINATION, 91, BIN_WIDTH)
"""Edges of the inclination bins (deg)."""


def compute_metrics(prediction: ArrayLike, truth: ArrayLike) -> dict[str, Any]:
    """Compare predicted inclinations with true ones.

    Parameters
    ----------
    prediction, truth : array_like of shape (N,)
        Inclinations (deg), matched by position.

    Returns
    -------
    dict
        `n` images; `rms`, `mae`, `bias` (mean of prediction - truth), `p68` and `p95` (percentiles of the
        absolute error, linearly interpolated), all in deg; `slope` of prediction - truth against truth
        (least squares; None if all true values are equal); `above_10`, the share of absolute errors above 10 deg.

    Raises
    ------
    InclinetError
        If there is no image, or a value is not finite.
    ValueError
        If the shapes differ.
    """
    prediction, truth = np.asarray(prediction, dtype=float), np.asarray(truth, dtype=float)
    if prediction.shape != truth.shape or truth.ndim != 1:
        raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} must both have the shape (N,)")
    if not truth.size:
        raise InclinetError("There is no image to evaluate on.")
    error = prediction - truth
    if bad := np.flatnonzero(~np.isfinite(error)).tolist():
        raise InclinetError(
            f"{len(bad)} of {truth.size} inclinations are not finite (first at position {bad[0]}): "
            "predict these images again, or leave out the network that predicted them."
        )
    size = np.abs(error)
    p68, p95 = np.percentile(size, [68, 95])
    return {
        "n": int(truth.size),
        "rms": float(np.sqrt(np.mean(error**2))),
        "mae": float(size.mean()),
        "bias": float(error.mean()),
        "slope": _slope(truth, error),
        "p68": float(p68),
        "p95": float(p95),
        "above_10": float(np.mean(size > 10)),
    }


def ensemble_predictions(table: pd.DataFrame) -> pd.DataFrame:
    """Return the median and mean of all networks (deg), and of the networks of each model if there are several.

    A model with a single network has none of its own. The columns are named ``median of all``, ``mean of all``,
    ``median of model4`` and so on; the rows are those of `table`.
    """
    networks = network_columns(table)
    models: dict[str, list[str]] = {}
    for name in networks:
        models.setdefault(parse_network_name(name)[0], []).append(name)
    groups = {"all": networks}
    if len(models) > 1:
        groups |= {model: names for model, names in models.items() if len(names) > 1}
    columns = {}
    for group, names in groups.items():
        columns[f"median of {group}"] = table[names].median(axis=1, skipna=False)
        columns[f"mean of {group}"] = table[names].mean(axis=1, skipna=False)
    return pd.DataFrame(columns)


def bin_names() -> list[str]:
    """Return the names of the inclination bins (deg) in order: ``45–50`` to ``85–90``."""
    return [f"{low}\N{EN DASH}{high}" for low, high in pairwise(_EDGES)]


def bin_index(inclination: ArrayLike) -> np.ndarray:
    """Return the bin of every inclination (45 to 90 deg): its position in `bin_names`, int (N,).

    The bins are those of the published evaluation: [45, 50), [50, 55), … [85, 90]. The bins of the augmentation,
    `inclinet.data.inclination.inclination_bin`, include their upper edge instead.
    """
    bins = np.floor((np.asarray(inclination, dtype=float) - MIN_INCLINATION) / BIN_WIDTH).astype(int)
    return np.minimum(bins, len(_EDGES) - 2)


def _slope(truth: np.ndarray, error: np.ndarray) -> float | None:
    """Return the least-squares slope of the error against the truth, None if all true values are equal."""
    offset = truth - truth.mean()
    spread = float(offset @ offset)
    # Equal labels may still leave rounding noise in `spread`.
    return float(offset @ (error - error.mean())) / spread if np.ptp(truth) > 0 and spread > 0 else None
