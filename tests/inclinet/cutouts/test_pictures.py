import io

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from inclinet.cutouts.client import FetchError
from inclinet.cutouts.pictures import BLANK, WIDER, decode_colour, decode_gray, turn, turning_angle
from inclinet.data.tables import read_table
from tests.inclinet.cutouts.stand_in import Galaxy, paint


def axis(image):
    """Return the angle of the major axis, deg counterclockwise from level, in (-90, 90], and the axis ratio."""
    light = np.asarray(image.convert("L")).astype(float)
    light = np.clip(light - np.median(light) - 20, 0, None)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]] - (light.shape[0] - 1) / 2
    xx, yy, xy = ((light * a).sum() / light.sum() for a in (x * x, y * y, -x * y))
    values = np.linalg.eigvalsh([[xx, xy], [xy, yy]])
    return np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)), np.sqrt(values[0] / values[1])


def jpeg(light):
    content = io.BytesIO()
    Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).convert("RGB").save(content, "JPEG", quality=92)
    return content.getvalue()


@pytest.mark.parametrize("pa", [0, 10, 45, 89, 90, 91, 135, 147, 179])
def test_the_major_axis_becomes_level(pa):
    light = paint([Galaxy(10, 0, 4, pa)], 10, 0, 8 * WIDER, 363)
    angle = turning_angle(pa)
    assert -90 < angle <= 90
    turned = turn(Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)), angle, WIDER, 256)
    assert turned.size == (256, 256)
    tilt, axis_ratio = axis(turned)
    assert abs(tilt) < 0.3
    assert axis_ratio == pytest.approx(0.4, abs=0.02)


def test_a_turned_picture_keeps_its_scale_and_has_no_corners():
    light = paint([Galaxy(10, 0, 4, 30)], 10, 0, 8 * WIDER, 363)
    image = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8))
    turned = np.asarray(turn(image, turning_angle(30), WIDER, 256)).astype(float)
    level = paint([Galaxy(10, 0, 4, 90)], 10, 0, 8, 256, seed=1)
    assert np.abs(turned - level).mean() < 3
    assert all(1 < corner.std() < 4 for corner in (turned[:30, :30], turned[-30:, -30:], turned[:30, -30:]))


def test_a_server_s_largest_size_is_enlarged():
    light = paint([Galaxy(10, 0, 4, 90)], 10, 0, 8 * WIDER, 200)
    turned = turn(Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)), 0, WIDER, 256)
    assert np.abs(np.asarray(turned) - paint([Galaxy(10, 0, 4, 90)], 10, 0, 8, 256)).mean() < 3


def test_real_pictures_are_not_blank(shared):
    paths = sorted((shared / "sdss_ngc" / "galaxies").glob("*.jpg"))[::20]
    assert len(paths) > 20
    for path in paths:
        content = path.read_bytes()
        assert decode_colour(content, Image.open(path).width).mode == "RGB"


def test_real_pictures_become_level(shared):
    table, _ = read_table(shared / "sdss_ngc" / "catalog.csv")
    tilts = []
    for row in table.to_dict("records"):
        path = shared / "sdss_ngc" / "galaxies" / f"pgc{row['pgc'].strip()}_d25x1.25_gri.sdss.jpg"
        if path.is_file() and row["pa"].strip() and float(row["b_a"] or 1) < 0.3:
            image = Image.open(path).convert("L")
            tilts.append(abs(axis(turn(image, turning_angle(float(row["pa"])), WIDER, 256))[0]))
    assert len(tilts) > 100
    assert np.median(tilts) < 2


@pytest.mark.parametrize("gray", [0, 32, 255])
def test_one_value_throughout_is_blank(gray):
    with pytest.raises(FetchError, match=BLANK):
        decode_colour(jpeg(np.full((100, 100), gray)), 100)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the server sent an empty body"),
        (jpeg(np.random.default_rng(0).uniform(0, 255, (100, 100)))[:900], "not a readable image"),
        (b"<html>Service Unavailable</html>", "it sent the text '<html>Service"),
    ],
    ids=["empty", "broken", "text"],
)
def test_what_is_no_picture_is_worth_another_attempt(content, reason):
    with pytest.raises(FetchError, match=reason) as caught:
        decode_colour(content, 100)
    assert caught.value.is_trouble
    with pytest.raises(FetchError, match="not a readable FITS file" if content else reason) as caught:
        decode_gray(content, 100)
    assert caught.value.is_trouble


def test_another_size_than_asked_for_is_refused():
    with pytest.raises(FetchError, match="gave 80×80 pixels in place of 100×100"):
        decode_colour(jpeg(paint([Galaxy(0, 0, 1, 0)], 0, 0, 2, 80)), 100)


def as_fits(*arrays):
    content = io.BytesIO()
    units = [fits.PrimaryHDU()] + [fits.ImageHDU(array) for array in arrays]
    fits.HDUList(units).writeto(content)
    return content.getvalue()


def test_one_band_is_stretched_and_north_is_up():
    light = paint([Galaxy(0, 0.02, 4, 0)], 0, 0, 8, 200)  # north of the centre
    light[:, :9] = np.nan
    light[:, 9:15] = 0
    image = decode_gray(as_fits(np.flipud(light).astype(">f4")[None]), 200)
    assert (image.mode, image.size) == ("L", (200, 200))
    gray = np.asarray(image).astype(float)
    assert np.unravel_index(np.argmax(gray), gray.shape)[0] < 100
    assert 100 < gray.max() < 255
    sky = np.median(gray[:, 15:60])
    assert 3 < sky < 10, "as in pictures of SDSS"
    assert np.abs(gray[:, :15] - sky).max() <= 3


@pytest.mark.parametrize("data", [np.zeros((50, 50)), np.full((50, 50), np.nan), np.full((50, 50), 3.0)])
def test_a_band_without_data_is_blank(data):
    with pytest.raises(FetchError, match=BLANK):
        decode_gray(as_fits(data.astype(np.float32)), 50)
    with pytest.raises(FetchError, match=BLANK):
        decode_gray(as_fits(), 50)
