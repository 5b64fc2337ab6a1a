"""Drift: whether the images that are predicted are still like those that a version was trained and tested on."""

import numpy as np
import pandas as pd
from pydantic import Field

from inclinet.data.columns import network_columns
from inclinet.data.inclination import BIN_WIDTH, MIN_INCLINATION
from inclinet.evaluation.flags import UNLIKE
from inclinet.records import Record

__all__ = ["Drift", "measure_drift"]

_FEWEST = 50  # answers on either side, for a comparison
_MOST_UNLIKE = 0.1  # five times the share among images like those of the training
_FARTHEST = 0.25  # Kolmogorov-Smirnov distance
_SIGNIFICANT = 1.95  # in units of sqrt((n + m) / (n m)): 0.1 % of samples of one distribution differ more


class Drift(Record):
    """The images of one run of `predict/batch` against those of the version's test set.

    Attributes
    ----------
    images, answers : int
        Images, and those of them with an answer.
    flagged, unlike : float
        Shares of the answers with any flag, and with the flag `unlike training images`; of images like those of the
        training, 0.02 have the latter.
    edges : list of float
        Edges of the bins of inclination (deg).
    inclinations, expected : list of float
        Shares of the answers in each bin, and of those for the test set; empty where there is none.
    distance : float or None
        Kolmogorov-Smirnov distance of the two distributions, from 0 (the same) to 1; None with too few answers.
    why : list of str
        What is out of bounds; empty where nothing is.
    """

    images: int
    answers: int
    flagged: float
    unlike: float
    edges: list[float]
    inclinations: list[float]
    expected: list[float]
    distance: float | None
    why: list[str] = Field(default_factory=list)


def measure_drift(images: pd.DataFrame, tested: pd.DataFrame | None) -> Drift:
    """Compare predicted images with the test set of the version.

    The inclinations have drifted when the distance of their distributions is above 0.25 and more than chance (0.1 %)
    explains (Kolmogorov-Smirnov test for two samples; Smirnov 1948, Ann. Math. Statist. 19, 279). The images have
    drifted when more than 10 % are unlike those of the training. With fewer than 50 answers, neither is said.

    Parameters
    ----------
    images : DataFrame
        One row per image: `inclination` (deg, NaN without an answer) and `flag`, flags separated by `; `.
    tested : DataFrame or None
        The version's predictions for its test set, one column (deg) per network; None if they are not known.
    """
    answered = images[images["inclination"].notna()]
    flags = answered["flag"].astype(str).str.split("; ")
    n = len(answered)
    flagged = float(flags.map(any).mean()) if n else 0.0
    unlike = float(flags.map(lambda several: UNLIKE in several).mean()) if n else 0.0
    found = answered["inclination"].to_numpy(float)
    expected = np.empty(0) if tested is None else tested[network_columns(tested)].median(axis=1).to_numpy(float)
    edges = np.arange(MIN_INCLINATION, 90 + BIN_WIDTH, BIN_WIDTH, dtype=float)
    comparable = min(n, len(expected)) >= _FEWEST
    distance = _distance(found, expected) if comparable else None

    why = []
    if n >= _FEWEST and unlike > _MOST_UNLIKE:
        why.append(f"{100 * unlike:.0f} % of the images are unlike those of the training, where 2 % are")
    chance = _SIGNIFICANT * np.sqrt((n + len(expected)) / (n * len(expected))) if comparable else 1.0
    if distance is not None and distance > max(_FARTHEST, chance):
        medians = f"median {np.median(found):.0f} deg, of the test set {np.median(expected):.0f} deg"
        why.append(f"the inclinations are distributed otherwise than those of the test set ({medians})")
    return Drift(
        images=len(images),
        answers=n,
        flagged=round(flagged, 4),
        unlike=round(unlike, 4),
        edges=edges.tolist(),
        inclinations=_shares(found, edges),
        expected=_shares(expected, edges),
        distance=None if distance is None else round(distance, 4),
        why=why,
    )


def _shares(values: np.ndarray, edges: np.ndarray) -> list[float]:
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return (counts / len(values)).round(4).tolist() if len(values) else []


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance of two samples."""
    values = np.concatenate([one, other])
    steps = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (one, other)]
    return float(np.abs(steps[0] - steps[1]).max())
