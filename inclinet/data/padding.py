"""Parts of an image that show no sky: corners left by a rotation, and what lies beyond the survey's edge."""

import cv2
import numpy as np
from PIL import Image

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
    pixels = np.asarray(image)
    gray = pixels if pixels.ndim == 2 else pixels.min(axis=2)
    brightest = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    for mask in (gray >= _WHITE, brightest <= _BLACK):
        pixels = _fill(pixels, mask)
    return image if pixels is np.asarray(image) else Image.fromarray(pixels)


def _fill(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the pixels with the areas of a mask, (height, width), filled where they are padding."""
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    if not border.any():
        return pixels
    _, areas, found, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    at_border = np.unique(np.concatenate([areas[0], areas[-1], areas[:, 0], areas[:, -1]]))
    share = found[:, cv2.CC_STAT_AREA] / mask.size
    chosen = [area for area in at_border.tolist() if area and share[area] >= _LEAST]
    if not chosen or share[chosen].sum() > _MOST:
        return pixels
    padding = np.isin(areas, chosen)
    grown = _dilate(padding, _GROW)
    beside = _dilate(grown, _BESIDE) & ~grown
    if not beside.any():
        return pixels
    sky = np.median(pixels[beside], axis=0)
    if share[chosen].sum() > _HALF and np.median(np.abs(pixels[beside] - sky)) > _EVEN:
        return pixels
    if np.abs(sky - np.median(pixels[padding], axis=0)).mean() < _STEP and pixels[padding].mean() > 127:
        return pixels
    filled = pixels.copy()
    filled[grown] = np.rint(sky)
    return filled


def _dilate(mask: np.ndarray, reach: int) -> np.ndarray:
    side = 2 * reach + 1
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
