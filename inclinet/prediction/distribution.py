"""The figure of many answers: how many galaxies have which inclination."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from inclinet.figures.style import BLUE, LEGEND, ORANGE, dress, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_answers"]

_BIN = 5  # deg


def draw_answers(galaxies: pd.DataFrame) -> "Figure":
    """Draw the distribution of the inclinations of galaxies, those with a flag on top of those without.

    `galaxies` has `inclination` (deg, NaN without an answer) and `flag`.
    """
    answered = galaxies.dropna(subset="inclination")
    lowest = _BIN * int(np.floor(answered["inclination"].clip(upper=45).min() / _BIN)) if len(answered) else 45
    edges = np.arange(lowest, 90 + _BIN, _BIN)
    flagged = answered["flag"] != ""
    figure = new_figure(5.6, 3.0)
    axes = figure.subplots()
    axes.hist(
        [
            answered.loc[~flagged, "inclination"],
            answered.loc[flagged, "inclination"],
        ],
        edges.tolist(),
        stacked=True,
        color=[BLUE, ORANGE],
        label=["no flag", "flagged"],
        rwidth=0.92,
        zorder=2,
    )
    dress(axes, "inclination (deg)", "galaxies")
    axes.set_xticks(edges)
    axes.grid(visible=False, axis="x")
    axes.legend(**LEGEND)
    return figure
