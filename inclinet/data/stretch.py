"""From the values of an image to 256 grey levels: integers by their depth, light by an asinh stretch like SDSS's."""

import cv2
import numpy as np

from inclinet.data.padding import border_of

__all__ = ["find_missing", "stretch_light", "to_levels"]

# Grey levels for each factor of e in brightness, and of the sky, as in SDSS's colour images: with the constants of
# `to_colour` of the simulation, 255 / 10 / asinh(0.8).
_SLOPE, _SKY = 35.0, 6.0
_SOFTENING = 5.0  # standard deviations of the sky below which the stretch is linear; 4.4 in r of SDSS's images
# The galaxy's bright parts in units of the softening, at most: the 84th percentile of 299 of SDSS's images is 127.
# Deeper images are stretched less.
_BRIGHT = 125.0
_BRIGHT_SHARE = 0.995  # of the pixels in the middle: what is brighter is a star or the very centre
_BORDER = 0.05  # of a side: the band of pixels that tells the sky
_CLIP, _ROUNDS = 3.0, 3  # of the sky's statistics
_BALANCE = 5.0  # factor between channels at most
_DEPTHS = (8, 10, 12, 14, 16)  # bits of cameras and scanners
_BLOCK = 5  # pixels: zeros in smaller blocks are chance
_FLAT, _DARK = 8, 24  # grey levels: less contrast, or only darker ones, and it is no picture


def find_missing(light: np.ndarray) -> np.ndarray:
    """Return which pixels hold no data: those that are NaN or infinite, and blocks of exact zeros in floats.

    Surveys write zeros beyond their edge; in the sky, no two pixels beside each other are exactly 0.

    Parameters
    ----------
    light : ndarray of integers or floats, shape (height, width) or (height, width, 3)

    Returns
    -------
    ndarray of bool, shape (height, width)
    """
    planes = light.reshape(*light.shape[:2], -1)
    missing = ~np.isfinite(planes).all(axis=2)
    if light.dtype.kind == "f":
        zeros = (planes == 0).all(axis=2).astype(np.uint8)
        missing |= cv2.morphologyEx(zeros, cv2.MORPH_OPEN, np.ones((_BLOCK, _BLOCK), np.uint8)).astype(bool)
    return missing


def to_levels(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return an image as uint8.

    Integers are those of a picture, which somebody has stretched: they are divided by the smallest depth that holds
    them, of 8, 10, 12, 14 or 16 bits (12-bit data come in files of 16 bits). Where this leaves next to no contrast
    or light, and for negative and larger numbers, they are taken for light, as floats are, and stretched.

    Parameters
    ----------
    values : ndarray of integers or floats, shape (height, width) or (height, width, 3)
    missing : ndarray of bool, shape (height, width)
        Pixels without data.

    Returns
    -------
    ndarray of uint8, of the shape of `values`; black where data are missing
    """
    if values.dtype == np.uint8:
        return values
    known = values[~missing]
    if values.dtype.kind in "iu" and known.min() >= 0 and known.max() < 2 ** _DEPTHS[-1]:
        full = 2 ** next(depth for depth in _DEPTHS if known.max() < 2**depth) - 1
        low, high = np.quantile(known, (1 - _BRIGHT_SHARE, _BRIGHT_SHARE))
        if (high - low) * 255 >= _FLAT * full and high * 255 >= _DARK * full:
            return (values.clip(0, full) * (255 / full)).round().astype(np.uint8)
    return stretch_light(values, missing)


def stretch_light(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Stretch numbers in proportion to light into a picture like those of SDSS, bright on a dark sky.

    ``6 + 35 asinh((x - sky) / softening)`` for gray images; for colour ones, the mean of the channels is stretched and
    their ratios are kept (Lupton et al. 2004, PASP 116, 133), after each channel was scaled to the same light in the
    middle. The softening is five standard deviations of the sky, as in SDSS's images, or more if the image is so deep
    that the galaxy would be brighter than nearly all of SDSS's are. So units and zero point don't matter.

    Parameters
    ----------
    values : ndarray of integers or floats, shape (height, width) or (height, width, 3)
        Colour in the order R, G, B.
    missing : ndarray of bool, shape (height, width)
        Pixels without data; at least one has data.

    Returns
    -------
    ndarray of uint8, of the shape of `values`; black where data are missing
    """
    planes = np.array(values.reshape(*missing.shape, -1), float)
    planes[missing] = np.nan
    for k in range(planes.shape[2]):
        planes[..., k] -= _sky(planes[..., k])[0]
    if planes.shape[2] > 1:
        planes *= _balance(planes)
    light = planes.mean(axis=2)
    softening = _softening(light)
    light = np.maximum(np.abs(light / softening), 1e-6)
    levels = _SKY + planes * (_SLOPE / softening * np.arcsinh(light) / light)[..., None]
    # Too bright for 255: darkened in all channels alike, which keeps the colour.
    levels *= np.minimum(1, 255 / np.maximum(levels.max(axis=2, keepdims=True), 1))
    return np.nan_to_num(levels).clip(0, 255).round().astype(np.uint8).reshape(values.shape)


def _sky(plane: np.ndarray) -> tuple[float, float]:
    """Return the median and the standard deviation of the sky of a plane, (height, width), NaN where data are none."""
    width = max(1, round(_BORDER * min(plane.shape)))
    rings = [border_of(plane[k : len(plane) - k, k : plane.shape[1] - k]) for k in range(width)]
    known = np.concatenate(rings)
    known = known[np.isfinite(known)]
    if not known.size:
        known = plane[np.isfinite(plane)]
    for _ in range(_ROUNDS):
        middle = np.median(known)
        deviation = np.abs(known - middle)
        spread = 1.4826 * np.median(deviation)
        known = known[deviation <= _CLIP * spread]
    return float(middle), float(spread)


def _middle(plane: np.ndarray) -> np.ndarray:
    """Return the data in the middle half of a plane, else all."""
    height, width = plane.shape
    middle = plane[height // 4 : height - height // 4, width // 4 : width - width // 4]
    known = middle[np.isfinite(middle)]
    return known if known.size else plane[np.isfinite(plane)]


def _balance(planes: np.ndarray) -> np.ndarray:
    """Return the factor of each plane, (height, width, n), that gives all the same light in the middle."""
    light = np.array([_middle(planes[..., k]).mean() for k in range(planes.shape[2])])
    if (light <= 0).any():
        return np.ones(len(light))
    return np.clip(np.median(light) / light, 1 / _BALANCE, _BALANCE)


def _softening(light: np.ndarray) -> float:
    """Return the light, sky subtracted, up to which the stretch of a plane, (height, width), is linear."""
    bright = float(np.quantile(_middle(light), _BRIGHT_SHARE))
    softening = max(_SOFTENING * _sky(light)[1], bright / _BRIGHT)
    # Without noise, and without anything bright in the middle: what there is sets the scale.
    return softening if softening > 0 else float(np.nanmax(np.abs(light))) / _BRIGHT or 1.0
