import numpy as np
import pytest

from inclinet.preparation.transformation import draw_noise, draw_transformations


def draw(chosen, seed=0):
    return draw_transformations(chosen, np.random.default_rng(seed))


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


def test_noise_has_a_standard_deviation_of_1():
    noise = draw_noise(np.random.default_rng(0))
    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(1, abs=0.01)
