"""Baselines, simple methods that a network has to beat: the axis ratio, and the mean of the labels."""

import logging

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from inclinet.errors import InclinetError

__all__ = ["axis_ratio_inclination", "baseline_predictions"]

logger = logging.getLogger(__name__)

Q0 = 0.2
"""Axial ratio of a disc seen edge-on, as used for the standards of the human inclinations (Tully & Pierce 2000)."""

_AXIS_RATIO_COLUMNS = ("b_a", "Sba")


def axis_ratio_inclination(q: ArrayLike, q0: float = Q0) -> np.ndarray:
    """Return the inclination (deg) of an oblate disc from its axial ratio.

    cos² i = (q² - q0²) / (1 - q0²), Hubble (1926, ApJ 64, 321).

    Parameters
    ----------
    q : array_like
        Axial ratio b/a of the image. `q0` and below give 90 deg, 1 and above 0 deg, NaN gives NaN.
    q0 : float
        Axial ratio of the disc seen edge-on, in [0, 1).

    Raises
    ------
    ValueError
        If `q0` lies outside [0, 1).
    """
    if not 0 <= q0 < 1:
        raise ValueError(f"q0 must lie in [0, 1), not {q0}")
    squared = (np.clip(np.asarray(q, dtype=float), q0, 1) ** 2 - q0**2) / (1 - q0**2)
    # Rounding may leave a value just outside [0, 1].
    return np.degrees(np.arccos(np.sqrt(np.clip(squared, 0, 1))))


def baseline_predictions(
    table: pd.DataFrame, catalog: pd.DataFrame | None = None, train_mean: float | None = None
) -> dict[str, pd.Series]:
    """Return what simple methods predict for the images of `table`.

    Parameters
    ----------
    table : DataFrame
        Table of predictions; only `pgc` and `inc_m` are used.
    catalog : DataFrame, optional
        Catalogue with `pgc` as column or index, and axial ratios in `b_a` or `Sba`. Anything but a number in (0, 1]
        counts as not measured (catalogues write 0.00 for that).
    train_mean : float, optional
        Mean inclination of the training labels (deg); by default that of the labels in `table`.

    Returns
    -------
    dict of str to Series
        Predicted inclinations (deg) on the index of `table`. An axial ratio has an entry only if it was measured for a
        test galaxy, and rows only for the galaxies with a measurement.

    Raises
    ------
    InclinetError
        If `catalog` has no `pgc`.
    """
    mean = float(table["inc_m"].mean() if train_mean is None else train_mean)
    baselines = {"mean of the labels": pd.Series(mean, index=table.index)}
    for column in _AXIS_RATIO_COLUMNS:
        if catalog is None or column not in catalog:
            continue
        ratio = table["pgc"].map(_axis_ratios(catalog, column)).dropna()
        if ratio.empty:
            logger.info("No test galaxy has an axis ratio in column %s of the catalogue.", column)
            continue
        baselines[f"axis ratio ({column})"] = pd.Series(axis_ratio_inclination(ratio), index=ratio.index)
    return baselines


def _axis_ratios(catalog: pd.DataFrame, column: str) -> pd.Series:
    """Return the measured axial ratios by PGC number; the first one where a galaxy has several."""
    if "pgc" not in catalog and catalog.index.name != "pgc":
        raise InclinetError("The catalogue has no column pgc, so its axis ratios cannot be matched to galaxies.")
    pgcs = catalog["pgc"] if "pgc" in catalog else catalog.index.to_series()
    table = pd.DataFrame(
        {
            "pgc": pd.to_numeric(pgcs, errors="coerce").to_numpy(dtype=float),
            "ratio": pd.to_numeric(catalog[column], errors="coerce").to_numpy(dtype=float),
        }
    ).dropna()
    measured = table[(table["ratio"] > 0) & (table["ratio"] <= 1)].drop_duplicates("pgc")
    return measured.set_index("pgc")["ratio"]
