"""Fits error bars on left-out galaxies: training galaxies that some of the networks were not trained on.

`inclinet.evaluation.calibration` describes the method. Two things are particular to the fit. The factors of the thirds
of the true and of the predicted inclinations are scaled in turn until both fit. And as only some of the subsamples
leave out a given galaxy, fewer networks predict it than will predict a new one; the effect of that on its error and
its spread follows from the variance between subsamples.

The error bars of galaxies are fitted in the same way on sets of two and more bands of every galaxy, whose images are
pooled after a calibration on other galaxies.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from inclinet.data.columns import network_columns, parse_network_name
from inclinet.evaluation.calibration import (
    ESTIMATES,
    LEVELS,
    MIDDLE,
    Calibration,
    ErrorBars,
    ErrorModel,
    Factors,
    combine,
    third,
)
from inclinet.evaluation.galaxies import galaxy_spread, pool_images
from inclinet.preparation.split import hash_fraction

__all__ = ["calibrate", "estimate_others"]

_MIN_GALAXIES = 20  # 95 % of fewer is all of them
_MANY_GALAXIES = 100  # enough for an offset that changes with the prediction
_SMALLEST_SHARE = 0.1  # smallest share of the mean error bar that does not depend on the spread
_ROUNDS = 30
_FOLDS = 5


def calibrate(left_out: pd.DataFrame) -> Calibration | None:
    """Calibrate the error bars on left-out galaxies.

    Parameters
    ----------
    left_out : DataFrame
        One row per image of a training galaxy: `pgc`, `filter`, `inc_m` (deg) and, for each network, its prediction
        and its spread (deg); NaN where the network was trained on the galaxy.

    Returns
    -------
    Calibration or None
        None with fewer than 20 galaxies. A third with fewer than 20 galaxies takes the factors of all.
    """
    left_out = left_out[left_out[network_columns(left_out)].notna().any(axis=1)]
    galaxies = left_out["pgc"].nunique()
    if galaxies < _MIN_GALAXIES:
        return None
    combined = combine(left_out)
    error_scale, spread_scale = _scale_to_all_subsamples(left_out)
    images = pd.DataFrame(
        {
            "galaxy": left_out["pgc"].to_numpy(),
            "band": left_out["filter"].to_numpy(),
            "truth": left_out["inc_m"].to_numpy(dtype=float),
            "prediction": combined["inclination"].to_numpy(),
            "spread": combined["spread"].to_numpy() * spread_scale,
            "error_scale": error_scale,
        }
    )
    degree = 2 if galaxies >= _MANY_GALAXIES else 0
    return Calibration(**dict(_fit_error_bars(images, degree)), of_galaxies=_fit_galaxies(images, degree))


def estimate_others(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return calibrated inclinations and error bars, each by a calibration on other galaxies.

    Parameters
    ----------
    table : DataFrame
        As for `calibrate`, with enough galaxies for it.

    Returns
    -------
    images : DataFrame
        As `Calibration.intervals`, row for row.
    galaxies : DataFrame
        As `inclinet.evaluation.galaxies.pool_images`, by PGC number.
    """
    images, galaxies = [], []
    for rest, rows in _cross_fitting_folds(table["pgc"].to_numpy()):
        calibration = calibrate(table[rest]) or calibrate(table)
        assert calibration is not None
        images.append(calibration.estimate(table[rows]))
        galaxies.append(pool_images(images[-1], table.loc[rows, "pgc"], table.loc[rows, "filter"], calibration))
    return pd.concat(images).reindex(table.index), pd.concat(galaxies).reindex(table["pgc"].unique())


def _fit_error_bars(rows: pd.DataFrame, degree: int | None) -> ErrorBars:
    """Fit error bars of predictions.

    Parameters
    ----------
    rows : DataFrame
        One row per prediction: `galaxy`, `truth`, `prediction` and `spread` (deg); `error_scale`, the factor that turns
        its error into that of a prediction by all networks.
    degree : int or None
        Degree of the offset, as for `_fit_error_model`.
    """

    def fit(chosen: pd.DataFrame) -> ErrorModel:
        columns = {name: chosen[name].to_numpy() for name in ("prediction", "truth", "error_scale", "spread")}
        return _fit_error_model(**columns, degree=degree)

    galaxies, truth, prediction = (rows[name].to_numpy() for name in ("galaxy", "truth", "prediction"))
    # Cross-fitted: a model that was fitted on a galaxy would make its error look too small.
    score = np.empty_like(truth)
    for rest, part in _cross_fitting_folds(galaxies):
        model, scored = fit(rows[rest]), rows[part]
        error = np.abs(truth[part] - model.centre(prediction[part])) * scored["error_scale"]
        score[part] = error / model.bar(scored["spread"].to_numpy())
    factors = {level: _fit_factors(score, third(truth), third(prediction), galaxies, level) for level in LEVELS}
    return ErrorBars(
        error_model=fit(rows),
        by_true={level: by_true for level, (by_true, _) in factors.items()},
        by_predicted={level: by_predicted for level, (_, by_predicted) in factors.items()},
        galaxies=len(np.unique(galaxies)),
        images=len(rows),
    )


def _fit_galaxies(images: pd.DataFrame, degree: int) -> dict[int, ErrorBars]:
    """Fit the error bars of galaxies by their number of bands; the answer of a galaxy stays the median of its images.

    `images` and `degree` are those of `_fit_error_bars`, with the `band` of each image.
    """
    parts = []
    for rest, part in _cross_fitting_folds(images["galaxy"].to_numpy()):
        error_bars, rows = _fit_error_bars(images[rest], degree), images[part]
        estimates = error_bars.intervals(rows["prediction"], rows["spread"]).set_axis(rows.index)
        parts.append(rows.join(estimates))
    estimated = pd.concat(parts).sort_values(["galaxy", "band"], ignore_index=True)
    fitted: dict[int, ErrorBars] = {}
    for number in range(2, 1 + int(estimated.groupby("galaxy").size().max())):
        sets = _sets_of_images(estimated, number)
        if sets["galaxy"].nunique() < _MIN_GALAXIES:
            break
        answers = pool_images(sets[[*ESTIMATES, "galaxy", "truth", "error_scale"]], sets["set"], sets["band"])
        rows = answers.assign(prediction=answers["inclination"], spread=galaxy_spread(answers))
        fitted[number] = _fit_error_bars(rows.astype({"galaxy": images["galaxy"].dtype}), degree=None)
    return fitted


def _sets_of_images(images: pd.DataFrame, number: int) -> pd.DataFrame:
    """Return sets of `number` images of each galaxy that has as many, told apart by the column `set`.

    A galaxy with m > `number` images gives m sets, each of which begins with another image: every image counts equally.
    `images` are sorted by galaxy and band.
    """
    grouped = images.groupby("galaxy")["band"]
    place, size, galaxy = grouped.cumcount(), grouped.transform("size"), grouped.ngroup()
    most = int(size.max())
    parts = []
    for start in range(most):
        is_new_set = (start < size) & (size > number) | (start == 0) & (size == number)
        chosen = is_new_set & ((place - start) % size < number)
        parts.append(images[chosen].assign(set=galaxy[chosen] * most + start))
    return pd.concat(parts, ignore_index=True)


def _cross_fitting_folds(pgcs: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return (rows to fit on, rows to score), bool (N,), for each fold that holds a galaxy.

    The fold of a galaxy follows from a hash of its PGC number, as its side in the split does: PGC numbers themselves
    may all have the same remainder.
    """
    unique, galaxy = np.unique(pgcs, return_inverse=True)
    fractions = np.array([hash_fraction(pgc, 0, "calibration fold") for pgc in unique.tolist()])
    folds = (fractions * _FOLDS).astype(int)[galaxy]
    if len(np.unique(folds)) == 1:  # nothing else to fit on
        return [(np.ones_like(folds, bool), np.ones_like(folds, bool))]
    return [(folds != fold, folds == fold) for fold in np.unique(folds)]


def _fit_error_model(
    prediction: np.ndarray, truth: np.ndarray, error_scale: np.ndarray, spread: np.ndarray, degree: int | None
) -> ErrorModel:
    """Fit offset (a polynomial of the given degree, none for None) and bar; arrays (N,), in deg but for the scale."""
    polynomial = [0.0] if degree is None else np.polyfit(prediction - MIDDLE, truth - prediction, degree)
    offset = tuple(float(c) for c in polynomial)
    seen = float(prediction.min()), float(prediction.max())
    centred = ErrorModel(offset=offset, seen=seen, base=1, slope=0)
    base, slope = _fit_bar(spread, np.abs(truth - centred.centre(prediction)) * error_scale)
    return ErrorModel(offset=offset, seen=seen, base=base, slope=slope)


def _fit_bar(spread: np.ndarray, error: np.ndarray) -> tuple[float, float]:
    """Return base and slope of the mean absolute error (deg) against the spread (deg), neither below zero."""
    smallest = _SMALLEST_SHARE * max(error.mean(), 1e-3)
    offset = spread - spread.mean()
    variance = float(offset @ offset)
    slope = max(0.0, float(offset @ error) / variance) if variance > 0 else 0.0
    base = float(error.mean() - slope * spread.mean())
    if base < smallest:
        base, slope = smallest, max(0.0, float((error.mean() - smallest) / spread.mean()))
    return base, slope


def _scale_to_all_subsamples(left_out: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors, (N,) each, that turn the error and the spread of a row into those for all subsamples.

    The squared error of the mean of m subsamples is that of one, minus (1 - 1/m) of the variance between them; the
    squared spread is larger by as much.
    """
    answers = _median_by_subsample(left_out)
    number, all_subsamples = answers.notna().sum(axis=1).to_numpy(), answers.shape[1]
    several = number > 1
    between = float(answers[several].var(axis=1, ddof=1).mean()) if several.any() else 0.0
    squared_error = float((answers.sub(left_out["inc_m"], axis=0) ** 2).mean(axis=1).mean())
    squared_spread = float((combine(left_out)["spread"] ** 2 - between * (1 - 1 / number)).mean())
    error_scale, spread_scale = (
        np.sqrt(_mean_square(of_one, change, all_subsamples) / _mean_square(of_one, change, number))
        for of_one, change in ((squared_error, -between), (squared_spread, between))
    )
    return error_scale, spread_scale


def _median_by_subsample(table: pd.DataFrame) -> pd.DataFrame:
    """Return the median of the networks of each subsample (deg), one column per subsample."""
    networks: dict[int, list[str]] = {}
    for name in network_columns(table):
        networks.setdefault(parse_network_name(name)[1], []).append(name)
    return pd.DataFrame({k: table[names].median(axis=1) for k, names in sorted(networks.items())})


def _mean_square(of_one: float, change: float, subsamples: ArrayLike) -> np.ndarray:
    """Return the mean square for a number of subsamples: that of one, and its change from one to infinitely many."""
    return np.maximum(of_one + change * (1 - 1 / np.asarray(subsamples)), max(0.05 * of_one, 1e-9))


def _fit_factors(
    score: np.ndarray, true: np.ndarray, predicted: np.ndarray, pgcs: np.ndarray, level: int
) -> tuple[Factors, Factors]:
    """Return the factors of the thirds of the true and of the predicted inclinations, fitted in turn."""
    of_true, of_predicted = _groups(true, pgcs, level), _groups(predicted, pgcs, level)
    by_true = by_predicted = np.ones(3)
    for _ in range(_ROUNDS):
        by_true = _quantiles(score / by_predicted[predicted], of_true)
        by_predicted = _quantiles(score / by_true[true], of_predicted)
    return _as_factors(by_true), _as_factors(by_predicted)


def _as_factors(values: np.ndarray) -> Factors:
    first, second, last = map(float, values)
    return first, second, last


def _groups(thirds: np.ndarray, pgcs: np.ndarray, level: int) -> list[tuple[np.ndarray, float]]:
    """Return for each third its rows, or all if it has too few galaxies, and the quantile for `level` % of new ones.

    The quantile is raised by (1 + 1/n), for n galaxies seen (Lei et al. 2018).
    """
    groups = []
    for part in range(3):
        chosen = thirds == part
        if len(np.unique(pgcs[chosen])) < _MIN_GALAXIES:
            chosen = np.ones_like(chosen)
        n = len(np.unique(pgcs[chosen]))
        groups.append((chosen, min(1.0, level / 100 * (1 + 1 / n))))
    return groups


def _quantiles(score: np.ndarray, groups: list[tuple[np.ndarray, float]]) -> np.ndarray:
    """Return the quantile of the score in each of the groups."""
    return np.array([np.quantile(score[chosen], share) for chosen, share in groups])
