"""The figure of a training run: its errors against the step."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from inclinet.data.inclination import UNIT
from inclinet.errors import InclinetError
from inclinet.figures.style import BLUE, GRAY, INK, LABEL, LEGEND, VERMILLION, dress, new_figure, save

__all__ = ["training_curves"]


def training_curves(metrics: dict[str, dict], path: str | Path, title: str) -> Path:
    """Draw the errors of a network against the step of its training.

    Parameters
    ----------
    metrics : dict of str to dict
        For each step number, `mse`, `mae`, `val_mse` and `val_mae` in scaled units (1 unit is 22.5 deg). Values may be
        None or missing.
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
    steps = sorted(metrics, key=int)
    numbers = np.array([int(step) for step in steps])
    figure = new_figure(11, 4.4)
    figure.suptitle(title, fontsize=13, color=INK)
    panels = figure.subplots(1, 2)
    for axes, key, label in zip(
        panels, ("mse", "mae"), ("mean squared error (scaled)", "mean absolute error (scaled)"), strict=True
    ):
        for name, prefix, color in (("training", "", BLUE), ("validation", "val_", VERMILLION)):
            values = np.array([metrics[step].get(prefix + key) for step in steps], dtype=float)
            _curve(axes, numbers, values, name, color)
        dress(axes, "step", label)
        _step_axis(axes, numbers)
        _log_axis(axes)
        if axes.lines:
            axes.legend(**LEGEND)
    degrees = panels[1].secondary_yaxis("right", functions=(_to_degrees, _from_degrees))
    degrees.set_ylabel("mean absolute error (deg)", **LABEL)
    degrees.spines["right"].set_color(GRAY)
    _decimal_ticks(degrees, *(UNIT * limit for limit in panels[1].get_ylim()))
    return save(figure, path)


def _curve(axes: Axes, steps: np.ndarray, values: np.ndarray, name: str, color: str) -> None:
    # The axis is logarithmic: it cannot show zero.
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
    """Set round ticks, in plain decimals, on a logarithmic axis: at least four, whatever its range."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.log10(high) + 1)
    linear = np.array(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(low, high))
    choices = (*(np.outer(decades, digits).ravel() for digits in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7))), linear)
    shown = [ticks[(ticks >= low) & (ticks <= high)] for ticks in choices]
    axes.yaxis.set_major_locator(FixedLocator(next((t for t in shown if t.size >= 4), shown[-1]).tolist()))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=10, color=GRAY, labelcolor=INK)


def _to_degrees(scaled: np.ndarray) -> np.ndarray:
    return scaled * UNIT


def _from_degrees(degrees: np.ndarray) -> np.ndarray:
    return degrees / UNIT
