"""Parts of an image without sky: corners left by a rotation, what lies beyond the survey's edge, missing pixels."""

from functools import reduce

import cv2
import numpy as np
from PIL import Image

__all__ = ["border_of", "brightest_channel", "fill_missing", "fill_padding"]

_WHITE, _BLACK = 250, 4  # JPEG compression spoils exact white and black
_LEAST = 0.002  # of the image: less is a star
_MOST = 0.85  # of the image: more leaves no galaxy
_MOST_OF_FRAME = 0.97  # of the image, if what is left is a rectangle
_WHOLE = 0.98  # of a rectangle: stars in it may be as white as the frame
_HALF = 0.55  # of the image: a larger area may be a sky without noise, and what lies beside it the galaxy
_EVEN = 10  # median deviation up to which what lies beside a large area is sky, not the edge of a galaxy
_STEP = 40  # difference to what lies beside it, from which on a white area is no sky
_GROW = 2  # pixels that compression spoils beside the area
_BESIDE = 8  # pixels beside the area that tell the sky
_HOLE = 3  # pixels around a small hole that tell what is in it
_VALUES = np.arange(256)


def border_of(pixels: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of an image, (height, width, ...), as (n, ...); the corners twice."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def brightest_channel(pixels: np.ndarray) -> np.ndarray:
    """Return the largest of the channels, uint8 (height, width), of an image, (height, width) or (height, width, 3)."""
    # NumPy's maximum over a short axis takes ten times as long.
    return reduce(cv2.max, cv2.split(pixels))


def fill_missing(pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Fill missing pixels: an area of some size with the median of what lies beside it, small holes from around them.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
    missing : ndarray of bool, shape (height, width)
        Not all of them.

    Returns
    -------
    ndarray of uint8, of the shape of `pixels`
    """
    if not missing.any():
        return pixels
    _, areas, found, _ = cv2.connectedComponentsWithStats(missing.astype(np.uint8))
    large = [area for area in range(1, len(found)) if found[area, cv2.CC_STAT_AREA] >= _LEAST * missing.size]
    filled = pixels.copy()
    for area in large:
        left, top, width, height = found[area, : cv2.CC_STAT_AREA]
        reach = _GROW + _BESIDE
        here = np.s_[max(0, top - reach) : top + height + reach, max(0, left - reach) : left + width + reach]
        grown = _dilate(areas[here] == area, _GROW)
        beside = _dilate(grown, _BESIDE) & ~grown & ~missing[here]
        known = pixels[here][beside] if beside.any() else pixels[~missing]
        filled[here][grown] = np.rint(np.median(known, axis=0))
    holes = missing & ~np.isin(areas, large)
    return cv2.inpaint(filled, holes.astype(np.uint8), _HOLE, cv2.INPAINT_TELEA) if holes.any() else filled


def fill_padding(image: Image.Image) -> Image.Image:
    """Fill white or black areas at the border, which show no sky, with the sky beside them.

    Parameters
    ----------
    image : Image
        In mode L or RGB.
    """
    original = filled = list(cv2.split(np.asarray(image)))
    for is_padding in (reduce(cv2.min, original) >= _WHITE, reduce(cv2.max, original) <= _BLACK):
        filled = _fill(filled, is_padding)
    return image if filled is original else Image.fromarray(cv2.merge(filled))


def _fill(channels: list[np.ndarray], mask: np.ndarray) -> list[np.ndarray]:
    """Return the channels, each uint8 (height, width), with the areas of a mask filled where they are padding."""
    if not border_of(mask).any():
        return channels
    _, areas, found, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8))
    share = found[:, cv2.CC_STAT_AREA] / mask.size
    chosen = [area for area in np.unique(border_of(areas)).tolist() if area and share[area] >= _LEAST]
    if not chosen:
        return channels
    total = share[chosen].sum()
    is_padding = np.zeros(len(found), bool)
    is_padding[chosen] = True
    padding = is_padding.take(areas)
    is_frame = _is_rectangle(~padding)
    if total > (_MOST_OF_FRAME if is_frame else _MOST):
        return channels
    grown = _dilate(padding, _GROW)
    beside = _dilate(grown, _BESIDE) & ~grown
    if not beside.any():
        return channels
    sky, filling = _histograms(channels, beside), _histograms(channels, padding)
    level = _medians(sky)
    if total > _HALF and not is_frame and _median_deviation(sky, level) > _EVEN:
        return channels
    if np.abs(level - _medians(filling)).mean() < _STEP and np.average(_VALUES, weights=filling.sum(axis=0)) > 127:
        return channels
    levels = np.rint(level).astype(np.uint8)
    return [
        cv2.copyTo(np.full_like(channel, value), grown.view(np.uint8), channel)
        for channel, value in zip(channels, levels, strict=True)
    ]


def _histograms(channels: list[np.ndarray], area: np.ndarray) -> np.ndarray:
    """Return how many pixels of an area, bool (height, width), have each value: (channels, 256).

    Medians and means follow from it in a fraction of the time that NumPy takes to pick the pixels out.
    """
    mask = area.view(np.uint8)
    return np.array([cv2.calcHist([channel], [0], mask, [256], [0, 256]).ravel() for channel in channels], float)


def _medians(histograms: np.ndarray) -> np.ndarray:
    """Return the median of each histogram, (..., 256); of an even number of pixels, the mean of the middle two."""
    below = histograms.cumsum(axis=-1)
    middle = below[..., -1:] / 2
    return (np.argmax(below >= middle, axis=-1) + np.argmax(below > middle, axis=-1)) / 2


def _median_deviation(histograms: np.ndarray, level: np.ndarray) -> float:
    """Return the median distance of the pixels of all channels from the level of their channel."""
    distances = np.abs(_VALUES - level[:, None]).ravel()
    order = np.argsort(distances)
    below = histograms.ravel()[order].cumsum()
    return float(distances[order][np.searchsorted(below, below[-1] / 2)])


def _is_rectangle(area: np.ndarray) -> bool:
    """Return whether an area, bool (height, width), fills a rectangle, as an image within a frame does."""
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    if not rows.size:
        return False
    within = area[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return bool(within.mean() > _WHOLE)


def _dilate(mask: np.ndarray, reach: int) -> np.ndarray:
    side = 2 * reach + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
