"""Metrics of networks, ensembles and baselines: overall, and by band, inclination and polarity."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from inclinet.data.bands import FILTERS
from inclinet.data.columns import INVERTED, network_columns, parse_network_name, spread_column
from inclinet.errors import InclinetError
from inclinet.evaluation.baselines import baseline_predictions
from inclinet.evaluation.bootstrap import confidence_intervals
from inclinet.evaluation.calibration import Calibration, coverage
from inclinet.evaluation.metrics import bin_index, bin_names, compute_metrics, ensemble_predictions
from inclinet.evaluation.predictions import merge_predictions, tidy

__all__ = ["CALIBRATED", "evaluate", "markdown_table", "metric_rows", "summary"]

CALIBRATED = "calibrated median"
"""What predicting gives: the median of all networks with the mean error of left-out galaxies taken off."""


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
        Ready for JSON. `networks`, `ensembles` and `baselines` map a name to its `compute_metrics`, its number of
        `galaxies` and, in `ci`, the 95 % confidence intervals of the metrics by bootstrap over galaxies; `by_band`,
        `by_bin` and, where the table says which images are dark on a bright sky, `by_inverted` map a name to the same
        of every band, inclination bin and kind that holds an image. `left_out` has all of that for each network, and
        for the median and mean of each subsample's networks, on the galaxies that the subsample leaves out.
        `intervals` is the `inclinet.evaluation.calibration.coverage` of the error bars. `images` and `galaxies` count the test
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
    metrics = _metrics_of(table, named)
    evaluation = {group: {name: metrics[name] for name in members} for group, members in groups.items()}
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
    """Return the metrics of every network, and of the ensembles of each subsample, on what the subsample leaves out."""
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
        overall, by_kind = _metrics_of(table, named), _by_kind(table, named)
        found |= {name: {"all": overall[name]} | {kind: of[name] for kind, of in by_kind.items()} for name in named}
    return found


def _by_kind(table: pd.DataFrame, named: Mapping[str, pd.Series]) -> dict[str, dict[str, dict]]:
    """Return the metrics of every name in every band, inclination bin and, where known, inverted or not."""
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
        parts = {group: _metrics_of(table.loc[groups[group]], named) for group in order if group in groups}
        found[kind] = {name: {group: part[name] for group, part in parts.items() if name in part} for name in named}
    return found


def summary(evaluation: dict) -> dict[str, dict]:
    """Return the metrics of merit by name: networks, then ensembles, then baselines."""
    return {
        name: metrics for group in ("networks", "ensembles", "baselines") for name, metrics in evaluation[group].items()
    }


def metric_rows(metrics: Mapping[str, Mapping], what: str = "") -> list[dict[str, str]]:
    """Return the rows of a table of metrics of merit, as text; the first column, called `what`, holds the names.

    Angles are in deg, but the slope has no unit; `> 10` is the share of the errors above 10 deg.
    """
    return [
        {
            what: name,
            "n": f"{metrics['n']:,}",
            "RMS": f"{metrics['rms']:.2f}",
            "95 % CI": "{:.2f}\N{EN DASH}{:.2f}".format(*metrics["ci"]["rms"]),
            "MAE": f"{metrics['mae']:.2f}",
            "bias": f"{metrics['bias']:+.2f}",
            # A slope needs labels of more than one value.
            "slope": "n/a" if metrics["slope"] is None else f"{metrics['slope']:+.3f}",
            "68 %": f"{metrics['p68']:.2f}",
            "95 %": f"{metrics['p95']:.2f}",
            "> 10": f"{100 * metrics['above_10']:.1f} %",
        }
        for name, metrics in metrics.items()
    ]


def markdown_table(evaluation: dict) -> str:
    """Return the `summary` as a Markdown table, angles in deg."""
    rows = metric_rows(summary(evaluation))
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|:--" + "|--:" * (len(names) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row.values()) + " |" for row in rows)]) + "\n"


def _metrics_of(table: pd.DataFrame, named: Mapping[str, pd.Series]) -> dict[str, dict]:
    """Return metrics, confidence intervals and number of galaxies of every name that has a row in the table."""
    errors = {name: (prediction - table["inc_m"]).reindex(table.index) for name, prediction in named.items()}
    errors = {name: error for name, error in errors.items() if error.notna().any()}
    intervals = confidence_intervals(errors, table["inc_m"], table["pgc"])
    found = {}
    for name, error in errors.items():
        rows = table[error.notna()]
        metrics = compute_metrics(named[name].loc[rows.index], rows["inc_m"])
        found[name] = metrics | {"galaxies": int(rows["pgc"].nunique()), "ci": intervals[name]}
    return found
