"""A disc seen face-on: spiral arms, bar, star-forming knots and dust, as maps of light and optical depth."""

import math

import cv2
import numpy as np

from inclinet.simulation.population import Mock

__all__ = ["PLANE", "REACH", "paint_face_on"]

REACH = 6.0
"""Half-width of the face-on maps in disc scale lengths."""

PLANE = 320
"""Pixels a side of the face-on maps."""

_DUST_LAG = 0.6  # rad of the arms' phase: dust lies on the concave side of the arms


def paint_face_on(mock: Mock, rng: np.random.Generator) -> np.ndarray:
    """Paint the disc as seen face-on.

    Arms are logarithmic spirals, phi = ln(r) / tan(pitch), with noise that makes them uneven. Beyond the break the
    scale length is half of what it is inside (Pohlen & Trujillo 2006, A&A 454, 759).

    Returns
    -------
    ndarray of float32, shape (PLANE, PLANE, 3)
        Light of the old stars, light of the young stars, each with sum 1, and optical depth in r.
    """
    axis = np.linspace(-REACH, REACH, PLANE, dtype=np.float32)
    x, y = _stretched(*np.meshgrid(axis, mock.winding * axis), mock.ellipticity, rng.uniform(0, np.pi))
    r = np.hypot(x, y)
    patches = mock.patchiness * (_smooth_noise(rng, 14) + 0.7 * _smooth_noise(rng, 45))
    turns_per_log_radius = 1 / math.tan(math.radians(mock.pitch))
    swing = turns_per_log_radius * np.log(r / 2 + 0.05) + mock.unwinding * (r - 2) + rng.uniform(0, 2 * np.pi)
    phase = mock.arms * (np.arctan2(y, x) - swing) + 0.5 * patches

    def arms(lag: float, sharpness: float) -> np.ndarray:
        crest = np.exp(sharpness * (np.cos(phase - lag) - 1))
        return 1 - mock.contrast + mock.contrast * crest / crest.mean()

    edge = np.exp(-np.logaddexp(0, (r - mock.disc_break) / 0.2) * 0.2) / (1 + np.exp((r - 5.6) / 0.1))
    lopsided = np.arctan2(y, x) - rng.uniform(0, 2 * np.pi)
    edge *= 1 + mock.lopsidedness * np.minimum(r / 3, 1) * np.cos(lopsided)
    old = np.exp(-r) * (0.6 + 0.4 * arms(0, 1)) * edge
    if mock.bar:
        old += mock.bar_strength * _bar(x, y, mock.bar, rng.uniform(0, np.pi))
    ring = np.exp(-np.square((r - mock.ring) / 0.25)) if mock.ring else np.float32(0)
    old += 0.5 * math.exp(-mock.ring) * ring
    # Young stars avoid the centre.
    young = np.exp(-r / 1.2 - np.exp(1 - 3 * r) + 0.8 * patches) * (arms(0, 3) + 3 * ring) * edge
    young /= young.sum()
    young += 0.25 * _knots(young, rng)
    dust = mock.tau * np.exp(-r / 1.3 + 0.5 * patches) * (0.5 + 0.5 * arms(_DUST_LAG, 3)) * edge
    return np.dstack([old / old.sum(), young / young.sum(), dust]).astype(np.float32)


def _stretched(x: np.ndarray, y: np.ndarray, ellipticity: float, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates in which a disc that is longer than wide by `ellipticity` is round."""
    cos, sin = math.cos(turn), math.sin(turn)
    along = (x * cos + y * sin) * math.sqrt(1 - ellipticity)
    across = (y * cos - x * sin) / math.sqrt(1 - ellipticity)
    return along * cos - across * sin, along * sin + across * cos


def _smooth_noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Return Gaussian noise with `cells` independent cells a side, interpolated: float32 (PLANE, PLANE)."""
    values = rng.normal(size=(cells, cells)).astype(np.float32)
    return cv2.resize(values, (PLANE, PLANE), interpolation=cv2.INTER_CUBIC)


def _bar(x: np.ndarray, y: np.ndarray, half_length: float, turn: float) -> np.ndarray:
    """Return the light of a bar, four times as long as wide, with a centre of brightness 1."""
    cos, sin = math.cos(turn), math.sin(turn)
    along, across = (x * cos + y * sin) / half_length, (y * cos - x * sin) / (0.25 * half_length)
    return np.exp(-np.square(np.square(along)) - np.square(across))


def _knots(young: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return star-forming knots of random brightness where the young stars are, float32 (PLANE, PLANE), sum 1."""
    places = rng.choice(PLANE**2, size=rng.integers(20, 120), p=young.ravel() / young.sum(dtype=float))
    bright = np.zeros(PLANE**2, np.float32)
    np.add.at(bright, places, rng.exponential(size=len(places)).astype(np.float32))
    return cv2.GaussianBlur(bright.reshape(young.shape), (0, 0), 2) / bright.sum()
