import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inclinet.preparation.rendering import render
from inclinet.preparation.transformation import Transformation
from tests.conftest import disc


def transformation(**changes):
    plain = {
        "band": "RGB", "row": 0, "angle": 0.0, "zoom": 1.0, "flip": False, "shift": np.zeros(2), "blur": 0.0,
        "gamma": 1.0, "brightness": 1.0, "channels": np.ones(3), "noise": 0.0, "offset": 0, "invert": False,
    }  # fmt: skip
    return Transformation(**(plain | changes))


NOISE = np.random.default_rng(0).standard_normal(1 << 16, np.float32)


def axis_ratio(image):
    light = image[..., 0].astype(float)
    y, x = np.mgrid[: len(light), : len(light)]
    total = light.sum()
    x, y = x - (light * x).sum() / total, y - (light * y).sum() / total
    xx, yy, xy = ((light * product).sum() / total for product in (x * x, y * y, x * y))
    low, high = np.linalg.eigvalsh([[xx, xy], [xy, yy]])
    return np.sqrt(low / high)


@given(
    inclination=st.integers(45, 85),
    angle=st.floats(0, 2 * np.pi),
    zoom=st.floats(0.8, 1.2),
    flip=st.booleans(),
    shift=st.tuples(st.floats(-0.12, 0.12), st.floats(-0.12, 0.12)),
    invert=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_the_axis_ratio_stays(inclination, angle, zoom, flip, shift, invert):
    image = disc(96, inclination, angle=0.3)
    before = axis_ratio(image)
    change = transformation(band="g", angle=angle, zoom=zoom, flip=flip, shift=np.array(shift), invert=invert)
    after = render(image, change, NOISE)
    after = 255 - after if invert else after
    assert axis_ratio(after) == pytest.approx(before, rel=0.02)


def test_the_identity_changes_nothing():
    image = disc(32, 60)
    assert np.array_equal(render(image, transformation(), NOISE), image)
    assert np.array_equal(render(image, transformation(band="g", invert=True), NOISE), 255 - image)


def test_brightness_does_not_cut_off_a_bright_sky():
    image = 240 - disc(32, 60) // 2
    changed = render(image, transformation(band="g", brightness=1.1), NOISE)
    assert changed.max() < 255
    assert changed.min() < image.min()


def test_noise_changes_the_image():
    image = disc(32, 60)
    assert not np.array_equal(render(image, transformation(noise=5.0), NOISE), image)
    assert np.array_equal(render(image, transformation(band="g"), NOISE), image)


def test_noise_repeats_where_an_image_is_larger_than_its_values():
    image = np.full((32, 32, 3), 100, np.uint8)
    noisy = render(image, transformation(noise=5.0, offset=7), NOISE[:100]).ravel()
    assert noisy.std() > 3
    assert np.array_equal(noisy[:100], noisy[100:200])


def test_a_positive_image_is_bright_on_dark_whatever_it_was():
    image = disc(64, 60)
    shown = [render(each, transformation(band="g", positive=True), NOISE) for each in (image, 255 - image)]
    assert np.array_equal(*shown)
    assert shown[0][0, 0, 0] < 127


def test_light_is_added_and_gray_noise_is_the_same_in_all_channels():
    image = disc(64, 60)
    plain = render(image, transformation(band="g"), NOISE).astype(int)
    brighter = render(image, transformation(band="g", sky=20.0), NOISE).astype(int)
    assert np.all((brighter - plain == 20) | (brighter == 255))
    noisy = render(image, transformation(band="g", noise=8.0), NOISE)
    assert noisy[..., 0].astype(int).std() > 0
    assert np.array_equal(noisy[..., 0], noisy[..., 2])
    assert not np.array_equal(noisy, plain)
