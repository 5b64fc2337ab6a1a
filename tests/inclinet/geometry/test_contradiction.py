import pytest

from inclinet.geometry.contradiction import FLATTER, ROUNDER, find_contradiction
from inclinet.geometry.shape import Shape


@pytest.mark.parametrize(
    ("axis_ratio", "inclination", "expected"),
    [
        (0.2, 90, ""),
        (0.35, 85, ""),
        (0.5, 62, ""),
        (0.7, 85, ROUNDER),  # a bulge, or a star on top
        (0.25, 50, FLATTER),  # a bar
        (0.95, 45, ""),
    ],
)
def test_only_shapes_that_no_disc_has_contradict(axis_ratio, inclination, expected):
    assert find_contradiction(Shape(0, 0, 10, axis_ratio, 0), inclination, 3) == expected


def test_a_galaxy_that_is_cut_off_or_has_no_error_bar_is_not_judged():
    assert find_contradiction(Shape(0, 0, 10, 0.9, 0, "cut off"), 88, 2) == ""
    assert find_contradiction(Shape(0, 0, 10, 0.9, 0), 88, float("nan")) == ""
    # A larger error bar excuses more.
    assert find_contradiction(Shape(0, 0, 10, 0.6, 0), 85, 10) == ""
    assert find_contradiction(Shape(0, 0, 10, 0.6, 0), 85, 2) == ROUNDER
