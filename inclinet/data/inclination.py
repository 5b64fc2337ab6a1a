"""Degrees of inclination to the units of the network's output and back, its bins, and the axis ratio that follows."""

import math

import numpy as np

__all__ = [
    "BIN_WIDTH",
    "MIN_INCLINATION",
    "UNIT",
    "axis_ratio_of",
    "inclination_bin",
    "numeric_label",
    "to_degrees",
    "to_scaled",
]

MIN_INCLINATION = 45
"""Galaxies with a smaller label (deg) take no part in regression."""

UNIT = 22.5
"""Degrees in one unit of the network's output."""

BIN_WIDTH = 5
"""Width (deg) of the bins of inclination: [45, 50], (50, 55], … (85, 90]."""


def numeric_label(label: str) -> int:
    """Return a label as a number: `0` → 0, `F` → 1, else the inclination in degrees."""
    return 1 if label == "F" else int(label)


def to_scaled(inclination: np.ndarray) -> np.ndarray:
    """Return inclinations i (deg) in the network's units, float32: y = 2 (i − 45) / 45 − 1, so 45–90 deg is −1 … 1."""
    return ((np.asarray(inclination, np.float32) - MIN_INCLINATION) / UNIT - 1).astype(np.float32)


def to_degrees(scaled: np.ndarray) -> np.ndarray:
    """Return inclinations (deg) from the network's output."""
    return (np.asarray(scaled) + 1) * UNIT + MIN_INCLINATION


def inclination_bin(labels: np.ndarray) -> np.ndarray:
    """Return the bin (0–8) of each label in degrees; each bin includes its upper edge, the first one both edges."""
    labels = np.asarray(labels)
    return np.maximum(np.ceil((labels - MIN_INCLINATION) / BIN_WIDTH).astype(int) - 1, 0)


def axis_ratio_of(inclination: float, q0: float) -> float:
    """Return the apparent axis ratio of a disc at an inclination (deg).

    cos² i = (q² − q0²) / (1 − q0²), Hubble (1926, ApJ 64, 321); `q0` is the axis ratio seen edge-on.
    """
    cos2 = math.cos(math.radians(inclination)) ** 2
    return math.sqrt(cos2 * (1 - q0**2) + q0**2)
