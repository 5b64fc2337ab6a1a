"""Framing sees what an image hides."""

import numpy as np
import pytest
from PIL import Image

from inclinet.data.padding import fill_padding
from inclinet.geometry.framing import to_small
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
