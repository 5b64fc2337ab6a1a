"""From degrees of inclination to the network's output and back: y = 2 (i − 45) / 45 − 1."""

import numpy as np

__all__ = ["BIN_WIDTH", "MIN_INCLINATION", "UNIT", "inclination_bin", "to_degrees", "to_scaled"]

MIN_INCLINATION = 45
"""Labels below this (deg) take no part in regression."""

UNIT = 22.5
"""Degrees in one unit of the network's output."""


def to_scaled(inclination: np.ndarray) -> np.ndarray:
    """Return inclinations in degrees as float32 in the network's units; 45–90 deg becomes −1 … 1."""
    return ((np.asarray(inclination, np.float32) - MIN_INCLINATION) / UNIT - 1).astype(np.float32)


def to_degrees(scaled: np.ndarray) -> np.ndarray:
    """Return the network's output as inclinations in degrees."""
    return (np.asarray(scaled) + 1) * UNIT + MIN_INCLINATION


BIN_WIDTH = 5
"""Width (deg) of the bins of inclination: [45, 50], (50, 55], … (85, 90]."""


def inclination_bin(labels: np.ndarray) -> np.ndarray:
    """Return the bin (0–8) of each label in degrees; each bin holds its upper edge, the first both edges."""
    labels = np.asarray(labels)
    return np.maximum(np.ceil((labels - MIN_INCLINATION) / BIN_WIDTH).astype(int) - 1, 0)
