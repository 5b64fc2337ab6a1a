import pytest

from inclinet.data import filenames
from inclinet.data.bands import BANDS
from inclinet.data.filenames import (
    ImageName,
    SmallName,
    filter_of,
    parse_cutout,
    parse_image,
    parse_small,
    small_image,
    split_band,
)
from inclinet.data.galaxies import identify


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pgc7_d25x2_rot_g.png", ImageName(7, "g", False, ".png")),
        ("pgc0000007_d25x2_rot_i.png", ImageName(7, "i", False, ".png")),
        ("pgc7_d25x2_rot_gri.jpg", ImageName(7, "gri", False, ".jpg")),
        ("pgc7_d25x2_rot_gri.sdss.jpg", ImageName(7, "gri", True, ".jpg")),
        ("PGC7_d25x2_rot_gri.SDSS.JPG", ImageName(7, "gri", True, ".jpg")),
        ("pgc7_d25x2_rot_gri.JPEG", ImageName(7, "gri", False, ".jpeg")),
        ("pgc7_d25x2_rot_gri.png", ImageName(7, "gri", False, ".png")),
        ("pgc7_d25x2_rot_g.jpg", ImageName(7, "g", False, ".jpg")),
        ("pgc7_d25x2_rot_g.fits", ImageName(7, "g", False, ".fits")),
        ("pgc7_d25x2_rot_g.FITS.gz", ImageName(7, "g", False, ".fits.gz")),
        ("pgc7_d25x2_rot_r.fits.fz", ImageName(7, "r", False, ".fits.fz")),
        ("pgc7_d25x2_rot_r.png.part", None),
        ("pgc7_d25x2_rot_r.csv", None),
        ("pgc1234567890_d25x2_rot_r.png", None),
        ("_d25x2_rot_r.png", None),
    ],
)
def test_names_of_input_images(name, expected):
    assert parse_image(name, "d25x2_rot") == expected
    assert parse_cutout(name) == expected
    assert parse_image(name, "d25x2.rot") is None


def test_other_names_of_galaxies():
    assert parse_image("ngc_7_d25x2_rot_r.png", "d25x2_rot") == ImageName(identify("NGC 7"), "r", False, ".png")
    assert parse_image("NGC7_x_gri.sdss.jpg", "x") == ImageName(identify("NGC 7"), "gri", True, ".jpg")
    assert parse_small(small_image(identify("NGC 7"), 64, "61", "g")).pgc == identify("NGC 7")


def test_any_root_is_that_of_a_cutout():
    assert parse_cutout("pgc7_a_g.png_b_r.png") == ImageName(7, "r", False, ".png")
    assert parse_image("pgc7_a+b_r.png", "a+b") == ImageName(7, "r", False, ".png")


@pytest.mark.parametrize(
    "name", ["pgc7_d25x2_rot_u.png", "pgc7_x_z.PNG", "pgc7_NUV.fits", "pgc7_d25x2_rot_W1.tif", "pgc7.jpg", "pgc7-2.png"]
)
def test_a_galaxy_is_known_whatever_the_band(name):
    band = parse_cutout(name).filter or None
    assert parse_cutout(name) == ImageName(7, band, False, f".{name.rpartition('.')[2].lower()}")
    assert (parse_image(name, "d25x2_rot") is not None) == ("d25x2_rot_" in name)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        *(("g", "g"), ("gri", "c"), ("grz", "grz"), ("u", "u"), ("W1", "W1"), ("NUV", "NUV"), ("F814W", "F814W")),
        *(("Ks", "Ks"), ("ggg", ""), ("griz", "griz"), ("RGB", ""), ("rot", ""), ("x", ""), ("", "")),
    ],
)
def test_filters(word, expected):
    assert filter_of(word) == expected


@pytest.mark.parametrize("name", ["pgc7a_x_g.png", "pgc_x_g.png", "xpgc7_x_g.png", "pgc7_x_g", ""])
def test_other_names_tell_no_galaxy(name):
    assert parse_cutout(name) is None


@pytest.mark.parametrize("band", [*BANDS, "z", "W1", "grz"])
def test_names_of_stored_files_are_parsed_back(band):
    stored = "RGB" if band == "gri" else band
    assert small_image(44182, 128, "61", band) == f"pgc44182_128x128_61.{stored}.jpg"
    assert parse_small(small_image(44182, 128, "F", band)) == SmallName(44182, 128, "F", stored)
    assert filenames.parse_band_folder(filenames.band_folder(64, band)) == (64, stored)
    assert filenames.parse_packed(filenames.packed_file(64, band)) == (64, stored)
    assert filenames.parse_sample(filenames.sample_file(band, 64, "test", 3)) == (stored, 64, "test", 3)
    for name in (f"64x32_{stored}", f"64x64_{stored}_x", "64x64_"):
        assert filenames.parse_band_folder(name) is None
        assert filenames.parse_packed(f"{name}.npz") is None


@pytest.mark.parametrize(
    ("name", "galaxy", "band"),
    [
        ("J151.00000+21.00000_d25x2_g.png", "J151.00000+21.00000_d25x2", "g"),
        ("J151.00000+21.00000_d25x2_gri.sdss.jpg", "J151.00000+21.00000_d25x2", "c"),
        ("SDSSJ1234.5-0012.3_W1.fits.gz", "SDSSJ1234.5-0012.3", "W1"),
        ("H..x_rot_z.PNG", "H..x_rot", "z"),
        ("x_r", "x", "r"),
        ("cutout.g.png", "cutout.g", ""),
        ("g.fits", "g", "g"),
        ("H.2_d25x2.png", "H.2_d25x2", ""),
    ],
)
def test_the_band_of_any_name(name, galaxy, band):
    assert split_band(name) == (galaxy, band)
