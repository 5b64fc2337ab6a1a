"""FITS files, written by astropy: which image is read, and what is said of those without one."""

import gzip
import io

import numpy as np
import pytest
from astropy.io import fits

from inclinet.data.images import BadImageError, open_image
from tests.conftest import disc

SKY, COUNTS = 1000.0, 3.0


def light(inclination=60, size=96, faint=1.0):
    """Return a disc in proportion to light on a noisy sky, float32."""
    noise = np.random.default_rng(0).normal(SKY, COUNTS, (size, size))
    return (noise + faint * disc(size, inclination, channels=1)).astype(np.float32)


def write(path, *hdus):
    first = [] if isinstance(hdus[0], fits.PrimaryHDU) else [fits.PrimaryHDU()]
    fits.HDUList([*first, *hdus]).writeto(path)
    return path


def levels(path, colour=False):
    return np.asarray(open_image(path, colour)).astype(int)


@pytest.fixture
def plain(tmp_path):
    fits.PrimaryHDU(light()).writeto(tmp_path / "plain.fits")
    return levels(tmp_path / "plain.fits")


def test_a_float_image_looks_like_a_picture(plain):
    assert 2 <= np.median(plain[:10]) <= 12
    assert plain[44:52, 44:52].min() > 100
    bright = plain > 60
    y, x = np.nonzero(bright)
    assert np.ptp(y) < 0.8 * np.ptp(x)  # upright, and as flat as the disc


def test_the_first_row_of_the_file_is_at_the_bottom(tmp_path):
    values = light()
    values[:20, 40:50] += 300
    fits.PrimaryHDU(values).writeto(tmp_path / "a.fits")
    pixels = levels(tmp_path / "a.fits")
    assert pixels[-20:, 40:50].mean() > 100 > pixels[:20, 40:50].mean()


@pytest.mark.parametrize("factor", [1e-29, 1e-9, 1.0, 1e6])
def test_units_and_type_do_not_matter(tmp_path, plain, factor):
    fits.PrimaryHDU((light() * factor).astype(float)).writeto(tmp_path / "a.fits")
    assert np.abs(levels(tmp_path / "a.fits") - plain).max() <= 1


@pytest.mark.parametrize("dtype", ["i2", "u2", "i4", ">f4", "f8"])
def test_every_type_of_pixels_is_read(tmp_path, plain, dtype):
    fits.PrimaryHDU(light().round().astype(dtype)).writeto(tmp_path / "a.fits")
    assert np.abs(levels(tmp_path / "a.fits") - plain).max() <= 12


@pytest.mark.parametrize("kind", ["RICE_1", "GZIP_2", "HCOMPRESS_1", "gz"])
def test_compressed_files_are_read(tmp_path, plain, kind):
    if kind == "gz":
        content = io.BytesIO()
        fits.PrimaryHDU(light()).writeto(content)
        path = tmp_path / "a.fits.gz"
        path.write_bytes(gzip.compress(content.getvalue()))
    else:
        path = write(tmp_path / "a.fits.fz", fits.CompImageHDU(light(), compression_type=kind))
    assert np.abs(levels(path) - plain).max() <= 12


def test_the_image_is_found_among_extensions(tmp_path, plain):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0, 2.0])])
    noise = fits.ImageHDU(np.full((96, 96), COUNTS, np.float32), name="ERR")
    path = write(tmp_path / "a.fits", table, noise, fits.ImageHDU(light(), name="SCI"), fits.ImageHDU(1 - light()))
    assert np.array_equal(levels(path), plain)


def test_a_cube_of_three_bands_is_colour_and_the_red_band_red(tmp_path):
    blue_to_red = np.stack([light(), light(faint=1.5), light(faint=2.0)])
    blue_to_red[0, 10:20, 10:20] += 200  # a blue star
    cubes = {"grz": (blue_to_red, None), "zrg": (blue_to_red[::-1], "zrg"), "grz2": (blue_to_red, "grz")}
    for name, (cube, bands) in cubes.items():
        hdu = fits.PrimaryHDU(cube)
        if bands:
            hdu.header["BANDS"] = bands
        hdu.writeto(tmp_path / f"{name}.fits")
        pixels = levels(tmp_path / f"{name}.fits", None)
        assert pixels.shape == (96, 96, 3)
        red, _, blue = pixels[78:84, 12:18].mean(axis=(0, 1))
        assert blue > red + 50
        assert np.ptp(pixels[44:52, 44:52].mean(axis=(0, 1))) < 40  # balanced: the galaxy is nearly grey
    fits.PrimaryHDU(np.moveaxis(blue_to_red, 0, -1)).writeto(tmp_path / "last.fits")
    assert np.array_equal(levels(tmp_path / "last.fits", None), levels(tmp_path / "grz.fits", None))
    assert levels(tmp_path / "grz.fits", False).shape == (96, 96)


def test_bytes_are_a_picture_and_stay(tmp_path):
    picture = disc(64, 60)
    fits.PrimaryHDU(picture[::-1, :, 0]).writeto(tmp_path / "a.fits")
    assert np.array_equal(levels(tmp_path / "a.fits"), picture[..., 0])
    fits.PrimaryHDU(np.moveaxis(picture[::-1], -1, 0)).writeto(tmp_path / "b.fits")
    assert np.array_equal(levels(tmp_path / "b.fits", True), picture)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_missing_pixels_become_sky(tmp_path, plain, value):
    values = light()
    values[:, :15] = value
    values[48, 48] = np.nan  # a saturated core
    fits.PrimaryHDU(values).writeto(tmp_path / "a.fits")
    pixels = levels(tmp_path / "a.fits")
    assert np.abs(pixels[:, :15] - np.median(plain[:10])).max() <= 12
    assert pixels[::-1][48, 48] > 100
    assert np.abs(pixels[:, 20:] - plain[:, 20:]).mean() < 5


def test_integers_called_blank_are_missing(tmp_path):
    values = light().round().astype(np.int16)
    values[:, :15] = -32768
    hdu = fits.PrimaryHDU(values)
    hdu.header["BLANK"] = -32768
    hdu.writeto(tmp_path / "a.fits")
    assert levels(tmp_path / "a.fits")[:, :15].max() < 40


@pytest.mark.parametrize(
    ("hdus", "reason"),
    [
        ([fits.PrimaryHDU()], "without an image"),
        ([fits.BinTableHDU.from_columns([fits.Column("a", "E", array=[1.0])])], "without an image"),
        ([fits.PrimaryHDU(np.zeros((96, 96), np.float32))], "blank"),
        ([fits.PrimaryHDU(np.full((96, 96), np.nan))], "blank: no pixel holds data"),
        ([fits.PrimaryHDU(np.full((96, 96), 3.5))], r"blank: one value \(3.5\)"),
        ([fits.PrimaryHDU(np.full((96, 96), 7, np.int32))], "blank"),
        ([fits.PrimaryHDU(np.zeros((2, 96, 96), np.float32))], "cube of 96×96×2 values"),
        ([fits.PrimaryHDU(np.zeros((60, 30, 30), np.float32))], "cube of 30×30×60 values"),
        ([fits.PrimaryHDU(np.zeros((1, 9000), np.float32))], "no side may be longer"),
    ],
)
def test_files_without_a_usable_image_say_why(tmp_path, hdus, reason):
    with pytest.raises(BadImageError, match=reason):
        open_image(write(tmp_path / "a.fits", *hdus), None)


def test_damaged_files_say_so(tmp_path):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(light()).writeto(path)
    whole = path.read_bytes()
    for damaged in (whole[:100], whole[:2880], whole[:20_000], gzip.compress(whole)[:5000], gzip.compress(b"text")):
        path.write_bytes(damaged)
        with pytest.raises(BadImageError, match=r"FITS|gzip"):
            open_image(path, None)


def test_a_file_that_unpacks_without_end_is_refused(tmp_path):
    path = tmp_path / "a.fits.gz"
    path.write_bytes(gzip.compress(b"SIMPLE  =" + bytes(401 * 2**20), 1))
    with pytest.raises(BadImageError, match="unpacks to more than 400 MiB"):
        open_image(path, None)


def test_a_file_packed_in_several_members_is_read(tmp_path):
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(light()).writeto(path)
    content = path.read_bytes()
    packed = tmp_path / "image.fits.gz"
    packed.write_bytes(b"".join(gzip.compress(content[start : start + 5000]) for start in range(0, len(content), 5000)))
    assert np.array_equal(levels(packed), levels(path))
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(BadImageError, match="cut off"):
        levels(packed)
