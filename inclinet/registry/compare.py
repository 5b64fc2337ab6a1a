"""Two versions judged on the same test galaxies: which one is better, and whether that is certain."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from inclinet.data.columns import KEYS
from inclinet.errors import InclinetError
from inclinet.evaluation.bootstrap import rms_difference
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.metrics import bin_index, bin_names, compute_metrics, ensemble_predictions
from inclinet.preparation.split import sides
from inclinet.records import Record
from inclinet.settings import Retrain, Split

__all__ = ["Comparison", "Decision", "compare", "decide", "markdown_comparison"]


class Comparison(Record):
    """Champion and challenger on the same images.

    Attributes
    ----------
    images, galaxies : int
    champion, challenger : dict
        Figures of merit, as `inclinet.evaluation.metrics.compute_metrics` returns, of what predicting with them gives.
    difference : float
        RMS of the challenger less that of the champion (deg).
    interval : tuple of float
        Its 95 % confidence interval, by paired bootstrap over galaxies.
    bins : dict
        For each 5-degree bin that holds an image: `n` images, RMS of `champion` and `challenger` (deg).
    """

    images: int
    galaxies: int
    champion: dict[str, Any]
    challenger: dict[str, Any]
    difference: float
    interval: tuple[float, float]
    bins: dict[str, dict[str, float]]


class Decision(Record):
    """Whether a challenger was promoted, when, why, by which rules; `champion` was in use before, None if none was."""

    challenger: str
    champion: str | None
    promoted: bool
    why: str
    when: datetime
    comparison: Comparison | None = None
    rules: Retrain | None = None


def _answers(predictions: pd.DataFrame, calibration: Calibration | None) -> pd.Series:
    """Return what predicting with a version gives."""
    if calibration is None:
        return ensemble_predictions(predictions)["median of all"]
    return calibration.estimate(predictions)["inclination"]


def compare(
    champion: pd.DataFrame,
    challenger: pd.DataFrame,
    split: Split,
    calibrations: tuple[Calibration | None, Calibration | None] = (None, None),
) -> Comparison:
    """Compare two versions on the images that both predicted, of galaxies that neither was trained on.

    Parameters
    ----------
    champion, challenger : DataFrame
        Their predictions, as `inclinet.evaluation.predictions.read_predictions` returns; of the challenger for its test set.
    split : Split
        How the champion's galaxies were divided: those of its training set do not count.
    calibrations : tuple of Calibration or None
        Those of champion and challenger; their predictions then hold the networks' spreads.

    Raises
    ------
    InclinetError
        When no image is left.
    """
    tables = [
        table[KEYS].assign(prediction=_answers(table, calibration))
        for table, calibration in zip((champion, challenger), calibrations, strict=True)
    ]
    both = tables[0].merge(tables[1], on=KEYS, suffixes=("_champion", "_challenger"))
    both = both[sides(both["pgc"].to_numpy(), split)["test", 0]]
    if both.empty:
        raise InclinetError("champion and challenger have no test galaxy in common")
    truth = both["inc_m"].to_numpy(dtype=float)
    named = {name: both[f"prediction_{name}"].to_numpy() for name in ("champion", "challenger")}
    pgcs = both["pgc"].to_numpy()
    difference, interval = rms_difference(named["champion"] - truth, named["challenger"] - truth, pgcs)
    of = bin_index(truth)
    bins = {
        name: {"n": int((of == b).sum())}
        | {who: compute_metrics(values[of == b], truth[of == b])["rms"] for who, values in named.items()}
        for b, name in enumerate(bin_names())
        if (of == b).any()
    }
    figures = {name: compute_metrics(values, truth) for name, values in named.items()}
    return Comparison(
        images=len(both),
        galaxies=len(np.unique(pgcs)),
        difference=difference,
        interval=interval,
        bins=bins,
        **figures,
    )


def decide(comparison: Comparison, rules: Retrain) -> tuple[bool, str]:
    """Return whether the challenger is to take the champion's place, and why or why not."""
    low, high = comparison.interval
    change = f"its RMS differs by {comparison.difference:+.2f} deg (95 % confidence {low:+.2f} to {high:+.2f})"
    against = []
    if comparison.galaxies < rules.min_galaxies:
        against.append(
            f"{comparison.galaxies} test galaxies are fewer than the {rules.min_galaxies} wanted to judge by"
        )
    if high >= 0:
        against.append(f"{change}: not lower beyond the noise")
    for name, found in comparison.bins.items():
        worse = found["challenger"] - found["champion"]
        if worse > rules.worst_bin:
            against.append(
                f"from {name} deg its RMS is {worse:.2f} deg higher, more than the {rules.worst_bin} allowed"
            )
    return not against, "; ".join(against) or change


def markdown_comparison(comparison: Comparison, names: Mapping[str, str]) -> str:
    """Return the comparison as Markdown; `names` are the versions of `champion` and `challenger`."""
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
        f"{comparison.galaxies:,} test galaxies:\n",
        "| | champion | challenger |",
        "|:--|--:|--:|",
    ]
    for text, (key, form) in rows.items():
        lines.append(
            f"| {text} | {form.format(comparison.champion[key])} | {form.format(comparison.challenger[key])} |"
        )
    lines += [
        f"| RMS from {name} deg ({found['n']:.0f} images) | {found['champion']:.2f} | {found['challenger']:.2f} |"
        for name, found in comparison.bins.items()
    ]
    return "\n".join(lines) + "\n"
