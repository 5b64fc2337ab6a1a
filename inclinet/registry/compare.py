"""Compares two versions on the same test galaxies: which one is better, and whether that is certain."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from inclinet.data.columns import KEYS
from inclinet.errors import InclinetError
from inclinet.evaluation.bootstrap import rms_difference
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.galaxies import median_by_galaxy
from inclinet.evaluation.metrics import bin_index, bin_names, compute_metrics, ensemble_predictions
from inclinet.preparation.split import sides
from inclinet.records import Record
from inclinet.settings import Retrain, Split

__all__ = ["Comparison", "compare", "decide", "markdown_comparison"]

_VERSIONS = ["champion", "challenger"]


class Comparison(Record):
    """Champion and challenger on the same galaxies, whose answers are the medians of those to the same images.

    Attributes
    ----------
    images, galaxies : int
    champion, challenger : dict
        Metrics by galaxy, as `inclinet.evaluation.metrics.compute_metrics` returns, of what predicting with each gives.
    by_image : dict
        The same by image, of `champion` and `challenger`; empty in decisions made before galaxies were compared.
    difference : float
        RMS of the challenger minus that of the champion (deg).
    interval : tuple of float
        Its 95 % confidence interval, by paired bootstrap over galaxies.
    bins : dict
        For each 5-degree bin that holds a galaxy: `n` galaxies, and the RMS of `champion` and `challenger` (deg).
    """

    images: int
    galaxies: int
    champion: dict[str, Any]
    challenger: dict[str, Any]
    by_image: dict[str, dict[str, Any]] = Field(default_factory=dict)
    difference: float
    interval: tuple[float, float]
    bins: dict[str, dict[str, float]]


def compare(
    champion: pd.DataFrame,
    challenger: pd.DataFrame,
    split: Split | None,
    calibrations: tuple[Calibration | None, Calibration | None] = (None, None),
) -> Comparison:
    """Compare two versions by galaxy, on the images that both predicted, of galaxies that neither was trained on.

    Parameters
    ----------
    champion, challenger : DataFrame
        Their predictions, as `inclinet.evaluation.predictions.read_predictions` returns.
    split : Split or None
        How the champion's galaxies were divided: those of its training set do not count. None if all were predicted by
        networks that were not trained on them.
    calibrations : tuple of Calibration or None
        Calibrations of champion and challenger; predictions of a calibrated version hold the networks' spreads.

    Raises
    ------
    InclinetError
        When no image is left.
    """
    first, second = (
        table[KEYS].assign(**{name: _predicted(table, calibration)})
        for name, table, calibration in zip(_VERSIONS, (champion, challenger), calibrations, strict=True)
    )
    both = first.merge(second, on=KEYS)
    if split is not None:
        both = both[sides(both["pgc"].to_numpy(), split)["test", 0]]
    if both.empty:
        raise InclinetError("champion and challenger have no test galaxy in common")
    images = both[["inc_m", *_VERSIONS]]
    galaxies = median_by_galaxy(images, both["pgc"])
    truth = galaxies["inc_m"].to_numpy(dtype=float)
    named = {name: galaxies[name].to_numpy() for name in _VERSIONS}
    difference, interval = rms_difference(
        named["champion"] - truth, named["challenger"] - truth, galaxies.index.to_numpy()
    )
    return Comparison(
        images=len(images),
        galaxies=len(galaxies),
        champion=compute_metrics(named["champion"], truth),
        challenger=compute_metrics(named["challenger"], truth),
        by_image={name: compute_metrics(images[name], images["inc_m"]) for name in named},
        difference=difference,
        interval=interval,
        bins=_rms_by_bin(named, truth),
    )


def _predicted(predictions: pd.DataFrame, calibration: Calibration | None) -> pd.Series:
    """Return what predicting with a version gives (deg)."""
    if calibration is None:
        return ensemble_predictions(predictions)["median of all"]
    return calibration.estimate(predictions)["inclination"]


def _rms_by_bin(named: Mapping[str, np.ndarray], truth: np.ndarray) -> dict[str, dict[str, float]]:
    """Return for each bin that holds a galaxy the number `n` of galaxies and the RMS of each prediction (deg)."""
    bin_of_galaxy = bin_index(truth)
    table: dict[str, dict[str, float]] = {}
    for place, name in enumerate(bin_names()):
        rows = bin_of_galaxy == place
        if rows.any():
            table[name] = {"n": int(rows.sum())}
            for version, values in named.items():
                table[name][version] = compute_metrics(values[rows], truth[rows])["rms"]
    return table


def decide(comparison: Comparison, rules: Retrain) -> tuple[bool, str]:
    """Return whether the challenger replaces the champion, and why or why not."""
    low, high = comparison.interval
    change = f"its RMS differs by {comparison.difference:+.2f} deg (95 % confidence interval {low:+.2f} to {high:+.2f})"
    against = []
    if comparison.galaxies < rules.min_galaxies:
        against.append(
            f"{comparison.galaxies} test galaxies are too few to decide: the rules ask for {rules.min_galaxies}"
        )
    if high >= 0:
        against.append(f"{change}, which is no certain improvement")
    for name, found in comparison.bins.items():
        worse = found["challenger"] - found["champion"]
        if worse > rules.worst_bin:
            against.append(f"at {name} deg its RMS is {worse:.2f} deg higher; the rules allow {rules.worst_bin}")
    return not against, "; ".join(against) or change


def markdown_comparison(comparison: Comparison, names: Mapping[str, str]) -> str:
    """Return the comparison as Markdown; `names` gives the versions of `champion` and `challenger`."""
    rows = {
        "RMS (deg)": ("rms", "{:.2f}"),
        "MAE (deg)": ("mae", "{:.2f}"),
        "bias (deg)": ("bias", "{:+.2f}"),
        "68 % of errors within (deg)": ("p68", "{:.2f}"),
        "95 % of errors within (deg)": ("p95", "{:.2f}"),
        "errors above 10 deg": ("above_10", "{:.1%}"),
    }
    lines = [
        f"Champion {names['champion']}, challenger {names['challenger']}, on {comparison.images:,} images of "
        f"{comparison.galaxies:,} test galaxies; by galaxy:\n",
        "| | champion | challenger |",
        "|:--|--:|--:|",
    ]
    for text, (key, form) in rows.items():
        lines.append(
            f"| {text} | {form.format(comparison.champion[key])} | {form.format(comparison.challenger[key])} |"
        )
    lines += [
        f"| RMS at {name} deg ({found['n']:.0f} galaxies) | {found['champion']:.2f} | {found['challenger']:.2f} |"
        for name, found in comparison.bins.items()
    ]
    if comparison.by_image:
        rms = (f"{comparison.by_image[name]['rms']:.2f}" for name in _VERSIONS)
        lines.append(f"| RMS by image (deg) | {' | '.join(rms)} |")
    return "\n".join(lines) + "\n"
