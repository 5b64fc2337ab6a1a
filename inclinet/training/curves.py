"""Figures of trainings: errors against the step, on the stored batches, the left-out galaxies and the test set."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from inclinet.data.inclination import UNIT
from inclinet.errors import InclinetError
from inclinet.figures.style import BLUE, GRAY, GREEN, INK, LEGEND, VERMILLION, WIDTH, dress, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["learning_curves", "training_curves"]

Metrics = Mapping[str, Mapping[str, float | None]]
"""For each step number `mse` and `mae` in the network's units (22.5 deg), and both with the prefixes `left_`, `val_`.

Values may be None or missing. A network's metrics JSON holds them (`inclinet.training.filenames.metrics_file`).
"""

_MEASURED_ON = (("training", "", BLUE), ("left-out", "left_", VERMILLION), ("test", "val_", GREEN))


def training_curves(metrics: Metrics, path: str | Path, title: str) -> Path:
    """Draw the errors of a network (deg) against the step of its training.

    Parameters
    ----------
    metrics : mapping
        As `Metrics`.
    path : str or Path
        File to write; its suffix chooses PNG or JPEG.
    title : str

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        When there is no step yet, or `path` has another suffix.
    """
    if not metrics:
        raise InclinetError(f"{path}: no step to draw yet; train the network for one step first")
    figure = new_figure(11, 4.4)
    figure.suptitle(title, fontsize=13, color=INK)
    panels = figure.subplots(1, 2)
    for axes, key, label, to_degrees in zip(
        panels, ("mse", "mae"), ("RMS error (deg)", "mean absolute error (deg)"), (_rms, _mean), strict=True
    ):
        steps = _draw_network(axes, metrics, key, to_degrees, alone=True)
        _finish(axes, label, steps)
    return save(figure, path)


def learning_curves(networks: Mapping[str, Metrics], path: str | Path) -> Path:
    """Draw the RMS error (deg) of several networks against the step of their trainings, all in one figure.

    Parameters
    ----------
    networks : mapping of str to Metrics
        By name; those without a step are left out.
    path : str or Path
        File to write; its suffix chooses PNG or JPEG.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        When no network has a step, or `path` has another suffix.
    """
    trained = [metrics for metrics in networks.values() if metrics]
    if not trained:
        raise InclinetError(f"{path}: no step to draw yet; train a network for one step first")
    figure = new_figure(WIDTH, 4)
    axes = figure.subplots()
    steps = [_draw_network(axes, metrics, "mse", _rms, alone=len(trained) == 1) for metrics in trained]
    _finish(axes, "RMS error (deg)", np.unique(np.concatenate(steps)))
    return save(figure, path)


def _draw_network(
    axes: "Axes", metrics: Metrics, key: str, to_degrees: Callable[[np.ndarray], np.ndarray], *, alone: bool
) -> np.ndarray:
    """Draw one metric of a network; returns its steps. Beside others (not `alone`), the lines are thin."""
    steps = np.array(sorted(map(int, metrics)))
    for name, prefix, color in _MEASURED_ON:
        values = np.array([metrics[str(step)].get(prefix + key) for step in steps], dtype=float)
        _curve(axes, steps, to_degrees(values), name, color, alone)
    return steps


def _finish(axes: "Axes", label: str, steps: np.ndarray) -> None:
    dress(axes, "step", label)
    _step_axis(axes, steps)
    _log_axis(axes)
    labelled = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    if labelled:
        axes.legend(labelled.values(), labelled.keys(), **LEGEND)


def _rms(squared: np.ndarray) -> np.ndarray:
    return UNIT * np.sqrt(squared)


def _mean(scaled: np.ndarray) -> np.ndarray:
    return UNIT * scaled


def _curve(axes: "Axes", steps: np.ndarray, values: np.ndarray, name: str, color: str, alone: bool) -> None:
    # The axis is logarithmic: it cannot show zero.
    known = np.isfinite(values) & (values > 0)
    steps, values = steps[known], values[known]
    if not values.size:
        return
    if values.size <= 100:
        look: dict[str, Any] = {"lw": 1.5, "ms": 4} if alone else {"lw": 1.0, "ms": 2.5, "alpha": 0.7}
        axes.plot(steps, values, "o-", color=color, label=name, **look)
        return
    axes.plot(steps, values, color=color, lw=0.7, alpha=0.25)
    smooth = pd.Series(values).rolling(max(11, values.size // 40), center=True, min_periods=1).median()
    axes.plot(steps, smooth, color=color, lw=1.8, zorder=3, label=f"{name} (running median)")


def _step_axis(axes: "Axes", steps: np.ndarray) -> None:
    from matplotlib.ticker import MaxNLocator

    margin = max(0.5, 0.02 * (steps[-1] - steps[0]))
    axes.set_xlim(steps[0] - margin, steps[-1] + margin)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, min_n_ticks=1))


def _log_axis(axes: "Axes") -> None:
    values = np.concatenate([line.get_ydata() for line in axes.lines] or [[1.0]])
    axes.set_yscale("log")
    low, high = values.min() / 1.3, values.max() * 1.3
    axes.set_ylim(low, high)
    _decimal_ticks(axes, low, high)


def _decimal_ticks(axes: "Axes", low: float, high: float) -> None:
    """Set round ticks, in plain decimals, on a logarithmic axis: at least four, whatever its range."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
    linear = np.array(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(low, high))
    choices = (*(np.outer(decades, digits).ravel() for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7))), linear)
    shown = [ticks[(ticks >= low) & (ticks <= high)] for ticks in choices]
    axes.yaxis.set_major_locator(FixedLocator(next((t for t in shown if t.size >= 4), shown[-1]).tolist()))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=10, color=GRAY, labelcolor=INK)
