"""One image of a stored batch, transformed as drawn.

Nothing is random here, so the bytes of a batch do not depend on the number of workers.
"""

import math

import cv2
import numpy as np

from inclinet.data.bands import is_colour
from inclinet.data.sky import is_negative, sky
from inclinet.preparation.transformation import Transformation

__all__ = ["render", "sky_of"]

_ANTIALIASED = 0.75  # a smaller zoom would alias
_LEAST_BLUR = 0.1  # pixels; less changes nothing visible


def sky_of(image: np.ndarray, band: str) -> np.ndarray:
    """Return the sky level of an image, (size, size, 3), by channel: (3,) if its band is colour, else (1,)."""
    return sky(image if is_colour(band) else image[..., :1])


def render(
    image: np.ndarray,
    transformation: Transformation,
    noise_values: np.ndarray,
    sky_level: np.ndarray | None = None,
) -> np.ndarray:
    """Return the augmented image.

    Parameters
    ----------
    image : ndarray of integers, shape (size, size, 3)
        Values 0 to 255.
    transformation : Transformation
    noise_values : ndarray of float, shape (M,)
        Noise of standard deviation 1; the image uses those from `transformation.offset` on.
    sky_level : ndarray of float, optional
        What `sky_of` returns for the image, if it is known.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
    """
    colour = is_colour(transformation.band)
    pixels = np.ascontiguousarray(image if colour else image[..., :1], np.uint8)
    size = len(pixels)
    if sky_level is None:
        sky_level = sky_of(image, transformation.band)
    if transformation.zoom < _ANTIALIASED:
        pixels = cv2.GaussianBlur(pixels, (0, 0), 0.35 / transformation.zoom).reshape(pixels.shape)
    result = _warp(pixels, sky_level, transformation)
    sigma = transformation.blur * size / 128
    if sigma > _LEAST_BLUR:
        result = cv2.GaussianBlur(result, (0, 0), sigma)
    table = _tone_table(transformation, bool(is_negative(sky_level)), 3 if colour else 1)
    result = cv2.LUT(result, table.reshape(1, 256, -1))
    if transformation.noise:
        result = _add_noise(result, transformation.noise, _noise(transformation.offset, result.size, noise_values))
    return result if colour else cv2.cvtColor(result, cv2.COLOR_GRAY2RGB)


def _warp(image: np.ndarray, fill: np.ndarray, transformation: Transformation) -> np.ndarray:
    """Rotate, flip, zoom and shift about the centre in one resampling; `fill` (channels,) is for what comes in."""
    size = len(image)
    cos = transformation.zoom * math.cos(transformation.angle)
    sin = transformation.zoom * math.sin(transformation.angle)
    # One zoom for both axes, so the axis ratio stays.
    x = -cos if transformation.flip else cos, -sin
    y = -sin if transformation.flip else sin, cos
    centre, (shift_x, shift_y) = (size - 1) / 2, size * transformation.shift
    matrix = np.array([(*x, centre + shift_x - sum(x) * centre), (*y, centre + shift_y - sum(y) * centre)])
    return cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=fill.tolist()
    )


def _tone_table(transformation: Transformation, negative: bool, channels: int) -> np.ndarray:
    """Return the lookup table, uint8 (256, channels), of gamma, brightness, channel factors, sky and inversion.

    Gamma and brightness act on light, so an image that is dark on a light sky is inverted first. Otherwise its sky
    would be cut off at 255, and the faint parts of the galaxy with it.
    """
    light = np.arange(256)[:, None] / 255
    if negative:
        light = 1 - light
    factors = transformation.channels if channels == 3 else np.ones(1)
    light = light**transformation.gamma * transformation.brightness * factors + transformation.sky / 255
    light = np.clip(light, 0, 1)
    dark_on_light = (negative and not transformation.positive) != transformation.invert
    return np.rint(255 * (1 - light if dark_on_light else light)).astype(np.uint8)


def _add_noise(image: np.ndarray, sigma: float, noise_values: np.ndarray) -> np.ndarray:
    """Return an image with noise of a standard deviation; OpenCV rounds and clips, in a third of NumPy's time."""
    noise = cv2.multiply(noise_values[None], sigma, dtype=cv2.CV_16S)
    return cv2.add(image.reshape(1, -1), noise, dtype=cv2.CV_8U).reshape(image.shape)


def _noise(offset: int, n: int, noise_values: np.ndarray) -> np.ndarray:
    """Return the noise of one image of `n` values, repeated where the image is larger than the values."""
    start = offset % (len(noise_values) - n) if n < len(noise_values) else 0
    return np.resize(noise_values, n) if n > len(noise_values) else noise_values[start : start + n]
