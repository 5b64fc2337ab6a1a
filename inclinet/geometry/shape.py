"""The shape of the galaxy in an image: centre, size, axis ratio and position angle of an isophote.

The galaxy is found by segmentation with SExtractor's method (Bertin & Arnouts 1996, A&AS 117, 393), in the library
`sep` (Barbary 2016, JOSS 1, 58).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import sep

from inclinet.data.sky import is_negative, sky
from inclinet.geometry.peculiarity import ellipse_of, find_peculiarities

__all__ = ["HIDDEN", "LARGER", "NOT_FOUND", "Shape", "measure_shape"]

HIDDEN = "partly hidden"
"""Problem of a shape a part of which shows no sky: it is filled."""

LARGER = "larger than the image"
"""Problem of a shape that the image cuts off so far inside that its answer is in doubt."""

NOT_FOUND = "no galaxy found"
"""Problem of a shape that is the largest circle in the image."""

_SIDE = 128  # pixels of the image in which the galaxy is searched
_SMOOTHING = 1.5  # its standard deviation in those pixels: joins the knots of a patchy spiral
_BORDER = 5  # pixels of the border that tell the sky
_SKY_PERCENTILE = 30  # of the border: stars and the galaxy itself may lie on it
_ISOPHOTE = 0.12  # of the light at the centre: faint enough for the whole disc, above the noise in nearly all images
_NOISES, _LEAST = 2.0, 6.0  # the isophote is at least so many standard deviations, and so much of 255, above the sky
_LEVELS = 16  # at which peaks are looked for: with SExtractor's 32, of 200 galaxies one has another size by 2 %
_DEBLEND = 0.05  # share of the light from which on a peak is an object of its own: a companion, not a spiral arm
_FEWEST = 12  # pixels of a galaxy
_REACH = 20  # pixels from the centre over which the preference for an object falls
_EDGE = 2  # pixels: a galaxy that comes so close to the edge is cut off
_LARGEST = 1.02  # half images along its major axis: 3 % of 250 images of 1.25 D25 have more, cut to 60 % half of them


@dataclass(frozen=True)
class Shape:
    """An ellipse with the second moments of the area within an isophote; lengths in pixels of the image.

    Attributes
    ----------
    x, y : float
        Centre; (0, 0) is the centre of the first pixel, y runs downwards.
    semi_major : float
    axis_ratio : float
        Semi-minor over semi-major axis.
    position_angle : float
        Of the major axis, in deg from the x axis towards the y axis, -90 to 90.
    problem : str
        `NOT_FOUND`, `HIDDEN`, `LARGER`, `cut off` by the edge of the image, or empty.
    peculiarities : str
        What may make the isophote rounder or flatter than the disc, of bar, bulge, companion and star, separated by
        `; `.
    """

    x: float
    y: float
    semi_major: float
    axis_ratio: float
    position_angle: float
    problem: str = ""
    peculiarities: str = ""


def measure_shape(image: np.ndarray) -> Shape:
    """Measure the galaxy nearest to the centre of an image.

    Parameters
    ----------
    image : ndarray of uint8, shape (size, size) or (size, size, 3)
        Bright on a dark sky, or dark on a bright one.
    """
    size = len(image)
    scale = size / _SIDE
    light, noise = _light(image)
    centre = slice(_SIDE // 2 - 8, _SIDE // 2 + 8)
    threshold = max(_NOISES * noise, _ISOPHOTE * float(light[centre, centre].max()), _LEAST)
    objects, segments = _find_objects(light, threshold)
    if not len(objects):
        return Shape((size - 1) / 2, (size - 1) / 2, size / 2, 1.0, 0.0, NOT_FOUND)
    galaxy = _nearest_to_centre(objects)
    mask = segments == galaxy + 1
    x, y, major, minor, angle = ellipse = ellipse_of(mask)
    rows, columns = np.nonzero(mask)
    is_cut = min(columns.min(), rows.min()) < _EDGE or max(columns.max(), rows.max()) >= _SIDE - _EDGE
    return Shape(
        x=(x + 0.5) * scale - 0.5,
        y=(y + 0.5) * scale - 0.5,
        semi_major=major * scale,
        axis_ratio=minor / major,
        position_angle=angle,
        problem=LARGER if _reach(major, angle) > _LARGEST else "cut off" if is_cut else "",
        peculiarities="; ".join(sorted(find_peculiarities(light, mask, ellipse, objects, galaxy))),
    )


def _reach(semi_major: float, angle: float) -> float:
    """Return how far an ellipse around the centre reaches towards the edges of the image, which are at 1."""
    direction = np.radians(angle)
    return float(semi_major * max(abs(np.cos(direction)), abs(np.sin(direction))) / (_SIDE / 2))


def _light(image: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the smoothed light above the sky, float32 (_SIDE, _SIDE), and the noise of the sky."""
    mean = image if image.ndim == 2 else cv2.transform(image, np.full((1, 3), 1 / 3))
    gray = mean.astype(np.float32)
    if is_negative(sky(gray[..., None])):
        gray = 255 - gray
    method = cv2.INTER_AREA if len(gray) > _SIDE else cv2.INTER_LINEAR
    small = cv2.GaussianBlur(cv2.resize(gray, (_SIDE, _SIDE), interpolation=method), (0, 0), _SMOOTHING)
    inner = slice(_BORDER, -_BORDER)
    on_border = np.ones(small.shape, bool)
    on_border[inner, inner] = False
    border = small[on_border]
    noise = 1.4826 * float(np.median(np.abs(border - np.median(border))))
    return small - np.percentile(border, _SKY_PERCENTILE).astype(np.float32), noise


def _find_objects(light: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the objects above a threshold, and the area of each, int32 (_SIDE, _SIDE): its index plus one."""
    objects, segments = sep.extract(
        np.ascontiguousarray(light),
        threshold,
        minarea=_FEWEST,
        filter_kernel=None,
        deblend_nthresh=_LEVELS,
        deblend_cont=_DEBLEND,
        clean=False,
        segmentation_map=True,
    )
    return objects, segments


def _nearest_to_centre(objects: np.ndarray) -> int:
    """Return the index of the largest object near the centre."""
    middle = (_SIDE - 1) / 2
    distance = np.hypot(objects["x"] - middle, objects["y"] - middle)
    return int(np.argmax(objects["npix"] * np.exp(-0.5 * (distance / _REACH) ** 2)))
