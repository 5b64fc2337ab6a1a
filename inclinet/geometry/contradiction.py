"""Whether the shape of a galaxy contradicts the inclination that networks tell."""

import math

from inclinet.data.inclination import MIN_INCLINATION, axis_ratio_of
from inclinet.geometry.peculiarity import Peculiarity
from inclinet.geometry.shape import Shape

__all__ = ["FLATTER", "REASONS", "ROUNDER", "find_contradiction", "likely_reasons"]

ROUNDER = "rounder than its inclination"
FLATTER = "flatter than its inclination"

REASONS: dict[str, tuple[Peculiarity, ...]] = {
    ROUNDER: ("bulge", "star", "companion"),
    FLATTER: ("bar", "star", "companion"),
}
"""What may cause each contradiction."""

_THINNEST, _THICKEST = 0.1, 0.35  # axis ratios of discs seen edge-on
_ERRORS = 3.5  # error bars that a disc may deviate: of 500 labelled galaxies, some 5 % deviate by more


def find_contradiction(shape: Shape, inclination: float, error: float) -> str:
    """Return `ROUNDER` or `FLATTER` if no disc of that inclination looks like the shape, else an empty text.

    A disc has the axis ratio of `axis_ratio_of` for some thickness and some inclination within 3.5 error bars. Galaxies
    cut off by the edge of the image are not judged.

    Parameters
    ----------
    shape : Shape
    inclination, error : float
        Prediction and its error bar (deg).
    """
    if shape.problem or math.isnan(inclination) or math.isnan(error):
        return ""
    lowest = inclination - _ERRORS * error
    # Networks answer no less than 45 deg, however close to face-on a galaxy is.
    if lowest > MIN_INCLINATION and shape.axis_ratio > axis_ratio_of(lowest, _THICKEST):
        return ROUNDER
    if shape.axis_ratio < axis_ratio_of(min(inclination + _ERRORS * error, 90), _THINNEST):
        return FLATTER
    return ""


def likely_reasons(contradiction: str, shape: Shape) -> list[str]:
    """Return what in the image may cause a contradiction, each as `likely a bar` and so on."""
    found = shape.peculiarities.split("; ")
    return [f"likely a {reason}" for reason in REASONS[contradiction] if reason in found]
