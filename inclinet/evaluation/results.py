"""Metrics of networks, ensembles and baselines: by galaxy, and by image, band, inclination and polarity."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from inclinet.data.bands import order_bands
from inclinet.data.columns import INVERTED, network_columns, parse_network_name
from inclinet.errors import InclinetError
from inclinet.evaluation.baselines import baseline_predictions
from inclinet.evaluation.bootstrap import confidence_intervals
from inclinet.evaluation.calibration import coverage
from inclinet.evaluation.galaxies import median_by_galaxy
from inclinet.evaluation.metrics import bin_index, bin_names, compute_metrics, ensemble_predictions
from inclinet.evaluation.predictions import merge_predictions, tidy

__all__ = ["CALIBRATED", "evaluate", "markdown_table", "measured_on", "metric_rows", "summaries", "summary"]

CALIBRATED = "calibrated median"
"""What predicting gives: the median of all networks minus the mean error on left-out galaxies."""

_MANY = 10  # rows from which on a slope tells something
_FEW = 3  # and a confidence interval

_Groups = dict[str, dict[str, pd.Series]]  # predictions (deg) by name, of networks, ensembles and baselines


def evaluate(
    predictions: pd.DataFrame,
    catalog: pd.DataFrame | None = None,
    train_mean: float | None = None,
    left_out: Mapping[str, pd.DataFrame] | None = None,
    estimates: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> dict[str, Any]:
    """Evaluate networks, their ensembles and simple baselines on the test images.

    Parameters
    ----------
    predictions : DataFrame
        One row per image, as `inclinet.evaluation.predictions.read_predictions` returns.
    catalog, train_mean
        As for `inclinet.evaluation.baselines.baseline_predictions`.
    left_out : mapping of str to DataFrame, optional
        Predictions of each network for the galaxies that its subsample leaves out.
    estimates : tuple of DataFrame, optional
        What predicting gives for each row, as `inclinet.evaluation.calibration.Calibration.intervals` returns, and for
        each galaxy, as `inclinet.evaluation.galaxies.pool_images` does by PGC number. It is evaluated as one more
        ensemble, and by the coverage of its error bars.

    Returns
    -------
    dict
        Ready for JSON. `networks`, `ensembles` and `baselines` map a name to its `compute_metrics`, its number of
        `galaxies` and, in `ci`, the 95 % confidence intervals of the metrics by bootstrap over galaxies. The first
        ensemble is what predicting gives; each baseline has its RMS on the images of the baseline (deg) as
        `ensemble_rms`. `by_band`, `by_bin` and, where the table says which images are dark on a bright sky,
        `by_inverted` map a name to the same metrics of every group that holds an image. `left_out` has all of that
        for each network, and for the median and mean of each subsample's networks, on the galaxies that the subsample
        leaves out. `intervals` is the `inclinet.evaluation.calibration.coverage` of the error bars. `by_galaxy` holds
        `networks`, `ensembles`, `baselines`, `by_bin` and `intervals` of the answers per galaxy, each the median of
        those to its images; there, `n` counts galaxies. `images` and `galaxies` count the test set; `std` is the
        population standard deviation of its labels (deg).

    Raises
    ------
    InclinetError
        If there is no test galaxy, a column is missing or a row is bad.
    """
    if predictions.empty:
        raise InclinetError(
            "There is no test galaxy to evaluate on: the table of predictions is empty. "
            "Use more galaxies labelled 45 deg or more, so that some fall into the test set."
        )
    table = tidy(predictions, "Table of predictions")
    of_images, of_galaxies = (None, None) if estimates is None else estimates
    intervals = None if of_images is None else of_images.reset_index(drop=True)
    groups: _Groups = {
        "networks": {name: table[name] for name in network_columns(table)},
        "ensembles": _calibrated(intervals) | _columns(ensemble_predictions(table)),
        "baselines": baseline_predictions(table, catalog, train_mean),
    }
    return {
        "by_galaxy": _evaluate_galaxies(table, groups, of_galaxies),
        **_evaluate_rows(table, groups, intervals),
        "left_out": _evaluate_left_out(left_out or {}),
        "images": len(table),
        "galaxies": int(table["pgc"].nunique()),
        "std": float(table["inc_m"].std(ddof=0)),
    }


def _calibrated(intervals: pd.DataFrame | None) -> dict[str, pd.Series]:
    return {} if intervals is None else {CALIBRATED: intervals["inclination"]}


def _evaluate_rows(table: pd.DataFrame, groups: _Groups, intervals: pd.DataFrame | None) -> dict[str, Any]:
    """Return the metrics of predictions of the rows of a table, which are images or galaxies."""
    named = {name: prediction for group in groups.values() for name, prediction in group.items()}
    metrics = _metrics_of(table, named)
    evaluation: dict[str, Any] = {group: {name: metrics[name] for name in of} for group, of in groups.items()}
    predicted = next(iter(groups["ensembles"].values()))
    for name, baseline in groups["baselines"].items():
        same_rows = compute_metrics(predicted[baseline.index], table.loc[baseline.index, "inc_m"])
        evaluation["baselines"][name]["ensemble_rms"] = same_rows["rms"]
    evaluation |= _metrics_by_group(table, named)
    if intervals is not None:
        evaluation["intervals"] = coverage(intervals, table["inc_m"])
    return evaluation


def _evaluate_galaxies(table: pd.DataFrame, groups: _Groups, intervals: pd.DataFrame | None) -> dict[str, Any]:
    """Return the metrics of the medians of each galaxy's images; `intervals` are those of the galaxies."""
    galaxies = table.groupby("pgc", sort=False)[["inc_m"]].first().assign(pgc=lambda found: found.index)
    images = pd.DataFrame({name: prediction for group in groups.values() for name, prediction in group.items()})
    pooled = median_by_galaxy(images, table["pgc"])
    by_galaxy = {group: {name: pooled[name].dropna() for name in of} for group, of in groups.items()}
    if intervals is not None:
        intervals = intervals.loc[galaxies.index]
    return _evaluate_rows(galaxies, by_galaxy, intervals)


def _columns(table: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): column for name, column in table.items()}


def _evaluate_left_out(left_out: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, Any]]:
    """Return the metrics of every network, and of the ensembles of each subsample, on what the subsample leaves out."""
    subsamples: dict[int, list[str]] = {}
    for name in left_out:
        subsamples.setdefault(parse_network_name(name)[1], []).append(name)
    results: dict[str, dict[str, Any]] = {}
    for k, names in sorted(subsamples.items()):
        table = tidy(merge_predictions(left_out[name] for name in names), f"Left-out galaxies of subsample {k}")
        named = {name: table[name] for name in names}
        if len(names) > 1:
            ensembles = ensemble_predictions(table)
            named |= {f"{kind} of subsample {k}": ensembles[f"{kind} of all"] for kind in ("median", "mean")}
        overall, by_group = _metrics_of(table, named), _metrics_by_group(table, named)
        for name in named:
            results[name] = {"all": overall[name]} | {kind: of[name] for kind, of in by_group.items()}
    return results


def _metrics_by_group(table: pd.DataFrame, named: Mapping[str, pd.Series]) -> dict[str, dict[str, dict]]:
    """Return the metrics of every name in every inclination bin and, where known, band and polarity."""
    kinds = {"by_bin": (pd.Series(np.array(bin_names())[bin_index(table["inc_m"])], table.index), bin_names())}
    if "filter" in table:
        kinds["by_band"] = table["filter"], order_bands(table["filter"].unique())
    if INVERTED in table:
        words = ["not inverted", "inverted"]
        kinds["by_inverted"] = (pd.Series(np.where(table[INVERTED], words[1], words[0]), table.index), words)
    results: dict[str, dict[str, dict]] = {}
    for kind, (key, order) in kinds.items():
        groups = table.groupby(key).groups
        parts = {group: _metrics_of(table.loc[groups[group]], named) for group in order if group in groups}
        results[kind] = {name: {group: part[name] for group, part in parts.items() if name in part} for name in named}
    return results


def _metrics_of(table: pd.DataFrame, named: Mapping[str, pd.Series]) -> dict[str, dict[str, Any]]:
    """Return metrics, confidence intervals and number of galaxies of every name that has a row in the table."""
    errors = {name: (prediction - table["inc_m"]).reindex(table.index) for name, prediction in named.items()}
    errors = {name: error for name, error in errors.items() if error.notna().any()}
    intervals = confidence_intervals(errors, table["inc_m"], table["pgc"])
    results: dict[str, dict[str, Any]] = {}
    for name, error in errors.items():
        rows = table[error.notna()]
        metrics = compute_metrics(named[name].loc[rows.index], rows["inc_m"])
        results[name] = metrics | {"galaxies": int(rows["pgc"].nunique()), "ci": intervals[name]}
    return results


def measured_on(evaluation: Mapping[str, Any]) -> str:
    """Return a phrase for the galaxies that an evaluation is about."""
    on = f"{evaluation['images']:,} images of {evaluation['galaxies']:,} galaxies"
    folds = evaluation.get("folds")
    return f"cross-validation in {folds} folds, {on}" if folds else f"test set, {on}"


def summary(evaluation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the overall metrics by name: networks, then ensembles, then baselines."""
    return {
        name: metrics for group in ("networks", "ensembles", "baselines") for name, metrics in evaluation[group].items()
    }


def summaries(evaluation: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the `summary` by galaxy and, unless each galaxy has one image, by image."""
    by_galaxy = {"by galaxy": summary(evaluation["by_galaxy"])}
    if evaluation["images"] == evaluation["galaxies"]:
        return by_galaxy
    return by_galaxy | {"by image": summary(evaluation)}


def metric_rows(metrics: Mapping[str, Mapping[str, Any]], what: str = "") -> list[dict[str, str]]:
    """Return the rows of a table of metrics, as text; the first column, called `what`, holds the names.

    Angles are in deg, the slope has no unit and is that of 10 rows or more; `> 10` is the share of errors above 10 deg.
    """
    return [
        {
            what: name,
            "n": f"{values['n']:,}",
            "RMS": f"{values['rms']:.2f}",
            "95 % CI": _interval(values),
            "MAE": f"{values['mae']:.2f}",
            "bias": f"{values['bias']:+.2f}",
            # Labels that are all the same give no slope.
            "slope": "\N{EN DASH}" if values["slope"] is None or values["n"] < _MANY else f"{values['slope']:+.3f}",
            "68 %": f"{values['p68']:.2f}",
            "95 %": f"{values['p95']:.2f}",
            "> 10": f"{100 * values['above_10']:.1f} %",
        }
        for name, values in metrics.items()
    ]


def _interval(values: Mapping[str, Any]) -> str:
    """Return the confidence interval of the RMS; a bootstrap over one or two galaxies has no width to speak of."""
    return "\N{EN DASH}" if values["n"] < _FEW else "{:.2f}\N{EN DASH}{:.2f}".format(*values["ci"]["rms"])


def markdown_table(evaluation: Mapping[str, Any]) -> str:
    """Return the `summaries` as Markdown tables, angles in deg."""
    return "\n".join(_markdown(metric_rows(metrics, what)) for what, metrics in summaries(evaluation).items())


def _markdown(rows: list[dict[str, str]]) -> str:
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|:--" + "|--:" * (len(names) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row.values()) + " |" for row in rows)]) + "\n"
