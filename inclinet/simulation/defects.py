"""What spoils images of the survey: bright stars with haloes and trails, uneven sky, the survey's edge, blank corners.

Frames are float32 (3, size, size) in nanomaggies per arcsec², bands g, r, i, and are changed in place. The shares are
those of the SDSS cutouts of NGC and IC galaxies and of the Cosmicflows-4 images, roughly, by eye.
"""

import math

import numpy as np

__all__ = ["add_bright_star", "blank_corners", "spoil"]

_BRIGHT_STAR = 0.08  # share of images with a star too bright for the camera, or its light, in them
_UNEVEN_SKY = 0.08
_SURVEY_EDGE = 0.03  # share of images that reach beyond the survey's edge
_BLANK_CORNERS = 0.06  # share of images that were rotated and show it
_REDNESS = np.array([0.6, 1.0, 1.6])  # of the light that the camera scatters, in g, r, i

_AUREOLE, _AUREOLE_RADIUS = 0.02, 8.0  # share of a star's light that is scattered, and how far, arcsec
_SPIKES = 6e-5  # share of it per arcsec² at the root of the spikes
_CORE_WIDTH = 1.1  # arcsec, of a Moffat profile with beta = 3


def spoil(frames: np.ndarray, rng: np.random.Generator, pixel: float) -> None:
    """Spoil some images; `pixel` is the side of a pixel in arcsec."""
    size = frames.shape[1]
    if rng.random() < _BRIGHT_STAR:
        distance, turn = rng.uniform(0.35, 0.8), rng.uniform(0, 2 * np.pi)  # in front of the galaxy it is useless
        x, y = size * (0.5 + distance * np.array([math.cos(turn), math.sin(turn)]))
        add_bright_star(frames, rng, pixel, x=x, y=y, mag=rng.uniform(9, 12.5))
    if rng.random() < _UNEVEN_SKY:
        slopes = rng.normal(0, 0.12) + rng.normal(0, 0.06, 3)
        frames += (slopes[:, None, None] * _ramp(size, rng.uniform(0, 2 * np.pi))).astype(np.float32)
    if rng.random() < _SURVEY_EDGE:
        beyond = _ramp(size, rng.uniform(0, 2 * np.pi)) > rng.uniform(0.6, 1)
        frames[:, beyond] = 0


def _ramp(size: int, turn: float) -> np.ndarray:
    """Return a plane (size, size) through 0 in the middle, with slope 1 per half-width in the direction `turn`."""
    y, x = np.mgrid[:size, :size] * (2 / (size - 1)) - 1
    return x * math.cos(turn) + y * math.sin(turn)


def add_bright_star(
    frames: np.ndarray, rng: np.random.Generator, pixel: float, *, x: float, y: float, mag: float
) -> None:
    """Add a star of `mag` (r) at `x`, `y` (pixels): its aureole, four spikes and the trail along a camera column."""
    size = frames.shape[1]
    v, u = (np.mgrid[:size, :size] - np.array([y, x])[:, None, None]) * pixel
    r2 = u**2 + v**2
    core = 2 / np.pi / _CORE_WIDTH**2 * (1 + r2 / _CORE_WIDTH**2) ** -3
    aureole = _AUREOLE / np.pi / _AUREOLE_RADIUS**2 * (1 + r2 / _AUREOLE_RADIUS**2) ** -1.6
    turn = rng.uniform(0, np.pi / 2)
    along, across = u * math.cos(turn) + v * math.sin(turn), v * math.cos(turn) - u * math.sin(turn)
    narrow = max(1.0, pixel) ** 2
    cross = np.exp(-(across**2) / narrow) + np.exp(-(along**2) / narrow)
    spikes = _SPIKES * cross * (1 + r2 / 100) ** -1
    colours = _REDNESS * np.exp(rng.normal(0, 0.4, 3))
    star = core + colours[:, None, None] * (aureole + spikes)
    frames += (10 ** (0.4 * (22.5 - mag)) * star).astype(np.float32)
    length = rng.uniform(10, 60) * 10 ** (0.2 * (11 - mag))  # arcsec
    trail = np.exp(-(across**2) / narrow) * np.clip(1 - np.abs(along) / length, 0, 1)
    strength = rng.uniform(0, 5, 3) * (rng.random(3) < 0.5)  # charge spills in some bands, not in others
    frames += (strength[:, None, None] * trail).astype(np.float32)


def blank_corners(size: int, rng: np.random.Generator) -> np.ndarray | None:
    """Return where a cutout that was rotated has no data, bool (size, size), or None if it was not rotated."""
    if rng.random() >= _BLANK_CORNERS:
        return None
    turn, half = rng.uniform(0.1, np.pi / 2 - 0.1), rng.uniform(0.85, 1.2)
    return (np.abs(_ramp(size, turn)) > half) | (np.abs(_ramp(size, turn + np.pi / 2)) > half)
