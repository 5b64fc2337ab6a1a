import numpy as np
import pytest
from PIL import Image

from inclinet.data.padding import fill_padding
from tests.conftest import disc


def with_corners(image, value):
    """Return the image with its corners cut off, as by a rotation."""
    size = len(image)
    y, x = np.mgrid[:size, :size]
    cut = image.copy()
    cut[(x + y < 0.4 * size) | (x + y > 1.6 * size)] = value
    return cut


def sky_image(negative, channels=3):
    noise = np.random.default_rng(0).integers(8, 16, (200, 200))
    image = np.clip(disc(200, 60, channels=1).astype(int) + noise, 0, 255)
    if channels == 3:
        image = np.repeat(image[..., None], 3, axis=2)
    return (255 - image if negative else image).astype(np.uint8)


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("channels", [1, 3])
def test_corners_of_any_kind_become_sky(negative, value, channels):
    image = sky_image(negative, channels)
    filled = np.asarray(fill_padding(Image.fromarray(with_corners(image, value))))
    corner = filled[:20, :20].astype(int)
    sky = np.median(image[:30, :30].astype(int))
    if negative and value == 255:
        assert np.abs(corner - sky).max() <= 20  # white on a white sky: nothing to see, nothing to do
    else:
        assert np.abs(corner - sky).max() <= 3
    assert np.array_equal(filled[90:110, 90:110], image[90:110, 90:110])


@pytest.mark.parametrize("value", [0, 255])
def test_a_wide_frame_around_an_image_becomes_sky(value):
    image = sky_image(negative=False)
    wide = np.full((360, 360, 3), value, np.uint8)
    wide[80:280, 80:280] = image
    filled = np.asarray(fill_padding(Image.fromarray(wide)))
    assert np.abs(filled[:70].astype(int) - 12).max() <= 4
    assert np.array_equal(filled[90:270, 90:270], wide[90:270, 90:270])


def test_an_image_without_padding_stays_as_it_is():
    for image in (sky_image(False), sky_image(True), disc(200, 60), 255 - disc(200, 60)):
        original = Image.fromarray(image)
        assert fill_padding(original) is original or np.array_equal(np.asarray(fill_padding(original)), image)
