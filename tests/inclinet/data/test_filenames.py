import pytest

from inclinet.data import filenames
from inclinet.data.bands import BANDS
from inclinet.data.filenames import ImageName, SmallName, parse_cutout, parse_image, parse_small, small_image


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pgc7_d25x2_rot_g.png", ImageName(7, "g", False)),
        ("pgc0000007_d25x2_rot_i.png", ImageName(7, "i", False)),
        ("pgc7_d25x2_rot_gri.jpg", ImageName(7, "gri", False)),
        ("pgc7_d25x2_rot_gri.sdss.jpg", ImageName(7, "gri", True)),
        ("pgc7_d25x2_rot_gri.png", None),
        ("pgc7_d25x2_rot_g.jpg", None),
        ("pgc7_d25x2_rot_u.png", None),
        ("pgc7_d25x2_rot_r.png.part", None),
        ("pgc1234567890_d25x2_rot_r.png", None),
        ("ngc7_d25x2_rot_r.png", None),
        ("pgc7__r.png", None),
    ],
)
def test_names_of_input_images(name, expected):
    assert parse_image(name, "d25x2_rot") == expected
    assert parse_cutout(name) == expected
    assert parse_image(name, "d25x2.rot") is None


def test_any_root_is_that_of_a_cutout():
    assert parse_cutout("pgc7_a_g.png_b_r.png") == ImageName(7, "r", False)
    assert parse_image("pgc7_a+b_r.png", "a+b") == ImageName(7, "r", False)


@pytest.mark.parametrize("band", BANDS)
def test_names_of_stored_files_are_parsed_back(band):
    stored = "RGB" if band == "gri" else band
    assert small_image(44182, 128, "61", band) == f"pgc44182_128x128_61.{stored}.jpg"
    assert parse_small(small_image(44182, 128, "F", band)) == SmallName(44182, 128, "F", stored)
    assert filenames.parse_band_folder(filenames.band_folder(64, band)) == (64, stored)
    assert filenames.parse_packed(filenames.packed_file(64, band)) == (64, stored)
    for name in (f"64x32_{stored}", f"64x64_{stored}x", "64x64_u"):
        assert filenames.parse_band_folder(name) is None
        assert filenames.parse_packed(f"{name}.npz") is None
