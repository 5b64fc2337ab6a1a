"""How far trainings are: in words, and as a figure of the errors so far of all networks."""

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from inclinet.data.inclination import UNIT
from inclinet.figures.style import BLUE, GRAY, GREEN, LEGEND, ORANGE, PURPLE, VERMILLION, dress, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MEASURED_ON", "draw_errors", "duration", "error_text"]

Metrics = Mapping[str, Mapping]
"""The metrics of each step of one training, by the number of the step, as its metrics file holds them."""

MEASURED_ON = {"left_mae": "left-out galaxies", "val_mae": "test set", "mae": "training"}
"""What errors are measured on, by the name of the metric; first what says most."""

_COLOURS = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, GRAY)
_NAMED = 8  # networks in the legend


def error_text(metrics: Mapping) -> str:
    """Return the mean absolute error of a step on left-out galaxies, or else on the test set, or in training."""
    for name, words in MEASURED_ON.items():
        if metrics.get(name) is not None:
            return f"{words.removesuffix(' galaxies')} MAE {UNIT * metrics[name]:.1f} deg"
    return "MAE not known"


def duration(seconds: float) -> str:
    """Return a time in words, short."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def draw_errors(networks: Mapping[str, Metrics], steps: int) -> "Figure | None":
    """Draw the mean absolute errors (deg) of networks, by name, against the step; None if there is no step yet.

    A colour for each network: thick, on left-out galaxies (without any, on the test set); thin, in training. The axis
    ends at `steps`.
    """
    known = {name: metrics for name, metrics in networks.items() if metrics}
    if not known:
        return None
    figure = new_figure(5.6, 3.4)
    axes = figure.subplots()
    shown: set[str] = set()
    for (name, metrics), colour in zip(known.items(), cycle(_COLOURS), strict=False):
        numbers = sorted(map(int, metrics))
        best = next((key for key in MEASURED_ON if any(metrics[str(n)].get(key) is not None for n in numbers)), "mae")
        for key, width in {"mae": 0.9, best: 1.8}.items():
            values = np.array([metrics[str(number)].get(key) for number in numbers], dtype=float)
            label = name if key == best else None
            axes.plot(
                numbers, UNIT * values, ".-", color=colour, lw=width, ms=3 * width, alpha=width / 1.8, label=label
            )
        shown.add(MEASURED_ON[best])
    dress(axes, "step", "mean absolute error (deg)")
    axes.set_xlim(0.5, steps + 0.5)
    axes.set_ylim(0, 1.1 * axes.dataLim.ymax if axes.dataLim.ymax > 0 else None)
    axes.set_title(f"thick: {' or '.join(sorted(shown))}; thin: training", fontsize=9.5, loc="left")
    if len(known) <= _NAMED:
        axes.legend(ncols=2, **LEGEND)
    return figure
