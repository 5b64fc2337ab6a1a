"""The command `predict`."""

import pandas as pd
import pytest

from tests.conftest import write_catalog


@pytest.fixture
def predict(inclinet, published):
    def run(*arguments):
        return inclinet("predict", *arguments, "--store", published[0].uri)

    return run


def test_the_screen_shows_inclinations_and_the_colour_band(predict, small_sample):
    images = [small_sample / "galaxies" / f"pgc7_d25x2_rot_{end}" for end in ("gri.sdss.jpg", "g.png")]
    code, text = predict(*images)
    assert code == 0
    for word in ("pgc7_d25x2_rot_g.png", "colour", "inclination", "95 %", "angles in degrees"):
        assert word in text
    code, text = predict(*images, "-o", "table.csv")
    assert "wrote 2 rows to table.csv" in text
    assert pd.read_csv("table.csv")["band"].tolist() == ["c", "g"]


@pytest.mark.parametrize("name", ["README.md", "galaxy.png", "notes"])
def test_nothing_predicted_is_an_error(predict, tmp_path, name):
    (tmp_path / name).write_text("This is no image.\n")
    code, text = predict(name, "-o", "table.csv")
    assert code == 1
    reason = "neither an image (PNG or JPEG) nor a catalogue (.csv, .txt, .dat)"
    if name == "galaxy.png":
        reason = "not a readable image (neither PNG nor JPEG)"
    assert f"error: nothing was predicted: {reason}" in text
    table = pd.read_csv(tmp_path / "table.csv")
    assert table[["flags", "problem"]].to_numpy().tolist() == [["not predicted", reason]]


def test_galaxies_that_were_not_predicted_are_counted(predict, small_sample, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text("This is no image.\n")
    write_catalog(tmp_path / "catalog.csv", [{"pgc": 3, "inc": 60}, {"pgc": 999, "inc": 50}])
    code, text = predict("a.png", "b.png", "catalog.csv", "-p", small_sample / "galaxies")
    assert code == 0
    assert "(PGC 999)" in text
    assert (
        "3 of 7 not predicted: not a readable image (neither PNG nor JPEG) (2 times); "
        f"no image in {small_sample / 'galaxies'}\n"
    ) in text


def test_a_catalogue_of_galaxies_without_any_image_is_an_error(predict, small_sample, tmp_path):
    write_catalog(tmp_path / "catalog.csv", [{"pgc": 998, "inc": 60}, {"pgc": 999, "inc": 50}])
    code, text = predict("catalog.csv", "-p", small_sample / "galaxies", "-o", "table.csv")
    assert code == 1
    assert f"error: nothing was predicted: no image in {small_sample / 'galaxies'} (2 times)\n" in text
    assert pd.read_csv(tmp_path / "table.csv")["pgc"].tolist() == [998, 999]
