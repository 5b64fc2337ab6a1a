"""Figures of what an evaluation counts and averages: methods side by side, error bars, the distribution of labels."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from inclinet.data.columns import parse_network_name
from inclinet.data.inclination import inclination_bin
from inclinet.evaluation.bootstrap import chance_range
from inclinet.evaluation.metrics import bin_names
from inclinet.figures.style import (
    BLUE,
    GRAY,
    GREEN,
    INK,
    LEGEND,
    ORANGE,
    PALE,
    PURPLE,
    VERMILLION,
    WIDTH,
    dress,
    new_figure,
    save,
)

__all__ = ["coverage_against_chance", "family_comparison", "inclination_histogram"]


def family_comparison(evaluation: Mapping, path: str | Path, truth: str = "human inclination") -> Path:
    """Draw the RMS of every network, ensemble and baseline with its 95 % confidence interval.

    Networks of the same model have the same colour.

    Parameters
    ----------
    evaluation : mapping
        As `inclinet.evaluation.results.evaluate` returns.
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
        If `path` has another suffix.
    """
    models = list(dict.fromkeys(parse_network_name(name)[0] for name in evaluation["networks"]))
    colors = dict(zip(models, [GREEN, VERMILLION, PURPLE] * len(models), strict=False))
    rows = [(name, metrics, colors[parse_network_name(name)[0]]) for name, metrics in evaluation["networks"].items()]
    rows += [(name, metrics, BLUE) for name, metrics in evaluation["ensembles"].items()]
    rows += [(name, metrics, ORANGE) for name, metrics in evaluation["baselines"].items()]
    figure = new_figure(WIDTH, max(2.6, 1.3 + 0.28 * len(rows)))
    axes = figure.subplots()
    for place, (_, metrics, color) in enumerate(rows):
        rms, (low, high) = metrics["rms"], metrics["ci"]["rms"]
        axes.plot([low, high], [place, place], color=color, lw=2.5, alpha=0.45, solid_capstyle="round")
        axes.plot(rms, place, "o", color=color, ms=7)
        axes.annotate(f"{rms:.2f}", (high, place), (6, 0), textcoords="offset points", va="center", color=INK)
    dress(axes, f"RMS of prediction \N{MINUS SIGN} {truth} (deg)", "")
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.2 * max(metrics["ci"]["rms"][1] for _, metrics, _ in rows))
    return save(figure, path)


def coverage_against_chance(intervals: Mapping[str, Mapping[str, Mapping[str, float]]], path: str | Path) -> Path:
    """Draw the share of galaxies within their intervals, beside the range that chance allows for as many.

    Parameters
    ----------
    intervals : mapping
        As `inclinet.evaluation.calibration.coverage` returns.
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
    figure = new_figure(WIDTH, 3.6)
    axes = figure.subplots()
    names = list(dict.fromkeys(name for groups in intervals.values() for name in groups))
    lowest = 100.0
    for (level, groups), color in zip(intervals.items(), (BLUE, VERMILLION), strict=False):
        axes.axvline(float(level), color=color, lw=0.9, ls="--", zorder=1)
        for name, found in groups.items():
            place, ends = names.index(name), [100 * end for end in chance_range(int(found["n"]), float(level) / 100)]
            axes.plot(ends, [place, place], color=PALE, lw=11, solid_capstyle="butt", zorder=2)
            axes.plot(100 * found["coverage"], place, "o", color=color, ms=8, zorder=3)
            lowest = min(lowest, ends[0], 100 * found["coverage"])
        axes.plot([], [], "o", color=color, ms=8, label=f"{level} % intervals")
    axes.plot([], [], color=PALE, lw=11, label="95 % of chance")
    dress(axes, "galaxies within their interval (%)", "")
    axes.set_yticks(range(len(names)), [name if name == "all" else f"{name}\N{DEGREE SIGN}" for name in names])
    axes.set(xlim=(lowest - 3, 101), ylim=(len(names) - 0.4, -0.6))
    axes.grid(visible=False, axis="y")
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.3, **LEGEND)
    return save(figure, path)


def inclination_histogram(
    before: ArrayLike, after: ArrayLike, path: str | Path, truth: str = "human inclination"
) -> Path:
    """Draw the distributions of the labels before and after augmentation, in the bins of the augmentation.

    Parameters
    ----------
    before, after : array_like of shape (N,)
        Inclinations (deg), 45 to 90, of the images before and after augmentation.
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
        If an inclination lies outside 45 to 90 deg, or `path` has another suffix.
    """
    names = bin_names()
    places = np.arange(len(names))
    figure = new_figure(WIDTH, 4)
    axes = figure.subplots()
    for labels, name, color, offset in (
        (before, "before", GRAY, -0.2),
        (after, "after", BLUE, 0.2),
    ):
        counts = np.bincount(inclination_bin(np.asarray(labels)), minlength=len(names))
        share = 100 * counts / max(1, counts.sum())
        label = f"{name} augmentation ({counts.sum():,} images)"
        axes.bar(places + offset, share, width=0.38, color=color, label=label, zorder=2)
    dress(axes, f"{truth} (deg)", "share of images (%)")
    axes.set_xticks(places, names)
    axes.tick_params(axis="x", length=0, labelsize=8.5)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, max(1, 1.3 * axes.get_ylim()[1]))
    axes.legend(loc="upper left", **LEGEND)
    return save(figure, path)
