"""What distorts the isophote of a galaxy is told apart."""

import numpy as np
import pytest

from inclinet.geometry.contradiction import FLATTER, ROUNDER, likely_reasons
from inclinet.geometry.shape import measure_shape

SIZE = 256


def blob(radius, axis_ratio=1.0, peak=1.0, at=(0, 0), angle=0.0):
    """Return an exponential ellipse, float (SIZE, SIZE); places in pixels from the centre, angle in deg."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    x, y, angle = x - at[0], y - at[1], np.radians(angle)
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    return peak * np.exp(-np.hypot(u, v / axis_ratio) / radius)


def star(at, peak):
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    return peak * np.exp(-0.5 * ((x - at[0]) ** 2 + (y - at[1]) ** 2) / 2.5**2)


DISC = blob(24, 0.4, 0.6)
SCENES = {
    "nothing": (DISC, ""),
    "bulge": (DISC + blob(8, 1, 1.2), "bulge"),
    "bar": (blob(26, 0.9, 0.4) + blob(12, 0.25, 1.0, angle=40), "bar"),
    "star": (DISC + star((30, 10), 3.0), "star"),
    "companion": (DISC + blob(9, 0.8, 0.6, at=(0, 50)), "companion"),
}


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("inverted", [False, True])
def test_what_was_put_in_is_named(name, inverted):
    light, expected = SCENES[name]
    image = np.clip(200 * light + 10 + np.random.default_rng(0).normal(0, 2, light.shape), 0, 255).astype(np.uint8)
    assert measure_shape(255 - image if inverted else image).peculiarities == expected


def test_only_what_explains_the_contradiction_is_named():
    shape = measure_shape(np.clip(200 * SCENES["bulge"][0] + 10, 0, 255).astype(np.uint8))
    assert likely_reasons(ROUNDER, shape) == ["likely a bulge"]
    assert likely_reasons(FLATTER, shape) == []
