import pytest

from inclinet.data.bands import (
    BANDS,
    band_letter,
    band_title,
    is_band,
    is_colour,
    order_bands,
    stored_band,
)


def test_every_spelling_of_every_band():
    assert BANDS == ("g", "r", "i", "gri")
    assert [stored_band(band) for band in BANDS] == ["g", "r", "i", "RGB"]
    assert [band_letter(band) for band in ("gri", "RGB", "c", "g", "W1", "grz")] == ["c", "c", "c", "g", "W1", "grz"]
    assert [is_colour(band) for band in ("g", "r", "i", "gri", "RGB", "c")] == [False] * 3 + [True] * 3
    assert [band_title(band) for band in ("g", "r", "i", "gri", "RGB", "c", "colour")] == ["g", "r", "i"] + [
        "colour"
    ] * 4


@pytest.mark.parametrize("band", ["grz", "griz", "zrg", "JHK", "irg", "rgb", "color"])
def test_several_filters_in_a_row_are_colour(band):
    assert is_colour(band) and is_band(band) and stored_band(band) == band


@pytest.mark.parametrize("band", ["u", "z", "y", "W1", "NUV", "FUV", "F814W", "Ks", "Halpha", "ggg", "gr"])
def test_any_other_name_is_gray(band):
    assert is_band(band) and not is_colour(band) and band_title(band) == band


@pytest.mark.parametrize("band", ["", "RGB", "c", "1W", "a_b", "../x", "g/r", "g.r", "g-r", "x" * 17, "g\n", "ü"])
def test_what_cannot_be_the_name_of_a_band(band):
    assert not is_band(band)


def test_bands_have_one_order():
    assert order_bands(["z", "i", "W1", "r", "RGB", "grz", "g"]) == ["RGB", "g", "r", "i", "W1", "grz", "z"]
    assert order_bands(["z", "i", "c"]) == ["c", "i", "z"]
