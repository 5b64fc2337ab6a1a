"""Pictures in every format, written by Pillow and OpenCV: depth, transparency, blank ones."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from inclinet.data.images import BadImageError, open_image
from tests.conftest import disc

GRAY = disc(96, 60, channels=1)
SKY = 12


def opened(path, colour=False):
    return np.asarray(open_image(path, colour)).astype(int)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "a.bmp", "a.gif", "a.jp2", "a.PNG", "no suffix"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_is_read(tmp_path, name, mode):
    kind = {"a.jp2": "JPEG2000", "no suffix": "PNG"}.get(name)
    Image.fromarray(GRAY).convert(mode).save(tmp_path / name, format=kind)
    assert np.abs(opened(tmp_path / name) - GRAY).mean() < 2
    assert opened(tmp_path / name, True).shape == (96, 96, 3)


@pytest.mark.parametrize("suffix", ["png", "tif", "jp2"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_data_of_fewer_bits_in_files_of_16_are_as_bright(tmp_path, suffix, bits):
    deep = (GRAY.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / f"a.{suffix}")
    assert np.abs(opened(tmp_path / f"a.{suffix}") - GRAY).max() <= 1


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_so_are_colours_of_16_bits(tmp_path, suffix, channels):
    deep = np.repeat((GRAY.astype(np.uint16) * 16)[..., None], channels, axis=2)
    deep[..., 0] //= 2  # blue, in OpenCV's order
    if channels == 4:
        deep[..., 3] = 65535
        deep[:, :20, 3], deep[:, :20, :3] = 0, 65535
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), deep)
    pixels = opened(tmp_path / f"a.{suffix}", None)
    assert np.abs(pixels[:, 25:, 0] - GRAY[:, 25:]).max() <= 2
    assert np.abs(pixels[:, 25:, 2] - GRAY[:, 25:] / 2).max() <= 2
    assert pixels[:, :20].max() < 40


def test_light_in_integers_of_16_bits_is_stretched(tmp_path):
    """A galaxy of a few hundred counts, and a star that fills 16 bits."""
    counts = (np.random.default_rng(0).normal(100, 3, (96, 96)) + GRAY).astype(np.uint16)
    counts[5:8, 5:8] = 65535
    Image.fromarray(counts).save(tmp_path / "a.png")
    pixels = opened(tmp_path / "a.png")
    assert pixels[44:52, 44:52].min() > 100
    assert np.median(pixels) < 20


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_tiff_of_floats_and_long_integers_is_stretched(tmp_path, dtype):
    values = (np.random.default_rng(0).normal(-5, 3, (96, 96)) + GRAY).astype(dtype)
    if dtype == np.float32:
        values[:, :20] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    pixels = opened(tmp_path / "a.tif")
    assert pixels[44:52, 44:52].min() > 100
    assert pixels[:, :20].mean() < 20


def hidden(mode, value):
    """Return a galaxy on a sky, of whose transparent strip nobody is to see the value."""
    image = np.maximum(GRAY, SKY)
    alpha = np.full_like(image, 255)
    image[70:], alpha[70:] = value, 0
    if mode == "P":
        indexed = Image.fromarray((image // 2 + 1).astype(np.uint8)).convert("P")
        indexed.putpalette([level for k in range(256) for level in [min(2 * k, 255)] * 3])
        pixels = np.asarray(indexed).copy()
        pixels[70:] = 0
        palette = Image.fromarray(pixels).convert("P")
        palette.putpalette([value] * 3 + [level for k in range(1, 256) for level in [min(2 * (k - 1), 255)] * 3])
        palette.info["transparency"] = 0
        return palette
    if mode == "LA":
        return Image.fromarray(np.dstack([image, alpha]), "LA")
    return Image.fromarray(np.dstack([image] * 3 + [alpha]), "RGBA")


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
@pytest.mark.parametrize("value", [255, 0, 128])
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
def test_transparent_pixels_are_never_shown(tmp_path, mode, value, suffix):
    if (mode, suffix) in {("P", "tif"), ("P", "webp"), ("LA", "webp")}:
        pytest.skip(f"{suffix} keeps no transparency of mode {mode}")
    path = tmp_path / f"a.{suffix}"
    hidden(mode, value).save(path, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    pixels = opened(path)
    assert np.abs(pixels[70:] - SKY).max() <= 3
    assert np.abs(pixels[:67] - np.maximum(GRAY, SKY)[:67]).max() <= 2


def test_one_colour_may_be_transparent(tmp_path):
    image = np.maximum(GRAY, SKY)
    image[70:] = 255
    Image.fromarray(image).save(tmp_path / "a.png", transparency=255)
    assert opened(tmp_path / "a.png")[70:].max() <= SKY + 3
    deep = image.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "b.png", transparency=65535)
    assert opened(tmp_path / "b.png")[70:].max() <= SKY + 3


def test_small_transparent_holes_are_filled_from_around_them(tmp_path):
    alpha = np.full_like(GRAY, 255)
    alpha[46:49, 46:49] = 0
    image = GRAY.copy()
    image[46:49, 46:49] = 0
    Image.fromarray(np.dstack([image, alpha]), "LA").save(tmp_path / "a.png")
    assert np.abs(opened(tmp_path / "a.png") - GRAY).max() <= 25


def noisy(value, spread):
    return np.clip(np.random.default_rng(0).integers(value - spread, value + spread + 1, (96, 96)), 0, 255)


def half(left, right):
    image = np.full((96, 96), left, np.uint8)
    image[:, 48:] = right
    return image


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((96, 96)), "blank: black throughout"),
        (np.full((96, 96), 255), "blank: white throughout"),
        (np.full((96, 96), 93), r"blank: one value \(93\) throughout"),
        (noisy(3, 1), "blank: black"),
        (noisy(252, 1), "blank: white"),
        (noisy(93, 1), "blank: one value"),
        (half(0, 255), "blank: nothing but black and white"),
        (np.full((96, 96, 3), (10, 90, 160)), "blank: one colour"),
        (np.full((1, 1), 93), "blank"),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_blank_pictures_are_unusable(tmp_path, pixels, reason, suffix):
    Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"a.{suffix}", quality=95)
    with pytest.raises(BadImageError, match=reason if suffix == "png" else "blank"):
        open_image(tmp_path / f"a.{suffix}", None)


@pytest.mark.parametrize("level", [0, 3000, 65535])
def test_so_are_those_of_16_bits(tmp_path, level):
    values = np.clip(np.random.default_rng(0).integers(level - 1, level + 2, (96, 96)), 0, 65535).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    with pytest.raises(BadImageError, match="blank"):
        open_image(tmp_path / "a.png", None)


def test_so_are_those_of_which_everything_is_transparent(tmp_path):
    Image.fromarray(np.dstack([GRAY, np.zeros_like(GRAY)]), "LA").save(tmp_path / "a.png")
    with pytest.raises(BadImageError, match="blank: no pixel holds data"):
        open_image(tmp_path / "a.png", None)


def test_a_few_hot_pixels_are_no_content(tmp_path):
    image = np.full((96, 96), 20, np.uint8)
    image[[3, 40, 77], [50, 2, 60]] = 255
    Image.fromarray(image).save(tmp_path / "a.png")
    with pytest.raises(BadImageError, match="blank"):
        open_image(tmp_path / "a.png", None)


def test_a_faint_or_small_galaxy_is_content(tmp_path):
    for k, image in enumerate([GRAY // 20, np.pad(disc(24, 60, channels=1), 100), 255 - GRAY // 20]):
        Image.fromarray(image.astype(np.uint8)).save(tmp_path / f"{k}.png")
        assert np.array_equal(opened(tmp_path / f"{k}.png"), image)


def test_a_format_that_is_a_program_is_refused():
    with pytest.raises(BadImageError, match="not a readable image"):
        open_image(io.BytesIO(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"), None)


@pytest.mark.parametrize("pixels", [np.eye(9), np.ones((9, 9, 3), np.float32)], ids=["64 bits", "colour"])
def test_a_tiff_that_pillow_does_not_read_says_so(tmp_path, pixels):
    cv2.imwrite(str(tmp_path / "a.tif"), pixels)
    with pytest.raises(BadImageError, match="a TIFF of a kind that is not read, .*: save it as FITS"):
        open_image(tmp_path / "a.tif", None)
