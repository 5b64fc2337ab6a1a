"""Framing sees what an image hides."""

import numpy as np
import pytest
from PIL import Image

from inclinet.data.padding import fill_padding
from inclinet.geometry.framing import ZOOMS, small_pixels, to_small
from inclinet.geometry.shape import HIDDEN
from tests.conftest import disc


@pytest.mark.parametrize(("hidden", "problem"), [(0, ""), (50, HIDDEN)])
def test_a_galaxy_behind_a_white_strip_is_partly_hidden(tmp_path, hidden, problem):
    pixels = disc(128, 60) + 12
    pixels[:, :hidden] = 255
    Image.fromarray(pixels).save(tmp_path / "disc.png")
    assert to_small(tmp_path / "disc.png", 32, True, "measured")[1].problem == problem


def test_a_wide_frame_around_a_noisy_image_is_filled():
    noisy = np.clip(disc(100, 60) + np.random.default_rng(0).normal(30, 25, (100, 100, 3)), 5, 245).astype(np.uint8)
    framed = np.full((300, 300, 3), 255, np.uint8)
    framed[100:200, 100:200] = noisy
    filled = np.asarray(fill_padding(Image.fromarray(framed)))
    assert filled[:90].max() < 100
    np.testing.assert_array_equal(filled[103:197, 103:197], noisy[3:97, 3:97])


@pytest.mark.parametrize(("size", "nearer"), [(200, True), (48, False)])
def test_a_galaxy_comes_in_several_frames_unless_it_fills_the_image(tmp_path, size, nearer):
    pixels = np.full((size, size, 3), 12, np.uint8)
    whole = disc(160, 60) + 12
    margin = abs(size - 160) // 2
    if size > 160:
        pixels[margin:-margin, margin:-margin] = whole
    else:
        pixels = whole[margin:-margin, margin:-margin]
    Image.fromarray(pixels).save(tmp_path / "disc.png")
    frames, _ = small_pixels(tmp_path / "disc.png", 32, True, "measured")
    assert frames.shape == (len(ZOOMS), 32, 32, 3)
    light = frames.astype(float).mean(axis=(1, 2, 3))
    assert list(light) == sorted(light)
    assert (light[-1] > light[0] + 5) == nearer
    given, none = small_pixels(tmp_path / "disc.png", 32, True, "given")
    assert given.shape == (1, 32, 32, 3)
    assert none is None
