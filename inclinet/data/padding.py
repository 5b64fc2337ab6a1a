"""Parts of an image that show no sky: corners left by a rotation, and what lies beyond the survey's edge."""

import cv2
import numpy as np
from PIL import Image

from inclinet.data.images import border_of

__all__ = ["fill_padding"]

_WHITE, _BLACK = 250, 4  # JPEG compression spoils exact white and black
_LEAST = 0.002  # of the image: less is a star
_MOST = 0.85  # of the image: more leaves no galaxy
_HALF = 0.55  # of the image: a larger area may be a sky without noise, and what lies beside it the galaxy
_EVEN = 10  # median deviation up to which what lies beside a large area is sky, not the edge of a galaxy
_STEP = 40  # difference to what lies beside it, from which on a white area is no sky
_GROW = 2  # pixels that compression spoils beside the area
_BESIDE = 8  # pixels beside the area that tell the sky


def fill_padding(image: Image.Image) -> Image.Image:
    """Fill white or black areas at the border, which show no sky, with the sky beside them.

    Parameters
    ----------
    image : Image
        In mode L or RGB.
    """
    original = filled = np.asarray(image)
    darkest = original if original.ndim == 2 else original.min(axis=2)
    brightest = original if original.ndim == 2 else original.max(axis=2)
    for mask in (darkest >= _WHITE, brightest <= _BLACK):
        filled = _fill(filled, mask)
    return image if filled is original else Image.fromarray(filled)


def _fill(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the pixels with the areas of a mask, (height, width), filled where they are padding."""
    if not border_of(mask).any():
        return pixels
    _, areas, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    share = found[:, cv2.CC_STAT_AREA] / mask.size
    chosen = [area for area in np.unique(border_of(areas)).tolist() if area and share[area] >= _LEAST]
    total = share[chosen].sum()
    if not chosen or total > _MOST:
        return pixels
    padding = np.isin(areas, chosen)
    grown = _dilate(padding, _GROW)
    beside = _dilate(grown, _BESIDE) & ~grown
    if not beside.any():
        return pixels
    sky = np.median(pixels[beside], axis=0)
    if total > _HALF and np.median(np.abs(pixels[beside] - sky)) > _EVEN:
        return pixels
    if np.abs(sky - np.median(pixels[padding], axis=0)).mean() < _STEP and pixels[padding].mean() > 127:
        return pixels
    filled = pixels.copy()
    filled[grown] = np.rint(sky)
    return filled


def _dilate(mask: np.ndarray, reach: int) -> np.ndarray:
    side = 2 * reach + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
