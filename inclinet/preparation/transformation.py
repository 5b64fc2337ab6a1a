"""How each image of a stored batch is transformed: the ranges, and the drawing of all that is random.

No transformation changes the axis ratio, because that would change the inclination.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inclinet.data.bands import is_colour

__all__ = ["Transformation", "draw_noise", "draw_transformations"]

# The ranges of the published recipe (IncliNET), except that it zoomed x and y independently, which changes the
# axis ratio.
_MAX_SHIFT = 0.15  # of the image side
_ZOOM = (0.8, 1.2)
_GAMMA = (0.97, 1.03)
_BRIGHTNESS = (0.9, 1.1)
_CHANNEL = (0.95, 1.05)  # colour images: factor of each channel
_MAX_NOISE = 5.0  # colour images: standard deviation, of 255
_MAX_BLUR = 0.6  # standard deviation in pixels of a 128-pixel image

_NOISE_VALUES = 1 << 20


@dataclass(frozen=True)
class Transformation:
    """What is drawn for one image of a batch."""

    band: str
    row: int
    angle: float  # rad
    zoom: float
    flip: bool
    shift: np.ndarray  # (x, y) as a share of the image side
    blur: float  # standard deviation in pixels of a 128-pixel image
    gamma: float
    brightness: float
    channels: np.ndarray  # factor of each channel, (3,)
    noise: float  # standard deviation, of 255
    offset: int  # where in the noise values this image's noise starts
    invert: bool  # light on dark becomes dark on light, and the reverse


def draw_transformations(chosen: Sequence[tuple[str, int]], rng: np.random.Generator) -> list[Transformation]:
    """Draw how each chosen image is transformed, and shuffle them; exactly half of the grayscale ones are inverted.

    Parameters
    ----------
    chosen : sequence of (str, int)
        Stored band and row of each image, from `choose_rows`.
    rng : Generator
        The order of the draws is part of the result: the same seed gives the same batch.
    """
    n = len(chosen)
    gray = rng.permutation([i for i, (band, _) in enumerate(chosen) if not is_colour(band)]).astype(int)
    invert = np.zeros(n, bool)
    invert[gray[: len(gray) // 2]] = True
    angle = rng.uniform(0, 2 * np.pi, n)
    zoom = rng.uniform(*_ZOOM, n)
    flip = rng.random(n) < 0.5
    shift = rng.triangular(-_MAX_SHIFT, 0, _MAX_SHIFT, (n, 2))
    blur = rng.uniform(0, _MAX_BLUR, n)
    gamma = rng.uniform(*_GAMMA, n)
    brightness = rng.uniform(*_BRIGHTNESS, n)
    channels = rng.uniform(*_CHANNEL, (n, 3))
    noise = rng.uniform(0, _MAX_NOISE, n)
    offset = rng.integers(0, _NOISE_VALUES, n)
    return [
        Transformation(
            band=chosen[i][0],
            row=chosen[i][1],
            angle=angle[i],
            zoom=zoom[i],
            flip=flip[i],
            shift=shift[i],
            blur=blur[i],
            gamma=gamma[i],
            brightness=brightness[i],
            channels=channels[i],
            noise=noise[i],
            offset=offset[i],
            invert=invert[i],
        )
        for i in rng.permutation(n)
    ]


def draw_noise(rng: np.random.Generator) -> np.ndarray:
    """Draw the noise values that all images of a batch share, float32 (1048576,), standard deviation 1."""
    return rng.standard_normal(_NOISE_VALUES, np.float32)
