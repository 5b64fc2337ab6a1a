"""What a survey measures in its image of a galaxy: the axis ratio, with all that disturbs it.

Seeing rounds small galaxies, bulges, bars and arms are no discs, and stars and neighbours that touch the galaxy count
as part of it. So the axis ratio gives the inclination of a mock no better than that of a real galaxy.
"""

import math

import cv2
import numpy as np

from inclinet.simulation.observation import SEEING

__all__ = ["ISOPHOTE", "axis_ratios"]

ISOPHOTE = 23.7
"""Surface brightness in r (mag / arcsec²) of the isophote that is measured: about that of D25, which is 25 in B."""

_FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))


def axis_ratios(frame: np.ndarray, pixel: float) -> tuple[float, float]:
    """Measure the axis ratio of the galaxy at the centre of an image in two ways.

    The galaxy is the connected region about the centre that is brighter than the isophote, in the image smoothed by
    the width of the seeing. Both ratios come from second moments in it: first those of the region's area, the shape of
    the isophote, like HyperLEDA's logr25 (Paturel et al. 2003, A&A 412, 45); then those of its light, like B_IMAGE /
    A_IMAGE of SExtractor (Bertin & Arnouts 1996, A&AS 117, 393).

    Parameters
    ----------
    frame : ndarray of float32, shape (size, size)
        One band, sky subtracted, in nanomaggies per arcsec².
    pixel : float
        Side of a pixel in arcsec.

    Returns
    -------
    by_area, by_light : float
        Minor over major axis, 0 to 1; both NaN when the centre is fainter than the isophote.
    """
    # Half a pixel at least: OpenCV takes no width of 0.
    smoothed = cv2.GaussianBlur(frame, (0, 0), max(SEEING / _FWHM_PER_SIGMA / pixel, 0.5))
    bright = smoothed > 10 ** (0.4 * (22.5 - ISOPHOTE))
    _, regions = cv2.connectedComponents(bright.astype(np.uint8))
    centre = len(frame) // 2
    if not bright[centre, centre]:
        return math.nan, math.nan
    galaxy = (regions == regions[centre, centre]).astype(np.float32)
    return _moment_ratio(galaxy), _moment_ratio(galaxy * np.maximum(frame, 0))


def _moment_ratio(weights: np.ndarray) -> float:
    """Return the ratio of the minor to the major axis of the second moments of an image."""
    moments = cv2.moments(weights)
    tensor = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]]) / moments["m00"]
    minor, major = np.linalg.eigvalsh(tensor + np.eye(2) / 12)  # 1/12: a pixel is a square, not a point
    return math.sqrt(minor / major)
