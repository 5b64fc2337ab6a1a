import numpy as np
import pytest

from inclinet.data.bands import BANDS, FILTERS, band_title, is_colour, is_negative, positive, sky, stored_band
from tests.conftest import disc


def test_every_spelling_of_every_band():
    assert BANDS == ("g", "r", "i", "gri")
    assert [stored_band(band) for band in BANDS] == ["g", "r", "i", "RGB"]
    assert list(FILTERS.items()) == [("RGB", "c"), ("g", "g"), ("r", "r"), ("i", "i")]
    assert [is_colour(band) for band in ("g", "r", "i", "gri", "RGB", "c")] == [False] * 3 + [True] * 3
    assert [band_title(band) for band in ("g", "r", "i", "gri", "RGB", "c", "colour")] == ["g", "r", "i"] + [
        "colour"
    ] * 4


@pytest.mark.parametrize("level", [0, 40, 120])
def test_inverted_images_become_positive(level):
    image = np.maximum(disc(32, 60), level)
    images = np.stack([image, 255 - image])
    assert sky(images).tolist() == [[level] * 3, [255 - level] * 3]
    assert is_negative(sky(images)).tolist() == [False, True]
    assert np.array_equal(positive(images), np.stack([image, image]))
