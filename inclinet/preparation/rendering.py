"""What is drawn for each image of a stored batch, and the image made of it.

All randomness of a batch is drawn in one place (`draw`) from the seed; `render` is a pure function of it, so that the bytes do
not depend on the number of workers. No transformation changes the axis ratio, which would change the inclination.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from inclinet.data.bands import is_negative, sky
from inclinet.data.inclination import inclination_bin
from inclinet.data.samples import Samples

__all__ = ["Transformation", "draw", "render"]

_COLOUR, _GRAY = ("RGB",), ("g", "r", "i")


_MAX_SHIFT = 0.15  # of the image side


_ZOOM = (0.8, 1.2)


_GAMMA = (0.97, 1.03)


_BRIGHTNESS = (0.9, 1.1)


_CHANNEL = (0.95, 1.05)  # colour images: factor of each channel


_NOISE = 5.0  # colour images: largest standard deviation, of 255


_BLUR = 0.6  # largest standard deviation in pixels of a 128-pixel image


_NOISE_POOL = 1 << 20


def _cycle(rows: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` of `rows`, each nearly equally often, in random order."""
    rounds = [rng.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate(rounds)[:n]


def _choose(
    samples: Mapping[str, Samples], batchsize: int, rng: np.random.Generator, without: np.ndarray
) -> list[tuple[str, int]]:
    """Return (band, row) for every image of a batch: equal bins, half colour, equal shares of g, r, i."""
    classes = [present for group in (_COLOUR, _GRAY) if (present := [b for b in group if b in samples])]
    bins = {
        band: np.where(np.isin(sample.pgcs, without), -1, inclination_bin(sample.labels))
        for band, sample in samples.items()
    }
    rows = {(band, int(b)): np.flatnonzero(of == b) for band, of in bins.items() for b in np.unique(of) if b >= 0}
    chosen: list[tuple[str, int]] = []
    for b in sorted({b for _, b in rows}):
        filled = [bands for group in classes if (bands := [band for band in group if (band, b) in rows])]
        # Where one class has no galaxy in a bin the other fills its place: bins stay equal.
        share = batchsize * len(classes) // len(filled)
        for bands in filled:
            picks = np.resize(rng.permutation(bands), share)
            for band in bands:
                count = int(np.sum(picks == band))
                if count:
                    chosen += [(band, int(row)) for row in _cycle(rows[band, b], count, rng)]
    return chosen


@dataclass(frozen=True)
class Transformation:
    """What is drawn for one image."""

    band: str
    row: int
    angle: float
    zoom: float
    flip: bool
    shift: np.ndarray  # (x, y) as a share of the image side
    blur: float
    gamma: float
    brightness: float
    channels: np.ndarray
    noise: float
    offset: int
    invert: bool


def draw(
    samples: Mapping[str, Samples], batchsize: int, rng: np.random.Generator, without: np.ndarray
) -> tuple[list[Transformation], np.ndarray]:
    """Draw which images a batch holds and how each is transformed; returns these, and a pool of noise (unit variance)."""
    chosen = _choose(samples, batchsize, rng, without)
    n = len(chosen)
    gray = rng.permutation([i for i, (band, _) in enumerate(chosen) if band in _GRAY]).astype(int)
    invert = np.zeros(n, bool)
    invert[gray[: len(gray) // 2]] = True
    columns = zip(
        *zip(*chosen, strict=True),
        rng.uniform(0, 2 * np.pi, n),
        rng.uniform(*_ZOOM, n),
        rng.random(n) < 0.5,
        rng.triangular(-_MAX_SHIFT, 0, _MAX_SHIFT, (n, 2)),
        rng.uniform(0, _BLUR, n),
        rng.uniform(*_GAMMA, n),
        rng.uniform(*_BRIGHTNESS, n),
        rng.uniform(*_CHANNEL, (n, 3)),
        rng.uniform(0, _NOISE, n),
        rng.integers(0, _NOISE_POOL, n),
        invert,
        strict=True,
    )
    drawn = [Transformation(*values) for values in columns]
    return [drawn[i] for i in rng.permutation(n)], rng.standard_normal(_NOISE_POOL, np.float32)


def _warp(image: np.ndarray, fill: np.ndarray, drawn: Transformation) -> np.ndarray:
    """Rotate, flip, zoom and shift about the centre in one resampling; isotropic, so the axis ratio stays."""
    size = len(image)
    cos, sin = drawn.zoom * np.cos(drawn.angle), drawn.zoom * np.sin(drawn.angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if drawn.flip else 1.0, 1.0])
    centre = np.full(2, (size - 1) / 2)
    offset = centre + drawn.shift * size - linear @ centre
    matrix = np.column_stack([linear, offset])
    return cv2.warpAffine(
        image, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=fill.tolist()
    )


def _tone(drawn: Transformation, negative: bool, channels: int) -> np.ndarray:
    """Return the lookup table (256, channels) of gamma, brightness, channel factors and inversion.

    Gamma and brightness act on light: on the negative of an image that is black on white, whose bright sky
    would otherwise be cut off at 255, and the faint parts of the galaxy with it.
    """
    light = np.arange(256)[:, None] / 255
    if negative:
        light = 1 - light
    factors = drawn.channels if channels == 3 else np.ones(1)
    light = np.clip(light**drawn.gamma * drawn.brightness * factors, 0, 1)
    return np.rint(255 * (light if negative == drawn.invert else 1 - light)).astype(np.uint8)


def render(image: np.ndarray, drawn: Transformation, pool: np.ndarray) -> np.ndarray:
    """Return the augmented image, uint8 (size, size, 3)."""
    colour = drawn.band in _COLOUR
    pixels = np.ascontiguousarray(image if colour else image[..., :1], np.uint8)
    size = len(pixels)
    level = sky(pixels)
    result = _warp(pixels, level, drawn)
    sigma = drawn.blur * size / 128
    if sigma > 0.1:
        result = cv2.GaussianBlur(result, (0, 0), sigma)
    table = _tone(drawn, bool(is_negative(level)), 3 if colour else 1)
    result = cv2.LUT(result, table.reshape(1, 256, -1))
    if not colour:
        return np.broadcast_to(result.reshape(size, size, 1), (size, size, 3))
    start = drawn.offset % (_NOISE_POOL - result.size) if result.size < _NOISE_POOL else 0
    noise = np.resize(pool[start : start + result.size], result.shape)
    return np.clip(np.rint(result + drawn.noise * noise), 0, 255).astype(np.uint8)
