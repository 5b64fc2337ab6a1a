"""Flags that follow from an answer, and from the shape of the galaxy in its image."""

import pandas as pd

from inclinet.geometry.contradiction import find_contradiction, likely_reasons
from inclinet.geometry.shape import HIDDEN, LARGER, NOT_FOUND, Shape

__all__ = ["NEARLY_FACE_ON", "UNLIKE", "flags_of_shape", "is_nearly_face_on"]

NEARLY_FACE_ON = "nearly face-on"
"""Flag of an answer that may well be of a galaxy below 45 deg."""

UNLIKE = "unlike training images"
"""Flag of an image that `inclinet.evaluation.novelty` finds unusual."""

# 97 % of 62 galaxies that people call face-on get no more than the first, or a 95 % interval from the second or less;
# of those of 55 deg and more, 4 % do.
_NEARLY_FACE_ON, _MAY_BE_FACE_ON = 56.0, 49.5  # deg


def is_nearly_face_on(estimates: pd.DataFrame) -> pd.Series:
    """Return which answers may well be of galaxies below 45 deg; `estimates` has `inclination` and `low95` (deg)."""
    return (estimates["inclination"] <= _NEARLY_FACE_ON) | (estimates["low95"] <= _MAY_BE_FACE_ON)


def flags_of_shape(shape: Shape, inclination: float, error: float) -> list[str]:
    """Return the flags of an answer with its error bar (deg) that follow from the shape of the galaxy."""
    if shape.problem in (NOT_FOUND, HIDDEN, LARGER):
        return [shape.problem]
    contradiction = find_contradiction(shape, inclination, error)
    return [contradiction, *likely_reasons(contradiction, shape)] if contradiction else []
