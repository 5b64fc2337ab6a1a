"""Uncertainty of metrics: chance, and bootstrap over galaxies, not over images (Efron 1979, Ann. Statist. 7, 1).

The images of one galaxy share its label and look alike, so they are drawn together.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["chance_range", "confidence_intervals", "rms_difference"]

_RESAMPLES = 1000
_CELLS = 500_000  # weights in memory at a time: resamples × images
_RANGE = (2.5, 97.5)  # percentiles between which 95 % of the resamples lie


def _weights(pgcs: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Yield how often each image is drawn, float (resamples, images), one block of resamples at a time."""
    galaxies, galaxy = np.unique(pgcs, return_inverse=True)
    rng = np.random.default_rng(seed)
    share = np.full(len(galaxies), 1 / len(galaxies))
    block = max(1, _CELLS // max(1, len(pgcs)))
    for start in range(0, _RESAMPLES, block):
        counts = rng.multinomial(len(galaxies), share, size=min(block, _RESAMPLES - start))
        yield counts[:, galaxy].astype(float)


def _percentiles(weights: np.ndarray, size: np.ndarray, percents: tuple[int, ...]) -> list[np.ndarray]:
    """Return percentiles of `size` in each resample: the smallest value with that share of draws at or below it."""
    order = np.argsort(size)
    reached = np.cumsum(weights[:, order], axis=1)
    values = size[order]
    reached_at = [values[(reached >= percent / 100 * reached[:, -1:]).argmax(axis=1)] for percent in percents]
    return [np.where(reached[:, -1] > 0, each, np.nan) for each in reached_at]


def _resampled_metrics(weights: np.ndarray, error: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Return the metrics of `inclinet.evaluation.metrics.compute_metrics` for every resample, (resamples,) each."""
    size, offset = np.abs(error), truth - truth.mean()
    each = np.stack([np.ones_like(error), error, error**2, size, size > 10, offset, offset**2, offset * error], axis=1)
    n, e, ee, absolute, above, t, tt, te = (weights @ each).T
    n = np.where(n > 0, n, np.nan)  # a resample may hold no image
    spread = n * tt - t**2
    p68, p95 = _percentiles(weights, size, (68, 95))
    slope = np.divide(n * te - t * e, spread, out=np.full_like(spread, np.nan), where=spread > 1e-9 * n * tt)
    return {
        "rms": np.sqrt(ee / n),
        "mae": absolute / n,
        "bias": e / n,
        "slope": slope,
        "p68": p68,
        "p95": p95,
        "above_10": above / n,
    }


def confidence_intervals(
    errors: Mapping[str, ArrayLike], truth: ArrayLike, pgcs: ArrayLike, *, seed: int = 0
) -> dict[str, dict[str, list[float] | None]]:
    """Return the 95 % confidence intervals of the metrics of several methods.

    Parameters
    ----------
    errors : mapping of str to array_like of shape (N,)
        Prediction - truth (deg) of every image by method; NaN where a method has none.
    truth, pgcs : array_like of shape (N,)
        True inclination (deg) and galaxy of every image.

    Returns
    -------
    dict
        Lower and upper end by method and metric; None where the metric is not defined.
    """
    truth, pgcs = np.asarray(truth, dtype=float), np.asarray(pgcs)
    arrays = {name: np.asarray(error, dtype=float) for name, error in errors.items()}
    known = {name: np.isfinite(error) for name, error in arrays.items()}
    blocks: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name, rows in known.items() if rows.any()}
    for weights in _weights(pgcs, seed):
        for name, parts in blocks.items():
            rows = known[name]
            parts.append(_resampled_metrics(weights[:, rows], arrays[name][rows], truth[rows]))
    return {name: {key: _range([part[key] for part in parts]) for key in parts[0]} for name, parts in blocks.items()}


def _range(parts: Sequence[np.ndarray]) -> list[float] | None:
    """Return the ends of the 95 % range of the finite values, None if there is none."""
    values = np.concatenate(parts)
    values = values[np.isfinite(values)]
    return [float(end) for end in np.percentile(values, _RANGE)] if values.size else None


def rms_difference(
    first: ArrayLike, second: ArrayLike, pgcs: ArrayLike, *, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Return by how much the RMS of `second` exceeds that of `first`, and its 95 % confidence interval (deg).

    The bootstrap is paired: every resample takes the same galaxies for both.

    Parameters
    ----------
    first, second : array_like of shape (N,)
        Errors (deg) of two methods on the same images.
    pgcs : array_like of shape (N,)
        Galaxy of every image.
    """
    squares = np.stack([np.asarray(first, dtype=float), np.asarray(second, dtype=float)], axis=1) ** 2
    drawn = []
    for weights in _weights(np.asarray(pgcs), seed):
        means = weights @ squares / np.maximum(weights.sum(axis=1, keepdims=True), 1)
        drawn.append(np.sqrt(means[:, 1]) - np.sqrt(means[:, 0]))
    low, high = np.percentile(np.concatenate(drawn), _RANGE)
    one, two = np.sqrt(squares.mean(axis=0))
    return float(two - one), (float(low), float(high))


def chance_range(n: int, share: float) -> tuple[float, float]:
    """Return between which shares of `n` galaxies 95 % of chance lies, if each counts with probability `share`."""
    drawn = np.random.default_rng(0).binomial(n, share, 20_000) / n
    low, high = np.percentile(drawn, _RANGE)
    return float(low), float(high)
