"""How each image of a stored batch is transformed: the ranges, and the drawing of all that is random.

No transformation changes the axis ratio, because that would change the inclination.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from inclinet.data.bands import is_colour
from inclinet.settings import Augment

__all__ = ["PRESETS", "Ranges", "Transformation", "draw_noise", "draw_transformations", "ranges_of"]


@dataclass(frozen=True)
class Ranges:
    """The ranges from which transformations are drawn."""

    shift: float
    """Largest shift, as a fraction of the image side."""
    zoom: tuple[float, float]
    zoom_in_log: bool
    """Whether zooms are uniform in their logarithm, so that half of them enlarge."""
    gamma: tuple[float, float]
    brightness: tuple[float, float]
    sky: tuple[float, float]
    """Light added to the sky, of 255."""
    channel: tuple[float, float]
    """Colour images: factor of each channel."""
    noise: float
    """Largest standard deviation of the noise, of 255."""
    noise_on_gray: bool
    """Whether grayscale images get noise, too."""
    blur: tuple[float, float]
    """Standard deviation in pixels of a 128-pixel image."""
    blurred: float
    """Fraction of the images that are blurred."""
    positive: bool
    """Whether images that are dark on a bright sky are made bright on a dark one first."""
    inverted: float
    """Fraction of the grayscale images that are inverted."""


PRESETS = {
    # IncliNET's, except that it zoomed x and y independently, which changes the axis ratio.
    "published": Ranges(
        shift=0.15,
        zoom=(0.8, 1.2),
        zoom_in_log=False,
        gamma=(0.97, 1.03),
        brightness=(0.9, 1.1),
        sky=(0, 0),
        channel=(0.95, 1.05),
        noise=5,
        noise_on_gray=False,
        blur=(0, 0.6),
        blurred=1,
        positive=False,
        inverted=0.5,
    ),
    # What surveys, stretches and framings change, but inclination does not. Nothing is inverted, because networks are
    # always shown images that are bright on a dark sky.
    "wide": Ranges(
        shift=0.12,
        zoom=(0.65, 1.75),
        zoom_in_log=True,
        gamma=(0.5, 1.7),
        brightness=(0.6, 1.4),
        sky=(-8, 30),
        channel=(0.9, 1.1),
        noise=8,
        noise_on_gray=True,
        blur=(0.6, 2.0),
        blurred=0.3,
        positive=True,
        inverted=0,
    ),
}
"""The ranges by name."""

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
    sky: float = 0.0  # light added, of 255
    positive: bool = False  # bright on a dark sky, whatever the image was, before any inversion


def ranges_of(settings: Augment) -> Ranges:
    """Return the ranges of the preset, with those that the settings give instead."""
    preset = PRESETS[settings.preset]
    changed: dict[str, Any] = {
        name: value for name in ("shift", "noise", "inverted") if (value := getattr(settings, name)) is not None
    }
    for name in ("zoom", "gamma", "brightness", "sky"):
        low, high = getattr(preset, name)
        given = getattr(settings, f"{name}_min"), getattr(settings, f"{name}_max")
        changed[name] = (low if given[0] is None else given[0], high if given[1] is None else given[1])
    return replace(preset, **changed)


def draw_transformations(
    chosen: Sequence[tuple[str, int]], ranges: Ranges, rng: np.random.Generator
) -> list[Transformation]:
    """Draw how each chosen image is transformed, and shuffle them.

    Parameters
    ----------
    chosen : sequence of (str, int)
        Stored band and row of each image, from `choose_rows`.
    ranges : Ranges
        Exactly their fraction of the grayscale images is inverted, rounded down.
    rng : Generator
        The order of the draws is part of the result: the same seed gives the same batch.
    """
    n = len(chosen)
    is_gray = np.array([not is_colour(band) for band, _ in chosen], bool)
    gray = rng.permutation(np.flatnonzero(is_gray))
    invert = np.zeros(n, bool)
    invert[gray[: int(ranges.inverted * len(gray))]] = True
    angle = rng.uniform(0, 2 * np.pi, n)
    zoom = _draw_zooms(ranges, n, rng)
    flip = rng.random(n) < 0.5
    shift = rng.triangular(-ranges.shift, 0, ranges.shift, (n, 2)) if ranges.shift else np.zeros((n, 2))
    blur = rng.uniform(*ranges.blur, n)
    gamma = rng.uniform(*ranges.gamma, n)
    brightness = rng.uniform(*ranges.brightness, n)
    channels = rng.uniform(*ranges.channel, (n, 3))
    noise = rng.uniform(0, ranges.noise, n)
    offset = rng.integers(0, _NOISE_VALUES, n)
    if ranges.blurred < 1:
        blur[rng.random(n) >= ranges.blurred] = 0
    sky = rng.uniform(*ranges.sky, n) if any(ranges.sky) else np.zeros(n)
    if not ranges.noise_on_gray:
        noise[is_gray] = 0
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
            sky=sky[i],
            positive=ranges.positive,
        )
        for i in rng.permutation(n)
    ]


def _draw_zooms(ranges: Ranges, n: int, rng: np.random.Generator) -> np.ndarray:
    low, high = ranges.zoom
    return np.exp(rng.uniform(math.log(low), math.log(high), n)) if ranges.zoom_in_log else rng.uniform(low, high, n)


def draw_noise(rng: np.random.Generator) -> np.ndarray:
    """Draw the noise values that all images of a batch share, float64 (1048576,), standard deviation 1."""
    # Drawn in single precision, multiplied in double: which value is rounded up does not depend on the library.
    return rng.standard_normal(_NOISE_VALUES, np.float32).astype(np.float64)
