"""How good the networks are: figures of merit of predicted inclinations against human ones.

Works on a table of predictions alone (`inclinet.inference` makes one), so it needs neither images nor Keras.
"""

import logging
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from inclinet.batches import BIN_WIDTH
from inclinet.bootstrap import confidence_intervals
from inclinet.calibration import Calibration, coverage
from inclinet.errors import InclinetError
from inclinet.naming import FILTERS
from inclinet.predictions import (
    INVERTED,
    merge_predictions,
    network_columns,
    parse_network_name,
    spread_column,
    tidy,
)
from inclinet.scaling import MIN_INCLINATION

__all__ = [
    "CALIBRATED",
    "axis_ratio_inclination",
    "baseline_predictions",
    "bin_index",
    "bin_names",
    "ensemble_predictions",
    "evaluate",
    "figure_rows",
    "figures_of_merit",
    "markdown_table",
    "summary",
]

logger = logging.getLogger(__name__)

EDGES = np.arange(MIN_INCLINATION, 91, BIN_WIDTH)
"""Edges of the inclination bins (deg)."""

CALIBRATED = "calibrated median"
"""What predicting gives: the median of all networks with the mean error of left-out galaxies taken off."""

Q0 = 0.2
"""Axial ratio of a disc seen edge-on, the value that the human standards rest on (Tully & Pierce 2000)."""

_AXIS_RATIOS = ("b_a", "Sba")


def figures_of_merit(prediction: ArrayLike, truth: ArrayLike) -> dict[str, float | int | None]:
    """Compare predicted inclinations with the true ones.

    Parameters
    ----------
    prediction, truth : array_like of shape (N,)
        Inclinations (deg), matched by position.

    Returns
    -------
    dict
        `n` images; `rms`, `mae`, `bias` (mean of prediction - truth), `p68` and `p95` (percentiles of the
        absolute error, linearly interpolated), all in deg; `slope` of prediction - truth against truth
        (least squares; None if the truth takes one value only); `above_10`, the share with an absolute
        error above 10 deg.

    Raises
    ------
    InclinetError
        If there is no image, or a value is not finite.
    ValueError
        If the shapes differ.
    """
    prediction, truth = np.asarray(prediction, dtype=float), np.asarray(truth, dtype=float)
    if prediction.shape != truth.shape or truth.ndim != 1:
        raise ValueError(f"prediction {prediction.shape} and truth {truth.shape} must be one list each")
    if not truth.size:
        raise InclinetError("There is no image to evaluate on.")
    error = prediction - truth
    if bad := np.flatnonzero(~np.isfinite(error)).tolist():
        raise InclinetError(
            f"{len(bad)} of {truth.size} inclinations are not finite (first at position {bad[0]}): "
            "predict these images again, or leave out the network that made them."
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
    """Return the mean and median of all networks, and of each of several models with more than one network (deg).

    The columns are named ``median of all``, ``mean of all``, ``median of model4`` and so on.
    """
    networks = network_columns(table)
    families: dict[str, list[str]] = {}
    for name in networks:
        families.setdefault(parse_network_name(name)[0], []).append(name)
    groups = {"all": networks}
    if len(families) > 1:
        groups |= {model: names for model, names in families.items() if len(names) > 1}
    columns = {}
    for group, names in groups.items():
        columns[f"median of {group}"] = table[names].median(axis=1, skipna=False)
        columns[f"mean of {group}"] = table[names].mean(axis=1, skipna=False)
    return pd.DataFrame(columns)


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


def bin_names() -> list[str]:
    """Return the names of the inclination bins in order: from 45 to 50 deg, and so on to 90."""
    return [f"{low}\N{EN DASH}{high}" for low, high in pairwise(EDGES)]


def bin_index(inclination: ArrayLike) -> np.ndarray:
    """Return the bin of every inclination (45–90 deg): its position in `bin_names`.

    [45, 50), [50, 55), … [85, 90]: the bins of the published evaluation. Those of the augmentation,
    `inclinet.batches.inclination_bin`, hold their upper edge instead.
    """
    bins = np.floor((np.asarray(inclination, dtype=float) - MIN_INCLINATION) / BIN_WIDTH).astype(int)
    return np.minimum(bins, len(EDGES) - 2)


def evaluate(
    predictions: pd.DataFrame,
    catalog: pd.DataFrame | None = None,
    train_mean: float | None = None,
    left_out: Mapping[str, pd.DataFrame] | None = None,
    calibration: Calibration | None = None,
) -> dict:
    """Evaluate networks, their ensembles and simple baselines on the test images.

    Parameters
    ----------
    predictions : DataFrame
        One row per image, as `read_predictions` returns.
    catalog, train_mean
        As for `baseline_predictions`.
    left_out : mapping of str to DataFrame, optional
        Predictions of each network for the galaxies that its subsample leaves out.
    calibration : Calibration, optional
        Calibration of the median of all networks, to be judged as one more ensemble and by the coverage of its error
        bars; needs the networks' spreads in `predictions`.

    Returns
    -------
    dict
        Ready for JSON. `networks`, `ensembles` and `baselines` map a name to its `figures_of_merit`, its number of
        `galaxies` and, in `ci`, the 95 % confidence intervals of the figures by bootstrap over galaxies; `by_band`,
        `by_bin` and, where the table says which images are dark on a bright sky, `by_inverted` map a name to the same
        of every band, inclination bin and kind that holds an image. `left_out` has all of that for each network, and
        for the median and mean of each subsample's networks, on the galaxies that the subsample leaves out.
        `intervals` is the `inclinet.calibration.coverage` of the error bars. `images` and `galaxies` count the test
        set; `std` is the population standard deviation of its labels (deg).

    Raises
    ------
    InclinetError
        If there is no test galaxy, a column is missing or a row is bad.
    """
    if predictions.empty:
        raise InclinetError(
            "There is no test galaxy to evaluate on: the table of predictions is empty. "
            "Take more galaxies labelled 45 deg or above, so that some fall into the test set."
        )
    table = tidy(predictions, "Table of predictions")
    intervals = None
    if calibration and all(spread_column(name) in table for name in network_columns(table)):
        intervals = calibration.estimate(table)
    calibrated = {} if intervals is None else {CALIBRATED: intervals["inclination"]}
    groups = {
        "networks": {name: table[name] for name in network_columns(table)},
        "ensembles": calibrated | dict(ensemble_predictions(table).items()),
        "baselines": baseline_predictions(table, catalog, train_mean),
    }
    named = {name: prediction for group in groups.values() for name, prediction in group.items()}
    merits = _merits(table, named)
    evaluation = {group: {name: merits[name] for name in members} for group, members in groups.items()}
    evaluation |= _by_kind(table, named)
    evaluation["left_out"] = _evaluate_left_out(left_out or {})
    if intervals is not None:
        evaluation["intervals"] = coverage(intervals, table["inc_m"])
    return evaluation | {
        "images": len(table),
        "galaxies": int(table["pgc"].nunique()),
        "std": float(table["inc_m"].std(ddof=0)),
    }


def _evaluate_left_out(left_out: Mapping[str, pd.DataFrame]) -> dict[str, dict]:
    """Return the merits of every network, and of the ensembles of each subsample, on what the subsample leaves out."""
    subsamples: dict[int, list[str]] = {}
    for name in left_out:
        subsamples.setdefault(parse_network_name(name)[1], []).append(name)
    found = {}
    for k, names in sorted(subsamples.items()):
        table = tidy(merge_predictions(left_out[name] for name in names), f"Left-out galaxies of subsample {k}")
        named = {name: table[name] for name in names}
        if len(names) > 1:
            ensembles = ensemble_predictions(table)
            named |= {f"{kind} of subsample {k}": ensembles[f"{kind} of all"] for kind in ("median", "mean")}
        overall, by_kind = _merits(table, named), _by_kind(table, named)
        found |= {name: {"all": overall[name]} | {kind: of[name] for kind, of in by_kind.items()} for name in named}
    return found


def _by_kind(table: pd.DataFrame, named: Mapping[str, pd.Series]) -> dict[str, dict[str, dict]]:
    """Return the merits of every name in every band, inclination bin and, where known, inverted or not."""
    kinds = {
        "by_band": (table["filter"], FILTERS.values()),
        "by_bin": (pd.Series(np.array(bin_names())[bin_index(table["inc_m"])], table.index), bin_names()),
    }
    if INVERTED in table:
        words = ["not inverted", "inverted"]
        kinds["by_inverted"] = (pd.Series(np.where(table[INVERTED], *reversed(words)), table.index), words)
    found: dict[str, dict] = {}
    for kind, (key, order) in kinds.items():
        groups = table.groupby(key).groups
        parts = {group: _merits(table.loc[groups[group]], named) for group in order if group in groups}
        found[kind] = {name: {group: part[name] for group, part in parts.items() if name in part} for name in named}
    return found


def summary(evaluation: dict) -> dict[str, dict]:
    """Return the figures of merit by name: networks, then ensembles, then baselines."""
    return {
        name: figures for group in ("networks", "ensembles", "baselines") for name, figures in evaluation[group].items()
    }


def figure_rows(merits: Mapping[str, Mapping], what: str = "") -> list[dict[str, str]]:
    """Return the rows of a table of figures of merit, as text; the first column, called `what`, holds the names.

    Angles are in deg, but the slope has no unit; `> 10` is the share of the errors above 10 deg.
    """
    return [
        {
            what: name,
            "n": f"{figures['n']:,}",
            "RMS": f"{figures['rms']:.2f}",
            "95 % CI": "{:.2f}\N{EN DASH}{:.2f}".format(*figures["ci"]["rms"]),
            "MAE": f"{figures['mae']:.2f}",
            "bias": f"{figures['bias']:+.2f}",
            # A slope needs labels of more than one value.
            "slope": "n/a" if figures["slope"] is None else f"{figures['slope']:+.3f}",
            "68 %": f"{figures['p68']:.2f}",
            "95 %": f"{figures['p95']:.2f}",
            "> 10": f"{100 * figures['above_10']:.1f} %",
        }
        for name, figures in merits.items()
    ]


def markdown_table(evaluation: dict) -> str:
    """Return the `summary` as a Markdown table, angles in deg."""
    rows = figure_rows(summary(evaluation))
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|:--" + "|--:" * (len(names) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row.values()) + " |" for row in rows)]) + "\n"


def _slope(truth: np.ndarray, error: np.ndarray) -> float | None:
    offset = truth - truth.mean()
    spread = float(offset @ offset)
    # Identical labels leave rounding noise at most.
    return float(offset @ (error - error.mean())) / spread if np.ptp(truth) > 0 and spread > 0 else None


def _merits(table: pd.DataFrame, named: Mapping[str, pd.Series]) -> dict[str, dict]:
    """Return figures, confidence intervals and number of galaxies of every name that has a row in the table."""
    errors = {name: (prediction - table["inc_m"]).reindex(table.index) for name, prediction in named.items()}
    errors = {name: error for name, error in errors.items() if error.notna().any()}
    intervals = confidence_intervals(errors, table["inc_m"], table["pgc"])
    found = {}
    for name, error in errors.items():
        rows = table[error.notna()]
        figures = figures_of_merit(named[name].loc[rows.index], rows["inc_m"])
        found[name] = figures | {"galaxies": int(rows["pgc"].nunique()), "ci": intervals[name]}
    return found


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
