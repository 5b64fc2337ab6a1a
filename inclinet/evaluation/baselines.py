"""Simple methods that a network has to beat: the axis ratio, and the mean of the labels."""

import logging

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from inclinet.errors import InclinetError

__all__ = ["axis_ratio_inclination", "baseline_predictions"]

logger = logging.getLogger(__name__)

Q0 = 0.2
"""Axial ratio of a disc seen edge-on, the value that the human standards rest on (Tully & Pierce 2000)."""


_AXIS_RATIOS = ("b_a", "Sba")


def axis_ratio_inclination(q: ArrayLike, q0: float = Q0) -> np.ndarray:
    """Return the inclination (deg) of an oblate disc from its axial ratio.

    cos² i = (q² - q0²) / (1 - q0²), Hubble (1926, ApJ 64, 321).

    Parameters
    ----------
    q : array_like
        Axial ratio b/a of the image; up to `q0` means 90 deg, from 1 on 0 deg, NaN stays NaN.
    q0 : float
        Axial ratio of the disc seen edge-on, in [0, 1).
    """
    if not 0 <= q0 < 1:
        raise ValueError(f"q0 must lie in [0, 1), not {q0}")
    squared = (np.clip(np.asarray(q, dtype=float), q0, 1) ** 2 - q0**2) / (1 - q0**2)
    # Rounding may leave a hair outside [0, 1].
    return np.degrees(np.arccos(np.sqrt(np.clip(squared, 0, 1))))


def baseline_predictions(
    table: pd.DataFrame, catalog: pd.DataFrame | None = None, train_mean: float | None = None
) -> dict[str, pd.Series]:
    """Return what simple methods predict for the images of `table`: what a network has to beat.

    Parameters
    ----------
    table : DataFrame
        Predictions, of which `pgc` and `inc_m` are used.
    catalog : DataFrame, optional
        Catalogue with `pgc` as column or index and axial ratios in `b_a` or `Sba`; cells that are no number
        in (0, 1] count as unmeasured (the catalogue writes 0.00 for these).
    train_mean : float, optional
        Mean inclination of the training labels (deg); without it that of the labels in `table`.

    Returns
    -------
    dict of str to Series
        Predicted inclinations (deg) on the index of `table`; for an axial ratio only the measured galaxies,
        and no entry where there is none.

    Raises
    ------
    InclinetError
        If `catalog` has no `pgc`.
    """
    mean = float(table["inc_m"].mean() if train_mean is None else train_mean)
    baselines = {"mean of the labels": pd.Series(mean, index=table.index)}
    for column in _AXIS_RATIOS:
        if catalog is None or column not in catalog:
            continue
        ratio = table["pgc"].map(_axis_ratios(catalog, column)).dropna()
        if ratio.empty:
            logger.info("No test galaxy has an axis ratio in column %s of the catalogue.", column)
            continue
        baselines[f"axis ratio ({column})"] = pd.Series(axis_ratio_inclination(ratio), index=ratio.index)
    return baselines


def _axis_ratios(catalog: pd.DataFrame, column: str) -> pd.Series:
    if "pgc" not in catalog and catalog.index.name != "pgc":
        raise InclinetError("The catalogue has no column pgc: its axis ratios belong to no galaxy.")
    pgc = catalog.get("pgc", catalog.index)
    ratios = pd.Series(
        pd.to_numeric(catalog[column], errors="coerce").to_numpy(dtype=float),
        index=np.asarray(pd.to_numeric(pgc, errors="coerce"), dtype=float),
    )
    measured = ratios[(ratios > 0) & (ratios <= 1) & ratios.index.notna()]
    return measured[~measured.index.duplicated()]
