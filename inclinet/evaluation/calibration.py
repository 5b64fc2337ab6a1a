"""Error bars of predicted inclinations, calibrated on galaxies that the networks were not trained on.

Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018, JASA 113, 1094): an error bar grows with the
spread of the networks and of the orientations of the image, and its size is such that among left-out galaxies 68 and
95 % of the errors lie within. That holds in each third of the inclinations apart, both by the true and by the predicted
value (Mondrian and label-conditional, Vovk 2012, JMLR W&CP 25, 475): factors of both are scaled in turn until either
fits, and an interval holds every inclination that the prediction agrees with.

A training galaxy is left out by some of the subsamples only. Its prediction by those is one of fewer networks than
that of a new galaxy; by how much the error and the spread differ for it follows from the variance between subsamples.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pydantic import Field

from inclinet.data.columns import network_columns, parse_network_name, spread_column
from inclinet.records import Record

__all__ = ["LEVELS", "THIRDS", "Calibration", "calibrate", "combine", "coverage", "third"]

LEVELS = (68, 95)
"""Shares (%) of the galaxies whose inclination lies within an interval."""

THIRDS = (45, 60, 75, 90)
"""Edges (deg) of the thirds of the inclinations; the last holds its upper edge."""

_MIN_GALAXIES = 20  # 95 % of fewer is all of them
_MANY_GALAXIES = 100  # from which on the offset may change with the prediction
_SMALLEST_SHARE = 0.1  # that the part of an error bar which does not depend on the spread has of it on average
_ROUNDS = 30
_FOLDS = 5
_MIDDLE = (THIRDS[0] + THIRDS[-1]) / 2

_Thirds = tuple[float, float, float]


class ErrorModel(Record):
    """Centre and length of a bar, before it is multiplied by factors.

    Attributes
    ----------
    offset : tuple of float
        By how much (deg) the inclination exceeds the prediction on average: a polynomial in (prediction - 67.5 deg),
        highest power first; beyond `seen` that of its end.
    seen : tuple of float
        Least and greatest prediction (deg) that it was fitted on.
    base, slope : float
        The bar of an image is base + slope × its spread (deg).
    """

    offset: tuple[float, ...]
    seen: tuple[float, float]
    base: float = Field(gt=0)
    slope: float = Field(ge=0)

    def centre(self, prediction: np.ndarray) -> np.ndarray:
        """Return where the intervals of predictions (deg) are centred, nowhere above 90 deg."""
        within = np.clip(prediction, *self.seen) - _MIDDLE
        return np.minimum(prediction + np.polyval(self.offset, within), THIRDS[-1])

    def bar(self, spread: np.ndarray) -> np.ndarray:
        """Return the bars (deg) of predictions of some spread (deg)."""
        return self.base + self.slope * spread


class Calibration(Record):
    """How large error bars are, and around what.

    Attributes
    ----------
    error_model : ErrorModel
        Where intervals are centred, and how long a bar is before it is multiplied by the factors.
    by_true, by_predicted : dict
        The factors of each third of the true and of the predicted inclinations, by level in %.
    galaxies, images : int
        What it was calibrated on.
    """

    error_model: ErrorModel
    by_true: dict[int, _Thirds]
    by_predicted: dict[int, _Thirds]
    galaxies: int
    images: int

    def intervals(self, inclination: ArrayLike, spread: ArrayLike) -> pd.DataFrame:
        """Return calibrated inclinations and their error bars.

        Parameters
        ----------
        inclination, spread : array_like of shape (N,)
            Prediction and its spread (deg), as `combine` gives them.

        Returns
        -------
        DataFrame
            `inclination`, the prediction with the mean error of left-out galaxies taken off; `error`, half of the
            interval of 68 %, were there no limit at 90 deg; `low68`, `high68`, `low95` and `high95`, the ends of the
            intervals; all in deg, none of them above 90 but `error`.
        """
        inclination = np.asarray(inclination, dtype=float)
        centre, bar = self.error_model.centre(inclination), self.error_model.bar(np.asarray(spread, dtype=float))
        predicted = third(inclination)
        columns = {"inclination": centre}
        for level in LEVELS:
            factor = np.array(self.by_predicted[level])[predicted]
            low, high = _hull(centre, bar * factor, self.by_true[level])
            columns.setdefault("error", (high - low) / 2)
            columns |= {f"low{level}": low, f"high{level}": np.minimum(high, THIRDS[-1])}
        return pd.DataFrame(columns)

    def estimate(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return `intervals` of the networks' predictions, as `combine` takes them, on the table's index."""
        together = combine(table)
        return self.intervals(together["inclination"], together["spread"]).set_axis(table.index)


def _hull(centre: np.ndarray, bar: np.ndarray, factors: _Thirds) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the greatest inclination that is within the factor of its third, in bars, of the centre."""
    lows, highs = np.full_like(centre, np.inf), np.full_like(centre, -np.inf)
    for (start, end), factor in zip(pairwise((-np.inf, *THIRDS[1:-1], np.inf)), factors, strict=True):
        low = np.maximum(centre - factor * bar, start)
        high = np.minimum(centre + factor * bar, end)
        within = low <= high
        lows = np.where(within, np.minimum(lows, low), lows)
        highs = np.where(within, np.maximum(highs, high), highs)
    return lows, highs


def third(inclination: ArrayLike) -> np.ndarray:
    """Return which third of the inclinations (0, 1 or 2) each one (45 to 90 deg) is in."""
    return np.clip(np.searchsorted(THIRDS, np.asarray(inclination, dtype=float), side="right") - 1, 0, 2)


def combine(table: pd.DataFrame) -> pd.DataFrame:
    """Return the prediction of all networks together for every row.

    Parameters
    ----------
    table : DataFrame
        A column for each network and one for its spread over the orientations (deg); NaN where a network is not to
        be asked.

    Returns
    -------
    DataFrame
        `inclination`, the median of the networks, and `spread`, the standard deviation of the answers of all
        networks to all orientations, both in deg, on the index of `table`; NaN without any network.
    """
    networks = network_columns(table)
    answers = table[networks]
    turned = table[[spread_column(name) for name in networks]] ** 2
    return pd.DataFrame(
        {
            "inclination": answers.median(axis=1),
            "spread": np.sqrt(turned.mean(axis=1) + answers.var(axis=1, ddof=0)),
        }
    )


def _by_subsample(table: pd.DataFrame) -> pd.DataFrame:
    """Return the median of the networks of each subsample."""
    groups: dict[int, list[str]] = {}
    for name in network_columns(table):
        groups.setdefault(parse_network_name(name)[1], []).append(name)
    return pd.DataFrame({k: table[names].median(axis=1) for k, names in sorted(groups.items())})


def calibrate(left_out: pd.DataFrame) -> Calibration | None:
    """Calibrate the error bars on left-out galaxies.

    Parameters
    ----------
    left_out : DataFrame
        One row per image of a training galaxy: `pgc`, `inc_m` (deg) and, for each network, its prediction and its
        spread; NaN where the network was trained on the galaxy.

    Returns
    -------
    Calibration or None
        None with fewer than 20 galaxies. A third of fewer than 20 takes the factors of all.
    """
    left_out = left_out[left_out[network_columns(left_out)].notna().any(axis=1)]
    pgcs = left_out["pgc"].to_numpy()
    galaxies = len(np.unique(pgcs))
    if galaxies < _MIN_GALAXIES:
        return None
    truth = left_out["inc_m"].to_numpy(dtype=float)
    together = combine(left_out)
    prediction = together["inclination"].to_numpy()
    of_error, of_spread = _as_of_all(left_out)
    spread = together["spread"].to_numpy() * of_spread
    degree = 2 if galaxies >= _MANY_GALAXIES else 0

    def fit(rows: np.ndarray) -> ErrorModel:
        return _fit(prediction[rows], truth[rows], of_error[rows], spread[rows], degree)

    # A line that was fitted on a galaxy would judge it too kindly.
    score = np.empty_like(truth)
    for fold in range(_FOLDS):
        mine = pgcs % _FOLDS == fold
        line = fit(~mine)
        error = np.abs(truth - line.centre(prediction)) * of_error
        score[mine] = (error / line.bar(spread))[mine]
    factors = {level: _factors(score, third(truth), third(prediction), pgcs, level) for level in LEVELS}
    return Calibration(
        error_model=fit(np.ones_like(truth, bool)),
        by_true={level: by_true for level, (by_true, _) in factors.items()},
        by_predicted={level: by_predicted for level, (_, by_predicted) in factors.items()},
        galaxies=galaxies,
        images=len(left_out),
    )


def _fit(
    prediction: np.ndarray, truth: np.ndarray, of_error: np.ndarray, spread: np.ndarray, degree: int
) -> ErrorModel:
    offset = tuple(float(c) for c in np.polyfit(prediction - _MIDDLE, truth - prediction, degree))
    seen = float(prediction.min()), float(prediction.max())
    line = ErrorModel(offset=offset, seen=seen, base=1, slope=0)
    base, slope = _line(spread, np.abs(truth - line.centre(prediction)) * of_error)
    return ErrorModel(offset=offset, seen=seen, base=base, slope=slope)


def _as_of_all(left_out: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return by what the error and the spread of each row are to be multiplied to be those of all subsamples.

    The squared error of the mean of m subsamples is that of one, less (1 - 1/m) of the variance between them; the
    squared spread is more by as much.
    """
    answers = _by_subsample(left_out)
    several, all_of_them = answers.notna().sum(axis=1).to_numpy(), answers.shape[1]
    pairs = several > 1
    between = float(answers[pairs].var(axis=1, ddof=1).mean()) if pairs.any() else 0.0
    of_one = float((answers.sub(left_out["inc_m"], axis=0) ** 2).mean(axis=1).mean())
    narrow = float((combine(left_out)["spread"] ** 2 - between * (1 - 1 / several)).mean())
    error, spread = (
        np.sqrt(_grown(one, change, all_of_them) / _grown(one, change, several))
        for one, change in ((of_one, -between), (narrow, between))
    )
    return error, spread


def _grown(of_one: float, change: float, subsamples: ArrayLike) -> np.ndarray:
    """Return the mean square for so many subsamples, from that of one and its change up to infinitely many."""
    return np.maximum(of_one + change * (1 - 1 / np.asarray(subsamples)), max(0.05 * of_one, 1e-9))


def _factors(
    score: np.ndarray, true: np.ndarray, predicted: np.ndarray, pgcs: np.ndarray, level: int
) -> tuple[_Thirds, _Thirds]:
    """Return the factors of the thirds of true and of predicted inclinations, fitted in turn."""
    by_true = by_predicted = np.ones(3)
    for _ in range(_ROUNDS):
        by_true = _quantiles(score / by_predicted[predicted], true, pgcs, level)
        by_predicted = _quantiles(score / by_true[true], predicted, pgcs, level)
    return tuple(map(float, by_true)), tuple(map(float, by_predicted))


def _quantiles(score: np.ndarray, of: np.ndarray, pgcs: np.ndarray, level: int) -> np.ndarray:
    """Return for each third the score that `level` % of new galaxies stay below: of one more than were seen."""
    quantiles = []
    for part in range(3):
        chosen = of == part
        if len(np.unique(pgcs[chosen])) < _MIN_GALAXIES:
            chosen = np.ones_like(chosen)
        n = len(np.unique(pgcs[chosen]))
        quantiles.append(np.quantile(score[chosen], min(1.0, level / 100 * (1 + 1 / n))))
    return np.array(quantiles)


def _line(spread: np.ndarray, error: np.ndarray) -> tuple[float, float]:
    """Return base and slope of the mean |error| against the spread, neither below zero."""
    least = _SMALLEST_SHARE * max(error.mean(), 1e-3)
    offset = spread - spread.mean()
    variance = float(offset @ offset)
    slope = max(0.0, float(offset @ error) / variance) if variance > 0 else 0.0
    base = float(error.mean() - slope * spread.mean())
    if base < least:
        base, slope = least, max(0.0, float((error.mean() - least) / spread.mean()))
    return base, slope


def coverage(intervals: pd.DataFrame, truth: ArrayLike) -> dict[str, dict[str, float | int]]:
    """Return which share of the true inclinations (deg) lies within their intervals, by level.

    Returns
    -------
    dict
        For every level in %, as text: `all` and, by their edges, the thirds of the inclinations that hold an image;
        each with `n` images, their `coverage` (0 to 1) and the mean `width` of the intervals (deg).
    """
    truth = np.asarray(truth, dtype=float)
    of = third(truth)
    groups = {"all": np.ones(truth.size, bool)}
    groups |= {f"{start}\N{EN DASH}{end}": of == t for t, (start, end) in enumerate(pairwise(THIRDS))}
    found: dict[str, dict] = {}
    for level in LEVELS:
        low, high = intervals[f"low{level}"].to_numpy(), intervals[f"high{level}"].to_numpy()
        inside = (low <= truth) & (truth <= high)
        found[str(level)] = {
            name: {
                "n": int(rows.sum()),
                "coverage": float(inside[rows].mean()),
                "width": float((high - low)[rows].mean()),
            }
            for name, rows in groups.items()
            if rows.any()
        }
    return found
