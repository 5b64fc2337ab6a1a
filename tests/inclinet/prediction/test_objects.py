"""What programs and notebooks hold is predicted as files are."""

import io
import os

import cv2
import numpy as np
import pandas as pd
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import CCDData, NDData
from astropy.table import QTable, Table
from PIL import Image

import inclinet
from inclinet.data.images import BadImageError, open_image
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


NOISE = np.random.default_rng(0).normal(0, 1, (48, 48))
GRAY, COLOUR = disc(48, 60, channels=1), disc(48, 60)
LIGHT = (GRAY * 3 + NOISE).astype(np.float32)
BANDS = np.stack([LIGHT * k + NOISE for k in (1, 2, 3)]).astype(np.float32)


def pixels(thing):
    """Return the grey levels that the networks are given of the one image that a thing is."""
    [one] = find_given(thing)
    return np.asarray(open_image(one.open(), None))


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "HSV", "LAB", "I", "I;16", "F"]
)
def test_pil_images_of_every_mode(mode):
    if mode == "LAB":
        image = Image.fromarray(cv2.cvtColor(COLOUR, cv2.COLOR_RGB2LAB) ^ np.uint8([0, 128, 128]), "LAB")
    elif mode in ("I", "I;16", "F"):
        image = Image.fromarray({"I": GRAY.astype(np.int32), "I;16": GRAY.astype(np.uint16), "F": LIGHT}[mode])
    else:
        image = Image.fromarray(COLOUR).convert("RGBA").convert(mode) if mode == "RGBa" else _in_mode(mode)
    found = pixels(image).reshape(48, 48, -1).mean(axis=2)
    assert np.corrcoef(found.ravel(), GRAY.ravel())[0, 1] > 0.7
    if mode not in ("1", "I", "F"):
        assert np.abs(found - GRAY).mean() < 8


def _in_mode(mode):
    image = Image.fromarray(COLOUR)
    return image.quantize().convert("PA") if mode == "PA" else image.convert(mode)


def test_arrays_of_bytes_in_any_order():
    forms = [GRAY, GRAY[..., None], GRAY[None], np.asfortranarray(GRAY), np.dstack([GRAY, np.full_like(GRAY, 255)])]
    for form in forms:
        assert np.array_equal(pixels(form), GRAY)
    opaque = np.dstack([COLOUR, np.full_like(GRAY, 255)])
    for form in (COLOUR, np.moveaxis(COLOUR, -1, 0), opaque):
        assert np.array_equal(pixels(form), pixels(COLOUR))


def test_arrays_of_light_in_any_order():
    for form in (LIGHT, LIGHT[..., None], LIGHT[None], LIGHT.astype(">f8"), LIGHT * units.Jy, NDData(LIGHT)):
        assert np.array_equal(pixels(form), pixels(LIGHT))
    colour = np.moveaxis(BANDS, 0, -1)
    for form in (BANDS, colour, np.dstack([colour, np.ones_like(LIGHT)]), CCDData(BANDS, unit="adu")):
        assert np.array_equal(pixels(form), pixels(colour))


def test_what_a_mask_hides_is_never_seen():
    mask = np.zeros((48, 48), bool)
    mask[:, :7] = True
    for image in (GRAY, COLOUR, LIGHT, np.moveaxis(BANDS, 0, -1)):
        planes = mask if image.ndim == 2 else np.repeat(mask[..., None], 3, axis=2)
        expected = pixels(np.ma.masked_array(image, planes))
        hidden = image.copy()
        hidden[:, :7] = 255
        for form in (NDData(hidden, mask=mask), NDData(hidden, mask=planes), np.ma.masked_array(hidden, planes)):
            assert np.array_equal(pixels(form), expected)
        assert not np.array_equal(pixels(hidden), expected)


def test_hdus_are_as_their_files(tmp_path):
    counts = np.round(LIGHT).astype(np.int16)
    counts[:, :7] = -32768
    blank = fits.PrimaryHDU(counts, fits.Header({"BLANK": -32768}))
    named = fits.PrimaryHDU(BANDS, fits.Header({"BANDS": "rgi"}))
    scaled = fits.PrimaryHDU(LIGHT.copy())
    scaled.scale("int16", bscale=0.05, bzero=100)
    for hdu in (blank, named, scaled, fits.PrimaryHDU(BANDS), fits.PrimaryHDU(GRAY), fits.CompImageHDU(LIGHT)):
        path = tmp_path / "image.fits"
        fits.HDUList([hdu] if isinstance(hdu, fits.PrimaryHDU) else [fits.PrimaryHDU(), hdu]).writeto(
            path, overwrite=True
        )
        with fits.open(path) as hdus:
            for form in (hdu, hdus, hdus[-1]):
                assert np.array_equal(pixels(form), pixels(path))
    several = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(LIGHT * 0 + NOISE, name="ERR"), fits.ImageHDU(LIGHT)])
    assert np.array_equal(pixels(several), pixels(LIGHT))


def test_an_hdu_whose_file_is_closed_says_so(tmp_path):
    fits.PrimaryHDU(LIGHT).writeto(tmp_path / "image.fits")
    with fits.open(tmp_path / "image.fits", memmap=False) as hdus:
        [hdu] = hdus
    with pytest.raises(InclinetError, match=r"image 0: the HDU cannot be read \(.*closed"):
        find_given(hdu)


def test_any_collection_of_paths(picture, tmp_path):
    path = str(picture)
    texts = [pd.Series([path]), pd.Index([path]), np.array([path]), Table({"file": [path]})["file"], {path}, (path,)]
    for form in (*texts, iter([path]), tmp_path.glob("*.png"), os.scandir(tmp_path), np.array([picture], object)):
        assert [one.name for one in find_given(form)] == [path]
    assert [one.name for one in find_given(image for image in [GRAY, COLOUR])] == ["image 0", "image 1"]
    for content in (bytearray(picture.read_bytes()), memoryview(picture.read_bytes())):
        assert np.array_equal(pixels(content), pixels(picture))


def test_what_is_no_image_among_others_has_a_row(picture, tmp_path):
    with picture.open("rb") as closed:
        pass
    odd = [
        None,
        [[1, 2], [3]],
        closed,
        b"",
        np.zeros((0, 4), np.uint8),
        "~nobody/a.png",
        "",
        "x" * 5000 + ".png",
        picture,
    ]
    found = find_given(odd)
    assert len(found) == len(odd)
    assert found[0].problem.startswith("NoneType is no image")
    problems = []
    for one in found:
        try:
            open_image(one.open(), None)
        except BadImageError as error:
            problems.append(str(error))
    assert len(problems) == len(odd) - 1
    assert problems[3] == problems[4] == "not a readable image (it is empty)"
    with pytest.raises(InclinetError, match="an empty path: no such image"):
        find_given("")


def test_tables_keep_their_rows_whatever_is_in_them(tmp_path):
    Image.fromarray(GRAY).save(tmp_path / "NGC 1_r.png")
    frame = pd.DataFrame({"# odd": [1, 2], "a|b|c": ['"', "\n"], "name": ["NGC 1", None], "inc": [60.125, np.nan]})
    table = Table(
        {"name": [b"NGC 1", b"x"], "vector": np.zeros((2, 3)), "inc": np.ma.masked_array([60.125, 0], [0, 1])}
    )
    quantities = QTable({"name": ["NGC 1", "x"], "inc": [60.125, np.nan] * units.deg})
    quantities["place"] = SkyCoord([1, 2], [3, 4], unit="deg")
    for given in (frame, frame.set_index("name"), table, quantities):
        found = find_given(given, impath=tmp_path)
        assert [(one.row, one.truth, bool(one.problem)) for one in found] == [(1, 60.125, False), (2, None, True)]
    with pytest.raises(InclinetError, match="the table names the column 'pgc' more than once"):
        find_given(pd.DataFrame([[1, 2]], columns=["pgc", "pgc"]))
    with pytest.raises(InclinetError, match="the table: the catalogue has no rows"):
        find_given(frame[:0])


def test_huge_numbers_are_names_with_all_their_digits():
    objects = pd.DataFrame({"objID": pd.array([1237648720693690487, None], dtype="Int64")})
    assert [one.galaxy for one in find_given(objects)] == ["1237648720693690487", ""]
