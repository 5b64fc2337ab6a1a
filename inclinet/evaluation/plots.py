"""Figures of predictions: each image or galaxy is a point, or counts in a histogram."""

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from inclinet.data.bands import COLOUR_LETTER, GRAY_BANDS, band_title, order_bands
from inclinet.errors import InclinetError
from inclinet.evaluation.metrics import compute_metrics, ensemble_predictions
from inclinet.figures.style import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    LEGEND,
    ORANGE,
    PURPLE,
    SKY_BLUE,
    TITLE,
    VERMILLION,
    WIDTH,
    dress,
    new_figure,
    save,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "error_against_truth",
    "error_histogram",
    "prediction_against_truth",
]

_BAND_COLORS = dict(zip((COLOUR_LETTER, *GRAY_BANDS), (BLUE, GREEN, VERMILLION, PURPLE), strict=True))
_OTHER_COLORS = (ORANGE, SKY_BLUE, INK, GRAY)  # of other bands


def prediction_against_truth(
    table: pd.DataFrame, column: str | pd.Series, path: str | Path, truth: str = "human inclination"
) -> Path:
    """Draw the prediction against the truth, with the line on which they are equal.

    Parameters, result and errors are those of `error_against_truth`.
    """
    prediction = _prediction(table, column)
    rows = table.loc[prediction.index]
    metrics = compute_metrics(prediction, rows["inc_m"])
    low = min(44, float(prediction.min()) - 1)
    figure = new_figure(WIDTH, 4.9)
    axes = figure.subplots()
    _points(axes, rows, prediction.to_numpy(dtype=float))
    axes.plot([low, 91], [low, 91], color=INK, lw=0.9, ls="--", zorder=5)
    dress(axes, f"{truth} (deg)", "prediction (deg)")
    axes.set(xlim=(44, 91), ylim=(low, 91))
    axes.set_title(_metrics_text(metrics, rows), **TITLE)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", markerscale=2, **LEGEND)
    return save(figure, path)


def error_against_truth(
    table: pd.DataFrame, column: str | pd.Series, path: str | Path, truth: str = "human inclination"
) -> Path:
    """Draw prediction - truth against truth, with its running median and 68 % band.

    Points are shifted sideways by up to 0.3 deg, so that points with the same integer label do not overlap.

    Parameters
    ----------
    table : DataFrame
        Predictions of images, as `inclinet.evaluation.predictions.read_predictions` returns, or of galaxies, without
        the column `filter`.
    column : str or Series
        A column of `table`, the name of an ensemble such as ``median of all``, or predictions (deg) on the index of
        `table` or a part of it.
    path : str or Path
        Figure to write, PNG or JPEG by its suffix.
    truth : str
        What the labels are called.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If there is no image, a prediction is not finite, the column does not exist, or `path` has another suffix.
    """
    prediction = _prediction(table, column)
    rows = table.loc[prediction.index]
    labels = rows["inc_m"].to_numpy(dtype=float)
    compute_metrics(prediction, labels)  # refuses what cannot be drawn
    error = prediction.to_numpy(dtype=float) - labels
    figure = new_figure(WIDTH, 4.9)
    axes = figure.subplots()
    _points(axes, rows, error)
    axes.axhline(0, color=INK, lw=0.9, ls="--", zorder=5)
    _running_band(axes, labels, error)
    dress(axes, f"{truth} (deg)", f"prediction \N{MINUS SIGN} {truth} (deg)")
    # Leave room for the legend above the points.
    axes.set(xlim=(44, 91), ylim=(1.1 * min(-5, error.min()), 1.3 * max(5, error.max())))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(ncols=3, markerscale=2, loc="upper right", **LEGEND)
    return save(figure, path)


def error_histogram(
    table: pd.DataFrame,
    column: str | pd.Series,
    path: str | Path,
    baseline: pd.Series | None = None,
    truth: str = "human inclination",
) -> Path:
    """Draw the distribution of prediction - truth, and that of a baseline if one is given.

    Parameters
    ----------
    table, column, path, truth
        As for `error_against_truth`.
    baseline : Series, optional
        Named predictions (deg) of a simple method on the index of `table` or a part of it: one of
        `inclinet.evaluation.baselines.baseline_predictions`.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If there is no image, a prediction is not finite, the column does not exist, or `path` has another suffix.
    """
    shown = [(_prediction(table, column), BLUE)]
    if baseline is not None:
        shown.append((baseline, ORANGE))
    figure = new_figure(WIDTH, 4.4)
    axes = figure.subplots()
    for prediction, color in shown:
        labels = table.loc[prediction.index, "inc_m"]
        label = f"{prediction.name}: RMS {compute_metrics(prediction, labels)['rms']:.2f}\N{DEGREE SIGN}"
        _errors(axes, (prediction - labels).to_numpy(dtype=float), label, color)
    axes.axvline(0, color=INK, lw=1)
    dress(axes, f"prediction \N{MINUS SIGN} {truth} (deg)", f"share of {_unit(table)} (%)")
    ticks = range(-20, 21, 10)
    names = [f"{tick}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    names[0], names[-1] = f"\N{LESS-THAN OR EQUAL TO} {names[0]}", f"\N{GREATER-THAN OR EQUAL TO} {names[-1]}"
    axes.set_xticks(ticks, names)
    axes.set_xlim(-20.5, 20.5)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, **LEGEND)
    return save(figure, path)


def _metrics_text(metrics: Mapping[str, Any], rows: pd.DataFrame) -> str:
    errors = f"RMS {metrics['rms']:.2f}\N{DEGREE SIGN}, MAE {metrics['mae']:.2f}\N{DEGREE SIGN}"
    return f"{errors}, {metrics['n']:,} {_unit(rows)}"


def _unit(rows: pd.DataFrame) -> str:
    return "images" if "filter" in rows else "galaxies"


def _points(axes: "Axes", rows: pd.DataFrame, values: np.ndarray) -> None:
    """Draw values (deg) against the labels of images, coloured by band, or of galaxies."""
    labels = rows["inc_m"].to_numpy(dtype=float)
    shifted = labels + np.random.default_rng(0).uniform(-0.3, 0.3, labels.size)
    points: dict[str, Any] = {"ms": 5 if labels.size > 500 else 8, "alpha": 0.55, "mew": 0, "zorder": 2}
    if "filter" not in rows:
        axes.plot(shifted, values, ".", color=BLUE, **points)
        return
    others = cycle(_OTHER_COLORS)
    for letter in order_bands(rows["filter"].unique()):
        chosen = (rows["filter"] == letter).to_numpy()
        color = _BAND_COLORS.get(letter) or next(others)
        axes.plot(shifted[chosen], values[chosen], ".", color=color, label=band_title(letter), **points)


def _prediction(table: pd.DataFrame, column: str | pd.Series) -> pd.Series:
    """Return the predictions that `column` stands for, as `error_against_truth` takes it."""
    if isinstance(column, pd.Series):
        return column
    if column in table:
        return table[column]
    ensembles = ensemble_predictions(table)
    if column not in ensembles:
        raise InclinetError(f"No network or ensemble {column!r}; choose one of {', '.join(map(str, ensembles))}.")
    return ensembles[column]


def _running_band(axes: "Axes", truth: np.ndarray, error: np.ndarray) -> None:
    """Draw the median and the 16th to 84th percentile in windows of 5 deg that hold at least 10 points."""
    centres = np.arange(45, 91)
    inside = [error[np.abs(truth - centre) <= 2.5] for centre in centres]
    filled = np.array([window.size >= 10 for window in inside])
    if not filled.any():
        return
    low, median, high = np.array(
        [np.percentile(w, [16, 50, 84]) if f else [np.nan] * 3 for w, f in zip(inside, filled, strict=True)]
    ).T
    axes.fill_between(centres, low, high, color=INK, alpha=0.18, lw=0, label="68 % band", zorder=3)
    axes.plot(centres, median, color=INK, lw=2.2, label="running median", zorder=4)


def _errors(axes: "Axes", error: np.ndarray, label: str, color: str) -> None:
    """Draw one distribution of errors (deg), as a share of the images."""
    edges = np.arange(-20.5, 21, 1).tolist()
    # Errors outside the axis are counted in its outermost bars, so that none is hidden.
    share = np.full(error.size, 100 / error.size)
    shown = np.clip(error, -20, 20)
    axes.hist(shown, edges, weights=share, color=color, alpha=0.3, zorder=2)
    axes.hist(shown, edges, weights=share, histtype="step", color=color, lw=1.8, label=label, zorder=3)
