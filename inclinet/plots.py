"""Every figure of the pipeline.

Figures are made with `matplotlib.figure.Figure` alone and styled piece by piece: nothing global is changed,
so that several threads may draw at once.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from inclinet.batches import inclination_bin
from inclinet.errors import InclinetError
from inclinet.evaluate import bin_names, ensemble_predictions, figures_of_merit
from inclinet.files import whole_file
from inclinet.scaling import UNIT

__all__ = [
    "contact_sheet",
    "error_against_truth",
    "error_histogram",
    "inclination_histogram",
    "training_curves",
]

# Colours that colour-blind people can tell apart (Okabe & Ito 2008, "Color Universal Design").
BLUE, VERMILLION, GREEN, ORANGE, PURPLE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7"
INK, GRAY, PALE = "#222222", "#7F7F7F", "#E3E3E3"
BANDS = {"c": ("colour", BLUE), "g": ("g", GREEN), "r": ("r", VERMILLION), "i": ("i", PURPLE)}

_DPI = 120
_SUFFIXES = (".png", ".jpg", ".jpeg")
_TITLE = {"fontsize": 12, "color": INK, "loc": "left", "pad": 9}
_LABEL = {"fontsize": 11, "color": INK}
_LEGEND = {"fontsize": 9.5, "frameon": False, "labelcolor": INK}


def training_curves(metrics: dict[str, dict], path: str | Path, title: str) -> Path:
    """Draw the errors of a network against its training step.

    Parameters
    ----------
    metrics : dict of str to dict
        Step number to `mse`, `mae`, `val_mse` and `val_mae` in scaled units (1 unit is 22.5 deg); a value
        may be None or absent.
    path : str or Path
        Figure to write, PNG or JPEG by its suffix.
    title : str
        Title of the figure.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If there is no step yet, or `path` ends in another suffix.
    """
    if not metrics:
        raise InclinetError(f"{path}: no step to draw yet; train the network for one step first.")
    steps = sorted(metrics, key=int)
    numbers = np.array([int(step) for step in steps])
    figure = _figure(11, 4.4)
    figure.suptitle(title, fontsize=13, color=INK)
    panels = figure.subplots(1, 2)
    for axes, key, label in zip(
        panels, ("mse", "mae"), ("mean squared error (scaled)", "mean absolute error (scaled)"), strict=True
    ):
        for name, prefix, color in (("training", "", BLUE), ("validation", "val_", VERMILLION)):
            values = np.array([metrics[step].get(prefix + key) for step in steps], dtype=float)
            _curve(axes, numbers, values, name, color)
        _dress(axes, "step", label)
        _step_axis(axes, numbers)
        _log_axis(axes)
        if axes.lines:
            axes.legend(**_LEGEND)
    degrees = panels[1].secondary_yaxis("right", functions=(_to_degrees, _from_degrees))
    degrees.set_ylabel("mean absolute error (deg)", **_LABEL)
    degrees.spines["right"].set_color(GRAY)
    _decimal_ticks(degrees, *(UNIT * limit for limit in panels[1].get_ylim()))
    return _save(figure, path)


def error_against_truth(table: pd.DataFrame, column: str | pd.Series, path: str | Path) -> Path:
    """Draw prediction - truth against truth, with its running median and 68 % band.

    Points are moved sideways by up to 0.3 deg, so that those of the same integer label can be told apart.

    Parameters
    ----------
    table : DataFrame
        Predictions, as `inclinet.evaluate.read_predictions` returns.
    column : str or Series
        Column of `table`, name of an ensemble such as ``median of all``, or predictions (deg) on the index
        of `table` or a part of it.
    path : str or Path
        Figure to write, PNG or JPEG by its suffix.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If there is no image, a prediction is not finite, no such column, or `path` ends in another suffix.
    """
    prediction = _prediction(table, column)
    rows = table.loc[prediction.index]
    truth = rows["inc_m"].to_numpy(dtype=float)
    figures = figures_of_merit(prediction, truth)
    error = prediction.to_numpy(dtype=float) - truth
    shifted = truth + np.random.default_rng(0).uniform(-0.3, 0.3, truth.size)
    figure = _figure(8.5, 5.4)
    axes = figure.subplots()
    points = {"ms": 5 if truth.size > 500 else 9, "alpha": 0.55, "mew": 0, "zorder": 2}
    for letter, (name, color) in BANDS.items():
        chosen = (rows["filter"] == letter).to_numpy()
        if chosen.any():
            axes.plot(shifted[chosen], error[chosen], ".", color=color, label=name, **points)
    axes.axhline(0, color=INK, lw=0.9, ls="--", zorder=5)
    _running_band(axes, truth, error)
    _dress(axes, "human inclination (deg)", "prediction \N{MINUS SIGN} human inclination (deg)")
    # Above the points stays room for the legend.
    axes.set(xlim=(44, 91), ylim=(1.1 * min(-5, error.min()), 1.3 * max(5, error.max())))
    axes.set_title(f"{prediction.name}: {_merits(figures)}", **_TITLE)
    axes.legend(ncols=3, markerscale=2, loc="upper right", **_LEGEND)
    return _save(figure, path)


def error_histogram(
    table: pd.DataFrame, column: str | pd.Series, path: str | Path, baseline: pd.Series | None = None
) -> Path:
    """Draw the distribution of prediction - truth, beside that of a baseline where there is one.

    Parameters
    ----------
    table, column, path
        As for `error_against_truth`.
    baseline : Series, optional
        Predictions (deg) of a simple method on the index of `table` or a part of it, and its name: one of
        `inclinet.evaluate.baseline_predictions`.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If there is no image, a prediction is not finite, no such column, or `path` ends in another suffix.
    """
    shown = [(_prediction(table, column), BLUE)]
    if baseline is not None:
        shown.append((baseline, ORANGE))
    figure = _figure(8.5, 4.6)
    axes = figure.subplots()
    for prediction, color in shown:
        truth = table.loc[prediction.index, "inc_m"]
        label = f"{prediction.name}: {_merits(figures_of_merit(prediction, truth))}"
        _errors(axes, (prediction - truth).to_numpy(dtype=float), label, color)
    axes.axvline(0, color=INK, lw=1)
    _dress(axes, "prediction \N{MINUS SIGN} human inclination (deg)", "share of images (%)")
    ticks = range(-20, 21, 5)
    names = [f"{tick}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
    names[0], names[-1] = f"\N{LESS-THAN OR EQUAL TO} {names[0]}", f"\N{GREATER-THAN OR EQUAL TO} {names[-1]}"
    axes.set_xticks(ticks, names)
    axes.set_xlim(-20.5, 20.5)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, **_LEGEND)
    return _save(figure, path)


def inclination_histogram(before: ArrayLike, after: ArrayLike, path: str | Path) -> Path:
    """Draw the distribution of the labels before and after augmentation in the bins of augmentation.

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
        If an inclination lies outside 45 to 90 deg, or `path` ends in another suffix.
    """
    names = bin_names()
    places = np.arange(len(names))
    figure = _figure(8.5, 4.6)
    axes = figure.subplots()
    for labels, name, color, offset in (
        (before, "before", GRAY, -0.2),
        (after, "after", BLUE, 0.2),
    ):
        counts = np.bincount(inclination_bin(labels), minlength=len(names))
        share = 100 * counts / max(1, counts.sum())
        label = f"{name} augmentation ({counts.sum():,} images)"
        axes.bar(places + offset, share, width=0.38, color=color, label=label, zorder=2)
    _dress(axes, "human inclination (deg)", "share of images (%)")
    axes.set_xticks(places, names)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, max(1, 1.2 * axes.get_ylim()[1]))
    axes.legend(loc="upper left", **_LEGEND)
    return _save(figure, path)


def contact_sheet(images: np.ndarray, captions: Sequence[str], path: str | Path, columns: int = 12) -> Path:
    """Draw small images side by side, each with a caption below.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)
        RGB images.
    captions : sequence of str, length N
        A few letters for each image, such as ``61° r``.
    path : str or Path
        Figure to write, PNG or JPEG by its suffix.
    columns : int
        Images in a row.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If there is no image, or `path` ends in another suffix.
    ValueError
        If `images` has another shape or type, `captions` another length, or `columns` is below 1.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise ValueError(f"images must be uint8 (N, size, size, 3), not {images.dtype} {images.shape}")
    if len(captions) != len(images) or columns < 1:
        raise ValueError(f"{len(captions)} captions for {len(images)} images in {columns} columns")
    if not len(images):
        raise InclinetError(f"{path}: no image to show.")
    size = images.shape[1]
    gap, foot = max(1, size // 16), max(1, size // 4)
    columns = min(columns, len(images))
    sheet, corners = _mosaic(images, columns, gap, foot)
    figure = Figure(figsize=(sheet.shape[1] / size, sheet.shape[0] / size))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(sheet, interpolation="antialiased")
    for (top, left), caption in zip(corners, captions, strict=True):
        axes.text(left + size / 2, top + size + foot / 2, caption, ha="center", va="center", fontsize=9, color=INK)
    return _save(figure, path)


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: str | Path) -> Path:
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise InclinetError(f"{path}: a figure ends in {', '.join(_SUFFIXES)}; choose one of these.")
    with whole_file(path) as temporary:
        # Thin coloured lines fade when JPEG halves the resolution of colour.
        jpeg = {} if path.suffix.lower() == ".png" else {"quality": 92, "subsampling": 0}
        figure.savefig(temporary, dpi=_DPI, facecolor="white", pil_kwargs=jpeg)
    return path


def _dress(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, **_LABEL)
    axes.set_ylabel(y, **_LABEL)
    axes.tick_params(labelsize=10, color=GRAY, labelcolor=INK)
    axes.grid(color=PALE, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRAY)


def _merits(figures: dict) -> str:
    return f"RMS {figures['rms']:.2f}\N{DEGREE SIGN}, MAE {figures['mae']:.2f}\N{DEGREE SIGN} ({figures['n']:,} images)"


def _prediction(table: pd.DataFrame, column: str | pd.Series) -> pd.Series:
    if isinstance(column, pd.Series):
        return column
    if column in table:
        return table[column]
    ensembles = ensemble_predictions(table)
    if column not in ensembles:
        raise InclinetError(f"No network or ensemble {column!r}; there are: {', '.join(ensembles)}.")
    return ensembles[column]


def _curve(axes: Axes, steps: np.ndarray, values: np.ndarray, name: str, color: str) -> None:
    # On a logarithmic axis a zero has no place.
    known = np.isfinite(values) & (values > 0)
    steps, values = steps[known], values[known]
    if not values.size:
        return
    if values.size <= 100:
        axes.plot(steps, values, "o-", color=color, lw=1.5, ms=4, label=name)
        return
    axes.plot(steps, values, color=color, lw=0.7, alpha=0.25)
    smooth = pd.Series(values).rolling(max(11, values.size // 40), center=True, min_periods=1).median()
    axes.plot(steps, smooth, color=color, lw=1.8, zorder=3, label=f"{name} (running median)")


def _step_axis(axes: Axes, steps: np.ndarray) -> None:
    margin = max(0.5, 0.02 * (steps[-1] - steps[0]))
    axes.set_xlim(steps[0] - margin, steps[-1] + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def _log_axis(axes: Axes) -> None:
    values = np.concatenate([line.get_ydata() for line in axes.lines] or [[1.0]])
    axes.set_yscale("log")
    low, high = values.min() / 1.3, values.max() * 1.3
    axes.set_ylim(low, high)
    _decimal_ticks(axes, low, high)


def _decimal_ticks(axes: Axes, low: float, high: float) -> None:
    """Set round ticks in plain decimals on a logarithmic axis, at least four whatever its range."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
    for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        ticks = np.outer(decades, digits).ravel()
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if ticks.size >= 4:
            break
    else:
        ticks = MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(low, high)
        ticks = ticks[(ticks >= low) & (ticks <= high)]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=10, color=GRAY, labelcolor=INK)


def _to_degrees(scaled: np.ndarray) -> np.ndarray:
    return scaled * UNIT


def _from_degrees(degrees: np.ndarray) -> np.ndarray:
    return degrees / UNIT


def _running_band(axes: Axes, truth: np.ndarray, error: np.ndarray) -> None:
    """Draw median and 16th to 84th percentile in a window of 5 deg, where it holds at least 5 images."""
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
    edges = np.arange(-20.5, 21, 1)
    # Errors beyond the axis are counted in its outermost bars, so that none is hidden.
    share = np.full(error.size, 100 / error.size)
    shown = np.clip(error, -20, 20)
    axes.hist(shown, edges, weights=share, color=color, alpha=0.3, zorder=2)
    axes.hist(shown, edges, weights=share, histtype="step", color=color, lw=1.8, label=label, zorder=3)


def _mosaic(images: np.ndarray, columns: int, gap: int, foot: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Return the images side by side on white, and the upper left corner of each (row, column)."""
    count, height, width, _ = images.shape
    rows = -(-count // columns)
    step = height + foot + gap
    sheet = np.full((rows * step + gap, columns * (width + gap) + gap, 3), 255, dtype=np.uint8)
    corners = []
    for place, image in enumerate(images):
        row, column = divmod(place, columns)
        top, left = gap + row * step, gap + column * (width + gap)
        sheet[top : top + height, left : left + width] = image
        corners.append((top, left))
    return sheet, corners
