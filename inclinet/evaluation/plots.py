"""The figures of an evaluation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from inclinet.data.bands import FILTERS, band_title
from inclinet.data.columns import parse_network_name
from inclinet.data.inclination import inclination_bin
from inclinet.errors import InclinetError
from inclinet.evaluation.metrics import bin_names, compute_metrics, ensemble_predictions
from inclinet.figures.style import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    LEGEND,
    ORANGE,
    PURPLE,
    TITLE,
    VERMILLION,
    dress,
    new_figure,
    save,
)

__all__ = ["error_against_truth", "error_histogram", "family_comparison", "inclination_histogram"]

_BAND_COLORS = dict(zip(FILTERS.values(), (BLUE, GREEN, VERMILLION, PURPLE), strict=True))


def error_against_truth(table: pd.DataFrame, column: str | pd.Series, path: str | Path) -> Path:
    """Draw prediction - truth against truth, with its running median and 68 % band.

    Points are shifted sideways by up to 0.3 deg, so that points with the same integer label do not overlap.

    Parameters
    ----------
    table : DataFrame
        Predictions, as `inclinet.evaluation.predictions.read_predictions` returns.
    column : str or Series
        A column of `table`, the name of an ensemble such as ``median of all``, or predictions (deg) on the index of
        `table` or a part of it.
    path : str or Path
        Figure to write, PNG or JPEG by its suffix.

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
    truth = rows["inc_m"].to_numpy(dtype=float)
    metrics = compute_metrics(prediction, truth)
    error = prediction.to_numpy(dtype=float) - truth
    shifted = truth + np.random.default_rng(0).uniform(-0.3, 0.3, truth.size)
    figure = new_figure(8.5, 5.4)
    axes = figure.subplots()
    points: dict[str, Any] = {"ms": 5 if truth.size > 500 else 9, "alpha": 0.55, "mew": 0, "zorder": 2}
    for letter, color in _BAND_COLORS.items():
        chosen = (rows["filter"] == letter).to_numpy()
        if chosen.any():
            axes.plot(shifted[chosen], error[chosen], ".", color=color, label=band_title(letter), **points)
    axes.axhline(0, color=INK, lw=0.9, ls="--", zorder=5)
    _running_band(axes, truth, error)
    dress(axes, "human inclination (deg)", "prediction \N{MINUS SIGN} human inclination (deg)")
    # Leave room for the legend above the points.
    axes.set(xlim=(44, 91), ylim=(1.1 * min(-5, error.min()), 1.3 * max(5, error.max())))
    axes.set_title(f"{prediction.name}: {_metrics_text(metrics)}", **TITLE)
    axes.legend(ncols=3, markerscale=2, loc="upper right", **LEGEND)
    return save(figure, path)


def error_histogram(
    table: pd.DataFrame, column: str | pd.Series, path: str | Path, baseline: pd.Series | None = None
) -> Path:
    """Draw the distribution of prediction - truth, and that of a baseline if one is given.

    Parameters
    ----------
    table, column, path
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
    figure = new_figure(8.5, 4.6)
    axes = figure.subplots()
    for prediction, color in shown:
        truth = table.loc[prediction.index, "inc_m"]
        label = f"{prediction.name}: {_metrics_text(compute_metrics(prediction, truth))}"
        _errors(axes, (prediction - truth).to_numpy(dtype=float), label, color)
    axes.axvline(0, color=INK, lw=1)
    dress(axes, "prediction \N{MINUS SIGN} human inclination (deg)", "share of images (%)")
    ticks = range(-20, 21, 5)
    names = [f"{tick}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    names[0], names[-1] = f"\N{LESS-THAN OR EQUAL TO} {names[0]}", f"\N{GREATER-THAN OR EQUAL TO} {names[-1]}"
    axes.set_xticks(ticks, names)
    axes.set_xlim(-20.5, 20.5)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, **LEGEND)
    return save(figure, path)


def family_comparison(evaluation: Mapping, path: str | Path) -> Path:
    """Draw the RMS of every network, ensemble and baseline with its 95 % confidence interval.

    Networks of the same model have the same colour.

    Parameters
    ----------
    evaluation : mapping
        As `inclinet.evaluation.results.evaluate` returns.
    path : str or Path
        Figure to write, PNG or JPEG by its suffix.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If `path` has another suffix.
    """
    models = list(dict.fromkeys(parse_network_name(name)[0] for name in evaluation["networks"]))
    colors = dict(zip(models, [GREEN, VERMILLION, PURPLE] * len(models), strict=False))
    rows = [(name, metrics, colors[parse_network_name(name)[0]]) for name, metrics in evaluation["networks"].items()]
    rows += [(name, metrics, BLUE) for name, metrics in evaluation["ensembles"].items()]
    rows += [(name, metrics, ORANGE) for name, metrics in evaluation["baselines"].items()]
    figure = new_figure(8.5, 1.3 + 0.28 * len(rows))
    axes = figure.subplots()
    for place, (_, metrics, color) in enumerate(rows):
        rms, (low, high) = metrics["rms"], metrics["ci"]["rms"]
        axes.plot([low, high], [place, place], color=color, lw=2.5, alpha=0.45, solid_capstyle="round")
        axes.plot(rms, place, "o", color=color, ms=7)
        axes.annotate(f"{rms:.2f}", (high, place), (6, 0), textcoords="offset points", va="center", color=INK)
    dress(axes, "RMS of prediction \N{MINUS SIGN} human inclination (deg), 95 % confidence interval", "")
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.12 * max(metrics["ci"]["rms"][1] for _, metrics, _ in rows))
    return save(figure, path)


def inclination_histogram(before: ArrayLike, after: ArrayLike, path: str | Path) -> Path:
    """Draw the distributions of the labels before and after augmentation, in the bins of the augmentation.

    Parameters
    ----------
    before, after : array_like of shape (N,)
        Inclinations (deg), 45 to 90, of the images before and after augmentation.
    path : str or Path
        Figure to write, PNG or JPEG by its suffix.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If an inclination lies outside 45 to 90 deg, or `path` has another suffix.
    """
    names = bin_names()
    places = np.arange(len(names))
    figure = new_figure(8.5, 4.6)
    axes = figure.subplots()
    for labels, name, color, offset in (
        (before, "before", GRAY, -0.2),
        (after, "after", BLUE, 0.2),
    ):
        counts = np.bincount(inclination_bin(np.asarray(labels)), minlength=len(names))
        share = 100 * counts / max(1, counts.sum())
        label = f"{name} augmentation ({counts.sum():,} images)"
        axes.bar(places + offset, share, width=0.38, color=color, label=label, zorder=2)
    dress(axes, "human inclination (deg)", "share of images (%)")
    axes.set_xticks(places, names)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, max(1, 1.2 * axes.get_ylim()[1]))
    axes.legend(loc="upper left", **LEGEND)
    return save(figure, path)


def _metrics_text(metrics: Mapping[str, Any]) -> str:
    return f"RMS {metrics['rms']:.2f}\N{DEGREE SIGN}, MAE {metrics['mae']:.2f}\N{DEGREE SIGN} ({metrics['n']:,} images)"


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


def _running_band(axes: Axes, truth: np.ndarray, error: np.ndarray) -> None:
    """Draw the median and the 16th to 84th percentile in windows of 5 deg that hold at least 5 images."""
    centres = np.arange(45, 91)
    inside = [error[np.abs(truth - centre) <= 2.5] for centre in centres]
    filled = np.array([window.size >= 5 for window in inside])
    if not filled.any():
        return
    low, median, high = np.array(
        [np.percentile(w, [16, 50, 84]) if f else [np.nan] * 3 for w, f in zip(inside, filled, strict=True)]
    ).T
    axes.fill_between(centres, low, high, color=INK, alpha=0.18, lw=0, label="68 % band", zorder=3)
    axes.plot(centres, median, color=INK, lw=2.2, label="running median", zorder=4)


def _errors(axes: Axes, error: np.ndarray, label: str, color: str) -> None:
    """Draw one distribution of errors (deg), as a share of the images."""
    edges = np.arange(-20.5, 21, 1).tolist()
    # Errors outside the axis are counted in its outermost bars, so that none is hidden.
    share = np.full(error.size, 100 / error.size)
    shown = np.clip(error, -20, 20)
    axes.hist(shown, edges, weights=share, color=color, alpha=0.3, zorder=2)
    axes.hist(shown, edges, weights=share, histtype="step", color=color, lw=1.8, label=label, zorder=3)
