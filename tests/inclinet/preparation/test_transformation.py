import numpy as np
import pytest

from inclinet.preparation.transformation import PRESETS, draw_noise, draw_transformations, ranges_of
from inclinet.settings import Augment


def draw(chosen, seed=0, preset="published"):
    return draw_transformations(chosen, PRESETS[preset], np.random.default_rng(seed))


def test_every_chosen_image_is_drawn_once_in_random_order():
    chosen = [("RGB", row) for row in range(50)]
    drawn = [(each.band, each.row) for each in draw(chosen)]
    assert sorted(drawn) == chosen
    assert drawn != chosen


@pytest.mark.parametrize(("n", "inverted"), [(1, 0), (9, 4), (20, 10)])
def test_half_the_grayscale_images_and_no_colour_image_are_inverted(n, inverted):
    drawn = draw([("g", row) for row in range(n)] + [("RGB", row) for row in range(n)])
    assert sum(each.invert for each in drawn if each.band == "g") == inverted
    assert not any(each.invert for each in drawn if each.band == "RGB")


def test_ranges_are_those_of_the_published_recipe():
    drawn = draw([("RGB", 0)] * 3000)
    for name, low, high in (
        ("angle", 0, 2 * np.pi), ("zoom", 0.8, 1.2), ("shift", -0.15, 0.15), ("gamma", 0.97, 1.03),
        ("brightness", 0.9, 1.1), ("channels", 0.95, 1.05), ("noise", 0, 5), ("blur", 0, 0.6),
    ):  # fmt: skip
        values = np.array([getattr(each, name) for each in drawn])
        assert low <= values.min() < low + 0.05 * (high - low), name
        assert high - 0.05 * (high - low) < values.max() <= high, name


def test_the_published_recipe_adds_noise_to_colour_images_only():
    drawn = draw([("g", 0), ("RGB", 0)] * 20)
    assert all((each.noise > 0) == (each.band == "RGB") for each in drawn)


def test_the_wide_preset_keeps_images_bright_on_dark_and_enlarges_half_of_them():
    drawn = draw([("g", 0)] * 3000, preset="wide")
    zoom = np.array([each.zoom for each in drawn])
    assert zoom.min() >= 0.65
    assert zoom.max() <= 1.75
    assert np.mean(zoom > np.sqrt(0.65 * 1.75)) == pytest.approx(0.5, abs=0.03)
    assert all(each.positive and not each.invert for each in drawn)
    assert np.mean([each.blur > 0 for each in drawn]) == pytest.approx(0.3, abs=0.03)
    assert max(each.noise for each in drawn) > 7.5


def test_a_setting_replaces_a_range_of_the_preset():
    ranges = ranges_of(Augment(preset="published", zoom_max=1.7, noise=0, sky_min=-9))
    assert ranges.zoom == (0.8, 1.7)
    assert ranges.noise == 0
    assert ranges.sky == (-9, 0)
    assert ranges.gamma == PRESETS["published"].gamma
    assert ranges_of(Augment()) == PRESETS["wide"]


def test_noise_has_a_standard_deviation_of_1():
    noise = draw_noise(np.random.default_rng(0))
    assert noise.dtype == np.float64
    assert noise.std() == pytest.approx(1, abs=0.01)
