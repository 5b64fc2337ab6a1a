"""Error bars of predicted inclinations: what a calibration is, and how it is applied.

Split conformal prediction (Papadopoulos et al. 2002; Lei et al. 2018, JASA 113, 1094): an error bar grows with the
spread of the networks and of the orientations of the image, and its size is chosen so that 68 and 95 % of the errors
on left-out galaxies lie within it. This holds separately in each third of the inclinations, both of the true and of
the predicted value (Mondrian and label-conditional, Vovk 2012, JMLR W&CP 25, 475). An interval holds every inclination
that the prediction agrees with. `inclinet.evaluation.calibrate` fits a calibration.

The images of a galaxy err together, so that the error of their median hardly falls with their number: galaxies with
several images have error bars of their own (`inclinet.evaluation.galaxies`).
"""

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pydantic import AliasChoices, Field

from inclinet.data.columns import network_columns, spread_column
from inclinet.records import Record

__all__ = [
    "ESTIMATES",
    "LEVELS",
    "MIDDLE",
    "THIRDS",
    "Calibration",
    "ErrorBars",
    "ErrorModel",
    "Factors",
    "combine",
    "coverage",
    "third",
    "widen",
]

LEVELS = (68, 95)
"""Shares (%) of the galaxies whose inclination lies within an interval."""

ESTIMATES = ["inclination", "error", "low68", "high68", "low95", "high95"]
"""Columns of an answer with its error bar and intervals (deg)."""

THIRDS = (45, 60, 75, 90)
"""Edges (deg) of the thirds of the inclinations; the last third includes its upper edge."""

MIDDLE = (THIRDS[0] + THIRDS[-1]) / 2
"""Centre (deg) of the inclinations: the offset of an `ErrorModel` is a polynomial about it."""

_LONGER = 1.3
"""How much longer the error bar is of a galaxy that is larger than its image: in a cross-validation of 500 galaxies,
images cropped to 60 % had an RMS of 3.7 deg instead of 2.9."""

Factors = tuple[float, float, float]
"""One factor for each third of the inclinations."""


class ErrorModel(Record):
    """Centre of the intervals, and length of a bar before it is multiplied by factors.

    Attributes
    ----------
    offset : tuple of float
        Mean of inclination - prediction (deg): a polynomial in (prediction - 67.5 deg), highest power first. Outside
        `seen` it keeps the value at the nearest end.
    seen : tuple of float
        Smallest and largest prediction (deg) that it was fitted on.
    base, slope : float
        The bar of an image is base + slope × its spread (deg).
    """

    offset: tuple[float, ...]
    seen: tuple[float, float]
    base: float = Field(gt=0)
    slope: float = Field(ge=0)

    def centre(self, prediction: np.ndarray) -> np.ndarray:
        """Return the centres (deg) of the intervals of predictions (deg), never above 90 deg; shape (N,)."""
        within = np.clip(prediction, *self.seen) - MIDDLE
        return np.minimum(prediction + np.polyval(self.offset, within), THIRDS[-1])

    def bar(self, spread: np.ndarray) -> np.ndarray:
        """Return the bars (deg) of predictions with the given spreads (deg); shape (N,)."""
        return self.base + self.slope * spread


class ErrorBars(Record):
    """How large error bars are, and what they are centred on.

    Attributes
    ----------
    error_model : ErrorModel
        Where intervals are centred, and how long a bar is before it is multiplied by the factors. Files written by
        earlier versions call it `line`.
    by_true, by_predicted : dict
        The factors of each third of the true and of the predicted inclinations, by level in %.
    galaxies, images : int
        Numbers of left-out galaxies and of their images, or sets of images, that it was fitted on.
    """

    error_model: ErrorModel = Field(validation_alias=AliasChoices("error_model", "line"))
    by_true: dict[int, Factors]
    by_predicted: dict[int, Factors]
    galaxies: int
    images: int

    def intervals(self, inclination: ArrayLike, spread: ArrayLike) -> pd.DataFrame:
        """Return calibrated inclinations and their error bars.

        Parameters
        ----------
        inclination, spread : array_like of shape (N,)
            Prediction and its spread (deg), as `combine` returns them.

        Returns
        -------
        DataFrame
            `inclination`, the prediction minus the mean error on left-out galaxies; `error`, half of the 68 %
            interval as it would be without the limit at 90 deg; `low68`, `high68`, `low95` and `high95`, the ends of
            the intervals. All in deg, and all but `error` at most 90.
        """
        inclination = np.asarray(inclination, dtype=float)
        centre, bar = self.error_model.centre(inclination), self.error_model.bar(np.asarray(spread, dtype=float))
        predicted = third(inclination)
        columns = {"inclination": centre}
        for level in LEVELS:
            factor = np.array(self.by_predicted[level])[predicted]
            low, high = _interval_ends(centre, bar * factor, self.by_true[level])
            columns.setdefault("error", (high - low) / 2)
            columns |= {f"low{level}": low, f"high{level}": np.minimum(high, THIRDS[-1])}
        return pd.DataFrame(columns)


class Calibration(ErrorBars):
    """The error bars of images, and those of galaxies with images in several bands.

    Attributes
    ----------
    of_galaxies : dict
        Error bars by the number of bands, from 2 to the most that enough galaxies have; empty for versions published
        before these were kept.
    """

    of_galaxies: dict[int, ErrorBars] = Field(default_factory=dict)

    def estimate(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the `intervals` of the combined predictions of the networks, on the index of `table`.

        `table` holds what `combine` needs.
        """
        combined = combine(table)
        return self.intervals(combined["inclination"], combined["spread"]).set_axis(table.index)

    def for_bands(self, number: int) -> ErrorBars | None:
        """Return the error bars of galaxies with images in a number of bands, None if they are those of images.

        A galaxy in more bands than the calibration knows has the error bars of the most that it knows.
        """
        known = [bands for bands in self.of_galaxies if bands <= number]
        return self.of_galaxies[max(known)] if known else None


def widen(estimates: pd.DataFrame, rows: ArrayLike) -> pd.DataFrame:
    """Return answers with longer error bars where the image shows only the inner part of the galaxy.

    Parameters
    ----------
    estimates : DataFrame
        As `ErrorBars.intervals` returns, and any other columns.
    rows : array_like of bool, shape (N,)
        Which ones are to have longer error bars.
    """
    factors = np.where(rows, _LONGER, 1.0)
    centre = estimates["inclination"]
    ends = {
        name: np.minimum(centre + factors * (estimates[name] - centre), THIRDS[-1])
        for name in (f"{end}{level}" for level in LEVELS for end in ("low", "high"))
    }
    return estimates.assign(error=factors * estimates["error"], **ends)


def _interval_ends(centre: np.ndarray, bar: np.ndarray, factors: Factors) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest inclination that is within its third's factor × bar of the centre."""
    lows, highs = np.full_like(centre, np.inf), np.full_like(centre, -np.inf)
    for (start, end), factor in zip(pairwise((-np.inf, *THIRDS[1:-1], np.inf)), factors, strict=True):
        low = np.maximum(centre - factor * bar, start)
        high = np.minimum(centre + factor * bar, end)
        within = low <= high
        lows = np.where(within, np.minimum(lows, low), lows)
        highs = np.where(within, np.maximum(highs, high), highs)
    return lows, highs


def third(inclination: ArrayLike) -> np.ndarray:
    """Return the third (0, 1 or 2) that each inclination (45 to 90 deg) falls in."""
    return np.clip(np.searchsorted(THIRDS, np.asarray(inclination, dtype=float), side="right") - 1, 0, 2)


def combine(table: pd.DataFrame) -> pd.DataFrame:
    """Return the combined prediction of all networks for every row.

    Parameters
    ----------
    table : DataFrame
        For each network a column of predictions and one of spreads over the orientations (deg); NaN where a network
        does not count.

    Returns
    -------
    DataFrame
        `inclination`, the median of the networks, and `spread`, the standard deviation of the answers of all networks
        for all orientations, both in deg, on the index of `table`; NaN where no network counts.
    """
    networks = network_columns(table)
    answers = table[networks]
    variances = table[[spread_column(name) for name in networks]] ** 2
    return pd.DataFrame(
        {
            "inclination": answers.median(axis=1),
            "spread": np.sqrt(variances.mean(axis=1) + answers.var(axis=1, ddof=0)),
        }
    )


def coverage(intervals: pd.DataFrame, truth: ArrayLike) -> dict[str, dict[str, dict[str, float | int]]]:
    """Return the share of true inclinations that lie within their intervals, by level.

    Parameters
    ----------
    intervals : DataFrame
        As `Calibration.intervals` returns.
    truth : array_like of shape (N,)
        True inclinations (deg).

    Returns
    -------
    dict
        For every level in %, as text: `all` and, by their edges, the thirds of the inclinations that hold an image;
        each with `n` images, their `coverage` (0 to 1) and the mean `width` of the intervals (deg).
    """
    truth = np.asarray(truth, dtype=float)
    thirds = third(truth)
    groups = {"all": np.ones(truth.size, bool)}
    groups |= {f"{start}\N{EN DASH}{end}": thirds == t for t, (start, end) in enumerate(pairwise(THIRDS))}
    shares: dict[str, dict[str, dict[str, float | int]]] = {}
    for level in LEVELS:
        low, high = intervals[f"low{level}"].to_numpy(), intervals[f"high{level}"].to_numpy()
        inside = (low <= truth) & (truth <= high)
        shares[str(level)] = {
            name: {
                "n": int(rows.sum()),
                "coverage": float(inside[rows].mean()),
                "width": float((high - low)[rows].mean()),
            }
            for name, rows in groups.items()
            if rows.any()
        }
    return shares
