"""What may make the isophote of a galaxy rounder or flatter than its disc: a bulge, a bar, a star, a companion."""

from typing import Literal

import cv2
import numpy as np

__all__ = ["Ellipse", "Peculiarity", "ellipse_of", "find_peculiarities"]

Peculiarity = Literal["bulge", "bar", "star", "companion"]

_INNER = 0.5  # of the light at the centre: the isophote of a bulge or bar
_OUTER = 2.0  # radii of the galaxy within which an object disturbs it
_BRIGHT = 0.1  # share of the galaxy's light from which on an object disturbs it
_COMPACT = 4.0  # pixels: a star is smaller where it has half of its peak
_OFF_CENTRE = 0.5  # semi-major axes: the brightest pixel of a galaxy alone is closer to its centre
_NEAR = 6  # pixels around the brightest one that tell whether it is that of a star
_ROUNDER, _FLATTER = 0.15, 0.08  # the axis ratio of the inner isophote differs by so much from that of the whole
_TWISTED = 25.0  # deg between the major axes of the two
_ROUND = 0.85  # axis ratio above which a position angle means nothing
_FEWEST = 12  # pixels of an inner isophote


Ellipse = tuple[float, float, float, float, float]
"""Centre x, y, semi-axes major, minor (pixels), and position angle (deg), as `ellipse_of` returns them."""


def ellipse_of(mask: np.ndarray) -> Ellipse:
    """Return the ellipse with the second moments of an area, bool (size, size).

    Returns
    -------
    x, y : float
        Centre (pixels).
    major, minor : float
        Semi-axes (pixels).
    angle : float
        Position angle of the major axis, deg from the x axis towards the y axis, -90 to 90.
    """
    moments = cv2.moments(mask.view(np.uint8), binaryImage=True)
    sums = np.array([[moments["mu20"], moments["mu11"]], [moments["mu11"], moments["mu02"]]])
    # A pixel's own extent: 1/12 is the variance over its width.
    variances, axes = np.linalg.eigh(sums / (moments["m00"] - 1) + np.eye(2) / 12)
    # An ellipse with semi-axis a has the variance a²/4 along it.
    minor, major = (2 * np.sqrt(variances)).tolist()
    angle = float(np.degrees(np.arctan2(axes[1, 1], axes[0, 1])))
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    return x, y, major, minor, (angle + 90) % 180 - 90


def find_peculiarities(
    light: np.ndarray, mask: np.ndarray, ellipse: Ellipse, objects: np.ndarray, number: int
) -> set[Peculiarity]:
    """Return what may distort the isophote of a galaxy.

    Parameters
    ----------
    light : ndarray of float32, shape (128, 128)
        Smoothed light above the sky.
    mask : ndarray of bool, shape (128, 128)
        The area of the galaxy.
    ellipse : Ellipse
        That of the area.
    objects : structured array
        All objects, as `sep.extract` returns them.
    number : int
        Index of the galaxy among them.
    """
    x, y, major, minor, angle = ellipse
    near = np.hypot(objects["x"] - x, objects["y"] - y) < _OUTER * major
    bright = objects["flux"] > _BRIGHT * objects["flux"][number]
    others = [i for i in np.flatnonzero(near & bright) if i != number]
    found = {_kind_of(light, objects["ypeak"][i], objects["xpeak"][i]) for i in others}
    row, column = (int(place) for place in np.unravel_index(np.argmax(np.where(mask, light, 0)), light.shape))
    if np.hypot(column - x, row - y) > _OFF_CENTRE * major:
        found.add(_kind_of(light, row, column))
    found |= _inner_parts(mask & (light > _INNER * light[round(y), round(x)]), minor / major, angle)
    return found


def _kind_of(light: np.ndarray, row: int, column: int) -> Peculiarity:
    """Return what has its brightest pixel at a place: the light of a star falls off within a few pixels."""
    around = light[max(row - _NEAR, 0) : row + _NEAR + 1, max(column - _NEAR, 0) : column + _NEAR + 1]
    is_compact = np.count_nonzero(around > light[row, column] / 2) < np.pi * _COMPACT**2
    return "star" if is_compact else "companion"


def _inner_parts(inner: np.ndarray, axis_ratio: float, angle: float) -> set[Peculiarity]:
    if inner.sum() < _FEWEST:
        return set()
    *_, major, minor, inner_angle = ellipse_of(inner)
    ratio = minor / major
    if ratio > axis_ratio + _ROUNDER:
        return {"bulge"}
    twist = abs((inner_angle - angle + 90) % 180 - 90)
    if ratio < axis_ratio - _FLATTER or (twist > _TWISTED and max(ratio, axis_ratio) < _ROUND):
        return {"bar"}
    return set()
