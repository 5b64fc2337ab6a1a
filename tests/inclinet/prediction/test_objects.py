"""What programs and notebooks hold is predicted as files are."""

import io

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.nddata import NDData
from astropy.table import Table
from PIL import Image

import inclinet
from inclinet.errors import InclinetError
from inclinet.prediction.objects import find_given
from tests.conftest import disc


@pytest.fixture(scope="module")
def predict(published):
    return lambda images, **how: inclinet.predict(images, store=published[0].uri, **how)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "disc.png"
    Image.fromarray(disc(48, 60)).save(path)
    return path


def test_an_image_is_the_same_in_any_form(predict, picture):
    pixels = np.asarray(Image.open(picture))
    with picture.open("rb") as file:
        forms = [picture, pixels, Image.open(picture), picture.read_bytes(), io.BytesIO(picture.read_bytes()), file]
        table = predict(forms)
    assert table["problem"].eq("").all()
    assert table["inclination"].nunique() == 1
    assert len(predict([])) == 0
    assert len(predict(pixels)) == 1


def test_light_is_stretched_in_any_form(predict):
    noise = np.random.default_rng(0).normal(0, 1, (48, 48))
    light = disc(48, 60, channels=1).astype(np.float32) * 3 + noise
    masked = np.ma.masked_array(light, mask=np.eye(48, dtype=bool))
    table = predict([light, NDData(light), fits.PrimaryHDU(light), masked, np.stack([light] * 3, axis=-1)])
    assert table["problem"].eq("").all()
    assert table["inclination"][:3].nunique() == 1


def test_a_table_of_names(small_sample, predict):
    names = pd.DataFrame({"PGC": [7, 999, 3], "mag": [1.0, 2.0, 3.0]})
    for table in (names, Table.from_pandas(names), names.set_index("PGC")):
        found = predict(table, impath=small_sample / "galaxies")
        assert found["galaxy"].tolist() == ["PGC 7", "PGC 999", "PGC 3"]
        assert found["inclination"].isna().tolist() == [False, True, False]


def test_paths_with_a_tilde_and_wildcards(small_sample, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(small_sample))
    assert len(find_given("~/galaxies/pgc1_*.png")) == 3
    found = find_given(["~/galaxies/pgc1_*_g.png", "~/none.png", "~/galaxies/none*"])
    assert [one.problem.partition(": ")[2] for one in found] == ["", *["no such image, folder or catalogue"] * 2]
    with pytest.raises(InclinetError, match="no such image, folder or catalogue"):
        find_given("~/none.png")


@pytest.mark.parametrize("thing", [3.5, {"a": 1}, np.zeros(5), np.array([["a", "b"]]), io.StringIO("text")])
def test_what_is_no_image_is_refused(thing):
    with pytest.raises(InclinetError, match=r"image 0: "):
        find_given([thing])


def test_a_galaxy_by_name(sky, predict):
    sky.shapes["NGC 2841"] = (8.1, 147)
    table = predict("NGC 2841")
    assert table[["galaxy", "images", "bands"]].to_numpy().tolist() == [
        ["NGC 2841", "sdss: NGC2841_d25x2_rot_gri.sdss.jpg", "c"]
    ]
    assert 45 <= table["inclination"][0] <= 90
    both = predict(["NGC 2841", "NGC 1"])
    assert both["inclination"].isna().tolist() == [False, True]
    assert "NGC 1" in both["problem"][1]
    with pytest.raises(InclinetError, match="NGC 1: no position"):
        predict("NGC 1")
