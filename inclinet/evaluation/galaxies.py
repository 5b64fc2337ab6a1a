"""One answer per galaxy: its images, pooled."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from inclinet.evaluation.calibration import ESTIMATES, Calibration

__all__ = ["galaxy_spread", "median_by_galaxy", "pool_images"]


def median_by_galaxy(images: pd.DataFrame, galaxies: ArrayLike) -> pd.DataFrame:
    """Return the medians of columns of numbers, one row for each galaxy, in the order of their first images.

    `galaxies`, of shape (N,), are those of the N rows of `images`; the result is indexed by them. NaN does not count.
    """
    return images.groupby(np.asarray(galaxies), sort=False).median()


def pool_images(
    images: pd.DataFrame, galaxies: ArrayLike, bands: ArrayLike, calibration: Calibration | None = None
) -> pd.DataFrame:
    """Return one row for each galaxy, in the order of their first images.

    Parameters
    ----------
    images : DataFrame
        One row per image: `inclination` (deg), NaN where there is no answer; with a calibration the other `ESTIMATES`;
        any other columns of numbers.
    galaxies, bands : array_like of shape (N,)
        Galaxy and band of each image. Error bars follow from the number of different bands with an answer: a second
        image in the same band tells little more.
    calibration : Calibration, optional
        That of the version that predicted.

    Returns
    -------
    DataFrame
        Indexed by galaxy: the median of every column; `n_images`, the number of images with an answer; `disagreement`,
        the largest minus the smallest answer (deg). Where the calibration knows galaxies in as many bands, `error` and
        the ends of the intervals are its own; otherwise they are medians of those of the images.
    """
    galaxies = np.asarray(galaxies)
    answers = images.groupby(galaxies, sort=False)["inclination"]
    pooled = median_by_galaxy(images, galaxies).assign(
        n_images=answers.count(), disagreement=answers.max() - answers.min()
    )
    if calibration is None:
        return pooled
    answered = images["inclination"].notna().to_numpy()
    number = pd.Series(bands, images.index).where(answered).groupby(galaxies, sort=False).nunique()
    for several in sorted(number.unique()):
        if error_bars := calibration.for_bands(several):
            rows = pooled.index[number == several]
            found = error_bars.intervals(pooled.loc[rows, "inclination"], galaxy_spread(pooled.loc[rows]))
            pooled.loc[rows, ESTIMATES] = found[ESTIMATES].to_numpy()
    return pooled


def galaxy_spread(pooled: pd.DataFrame) -> pd.Series:
    """Return what the error bars of galaxies grow with (deg): the error bar of an image, and the disagreement."""
    return pooled["error"] + pooled["disagreement"]
