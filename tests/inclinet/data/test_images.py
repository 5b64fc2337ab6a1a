import numpy as np
import pytest
from PIL import Image

from inclinet.data.images import BadImageError, choose_images, open_image, square
from inclinet.geometry.framing import to_small


def test_the_survey_image_is_preferred_to_the_local_one():
    names = ["pgc7_d25x2_rot_gri.jpg", "pgc7_d25x2_rot_gri.sdss.jpg", "pgc8_d25x2_rot_gri.jpg", "pgc9_x_gri.jpg"]
    assert choose_images(names, "d25x2_rot", "gri") == {7: "pgc7_d25x2_rot_gri.sdss.jpg", 8: "pgc8_d25x2_rot_gri.jpg"}
    assert choose_images(reversed(names), "d25x2_rot", "gri")[7].endswith(".sdss.jpg")


def test_the_usual_format_is_preferred_to_others():
    names = ["pgc7_a_g.fits", "pgc7_a_g.PNG", "pgc7_a_g.jpg", "pgc8_a_g.fits", "pgc9_a_z.png"]
    assert choose_images(names, "a", "g") == {7: "pgc7_a_g.PNG", 8: "pgc8_a_g.fits"}
    names = ["pgc7_a_gri.fits", "pgc7_a_gri.JPEG", "pgc7_a_gri.png", "pgc8_a_gri.JPG", "pgc8_a_gri.SDSS.JPG"]
    assert choose_images(names, "a", "gri") == {7: "pgc7_a_gri.JPEG", 8: "pgc8_a_gri.SDSS.JPG"}


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "I;16", "CMYK"])
@pytest.mark.parametrize("colour", [True, False])
def test_every_mode_keeps_its_brightness(tmp_path, mode, colour):
    levels = np.full((20, 20), 200, np.uint8)
    levels[5:10] = 190
    image = Image.fromarray(levels.astype(np.uint16) * 257 if mode == "I;16" else levels)
    if mode != "I;16":
        image = image.convert(mode)
    if mode in ("LA", "RGBA"):
        image.putalpha(10)
    path = tmp_path / ("a.jpg" if mode == "CMYK" else "a.png")
    image.save(path)
    pixels = np.asarray(open_image(path, colour))
    assert pixels.shape == ((20, 20, 3) if colour else (20, 20))
    assert abs(pixels.mean() - 197.5) < (10 if mode == "1" else 2)


def test_square_pads_and_does_not_stretch():
    image = np.full((20, 40, 3), 10, np.uint8)
    image[5:15, 15:25] = 200
    padded = np.asarray(square(Image.fromarray(image)))
    assert padded.shape == (40, 40, 3)
    assert np.count_nonzero(padded[..., 0] == 200) == 100
    assert set(np.unique(padded)) == {10, 200}


def test_an_ellipse_keeps_its_axis_ratio_in_a_wide_image(tmp_path):
    y, x = np.mgrid[:200, :400] - np.array([99.5, 199.5])[:, None, None]
    light = 250 * np.exp(-0.5 * ((x / 30) ** 2 + (y / 15) ** 2))
    Image.fromarray(light.astype(np.uint8)).save(tmp_path / "a.png")
    small = np.asarray(to_small(tmp_path / "a.png", 100, colour=False)[0], float)
    v, u = np.mgrid[:100, :100] - 49.5
    assert np.sqrt((small * v**2).sum() / (small * u**2).sum()) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_file_that_is_not_an_image_is_refused(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(BadImageError):
        open_image(tmp_path / "a.png", colour=True)


def test_truncated_and_huge_images_are_refused(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BadImageError, match="not a readable image"):
        open_image(path, colour=False)
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(BadImageError, match="too many pixels"):
        open_image(path, colour=False)


def test_one_row_works(tmp_path):
    Image.fromarray(np.full((1, 30), 7, np.uint8) + np.arange(30, dtype=np.uint8)).save(tmp_path / "a.png")
    assert 7 <= np.asarray(to_small(tmp_path / "a.png", 8, colour=False)[0]).mean() <= 37


def test_a_blank_tile_at_the_edge_of_a_survey_is_blank(tmp_path):
    tile = np.full((96, 96), 60, np.uint8)
    tile[:, :40] = 0
    Image.fromarray(tile).save(tmp_path / "a.png")
    with pytest.raises(BadImageError, match=r"blank: one value \(60\)"):
        to_small(tmp_path / "a.png", 24, False, "measured")
