import dataclasses

import cv2
import numpy as np
import pytest

from inclinet.geometry.framing import FIELD, to_small
from inclinet.geometry.shape import measure_shape
from tests.conftest import disc


def scene(size=200, inclination=70, shift=(0, 0), width=1.0, seed=0):
    """Return a noisy image of a disc; `width` is that of the field."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    x, y = (x - shift[0] * size) * width, (y - shift[1] * size) * width
    q = np.sqrt(np.cos(np.radians(inclination)) ** 2 * 0.96 + 0.04)
    light = 200 * np.exp(-0.5 * (x**2 + (y / q) ** 2) / (0.12 * size) ** 2)
    noise = np.random.default_rng(seed).normal(10, 2, (size, size))
    return np.clip(light + noise, 0, 255).astype(np.uint8)


def test_centre_size_axis_ratio_and_angle():
    image = disc(256, 70, channels=1, angle=np.radians(30))
    shape = measure_shape(image)
    assert (shape.x, shape.y) == pytest.approx((127.5, 127.5), abs=1)
    # The isophote at 12 % of a Gaussian's centre lies at 2.06 standard deviations.
    assert shape.semi_major == pytest.approx(2.06 * 25.6, rel=0.07)
    assert shape.axis_ratio == pytest.approx(np.sqrt(np.cos(np.radians(70)) ** 2 * 0.96 + 0.04), abs=0.04)
    assert shape.position_angle == pytest.approx(30, abs=2)
    assert shape.problem == ""


@pytest.mark.parametrize("change", ["negative", "colour", "small", "bright", "faint"])
def test_the_shape_does_not_depend_on_how_the_galaxy_is_shown(change):
    image = scene()
    changed = {
        "negative": 255 - image,
        "colour": np.repeat(image[..., None], 3, axis=2),
        "small": cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA),
        "bright": (255 * (image / 255) ** 0.8).astype(np.uint8),
        "faint": (image * 0.5).astype(np.uint8),
    }[change]
    scale = len(changed) / len(image)
    before, after = measure_shape(image), measure_shape(changed)
    assert after.semi_major / scale == pytest.approx(before.semi_major, rel=0.12)
    assert after.axis_ratio == pytest.approx(before.axis_ratio, abs=0.05)
    assert abs(after.x / scale - before.x) < 2
    assert abs(after.y / scale - before.y) < 2


def test_a_companion_or_a_star_at_the_side_is_not_the_galaxy():
    image = scene().astype(int)
    y, x = np.mgrid[:200, :200]
    image += (180 * np.exp(-0.5 * ((x - 160) ** 2 + (y - 40) ** 2) / 12**2)).astype(int)
    image += (250 * np.exp(-0.5 * ((x - 60) ** 2 + (y - 150) ** 2) / 2**2)).astype(int)
    alone, crowded = measure_shape(scene()), measure_shape(np.clip(image, 0, 255).astype(np.uint8))
    for name in ("x", "y", "semi_major"):
        assert getattr(crowded, name) == pytest.approx(getattr(alone, name), abs=4), name
    assert crowded.axis_ratio == pytest.approx(alone.axis_ratio, abs=0.05)


def test_where_there_is_no_galaxy_the_image_is_the_frame():
    shape = measure_shape(np.full((100, 100), 20, np.uint8))
    assert shape.problem == "no galaxy found"
    assert FIELD * shape.semi_major >= 100


def test_a_galaxy_that_reaches_the_edge_is_cut_off():
    assert measure_shape(scene(width=0.5)).problem == "cut off"


@pytest.mark.parametrize("inclination", [50, 70, 85])
def test_a_galaxy_of_which_the_image_shows_the_inner_part_is_larger_than_the_image(inclination):
    assert measure_shape(scene(inclination=inclination, width=0.3)).problem == "larger than the image"


@pytest.mark.parametrize(("shift", "width"), [((0.1, -0.05), 1.0), ((0, 0), 1.5), ((-0.1, 0.1), 2.0)])
def test_the_frame_is_the_same_wherever_the_galaxy_is_and_however_wide_the_image(tmp_path, shift, width):
    framed = []
    for number, image in enumerate((scene(), scene(shift=shift, width=width))):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), image)
        framed.append(np.asarray(to_small(path, 64, False, "measured")[0]).astype(float))
    assert np.abs(framed[0] - framed[1]).mean() < 10
    assert measure_shape(framed[1].astype(np.uint8)).axis_ratio == pytest.approx(
        measure_shape(framed[0].astype(np.uint8)).axis_ratio, abs=0.06
    )


def test_a_shape_can_be_written_as_a_row():
    assert list(dataclasses.asdict(measure_shape(scene()))) == [
        "x", "y", "semi_major", "axis_ratio", "position_angle", "problem", "peculiarities",
    ]  # fmt: skip
