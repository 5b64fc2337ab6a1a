"""Predictions of a published version whose network was really trained."""

import os

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from PIL import Image

import inclinet
from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.evaluation.evaluate import read_pictures
from inclinet.evaluation.filenames import PREDICTIONS_FILE, REPORT_FILE
from inclinet.prediction.flags import FLAGS
from inclinet.prediction.predictor import open_predictor
from inclinet.prediction.tables import write_table
from inclinet.registry.card import assemble
from inclinet.registry.choice import choose
from inclinet.registry.versions import VersionInfo
from inclinet.storage.addresses import open_store
from tests.conftest import disc, write_catalog

SIZE = 24


@pytest.fixture(scope="module")
def predict(published):
    store, _ = published

    def predict_all(*images, **options):
        return open_predictor(store).predict(images, per_image=True, **options)

    return predict_all


@pytest.fixture
def image(tmp_path):
    """Save pixels as an image; returns its path."""

    def save(pixels, name="galaxy.png"):
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    return save


def test_predictions_are_those_of_the_evaluation(predict, published, small_sample):
    evaluated = pd.read_csv(published[1] / PREDICTIONS_FILE)
    predicted = predict(small_sample / "galaxies")
    both = evaluated.merge(predicted, left_on=["pgc", "filter"], right_on=["pgc", "band"])
    assert len(both) == len(evaluated) > 5
    for column in ("error", "low68", "high95"):
        assert both[f"{column}_y"].to_numpy() == pytest.approx(both[f"{column}_x"].to_numpy(), abs=0.02)
    assert both["model4_0_y"].to_numpy() == pytest.approx(both["model4_0_x"].to_numpy(), abs=0.02)


@pytest.mark.parametrize("inclination", [50, 55, 60])
def test_mirror_images_and_rotations_agree_within_the_error(predict, image, inclination):
    pixels = disc(96, inclination)
    turned = [disc(96, inclination, angle=np.radians(angle)) for angle in (17, 45, 60)]
    exact = [pixels[:, ::-1], pixels[::-1], np.rot90(pixels), np.rot90(pixels, 2)]
    paths = [image(np.ascontiguousarray(one), f"{k}.png") for k, one in enumerate([pixels, *exact, *turned])]
    table = predict(*paths)
    answers, error = table["inclination"].to_numpy(), table["error"].min()
    assert np.ptp(answers[:5]) <= 0.2
    assert np.abs(answers - answers[0]).max() < error


def test_either_polarity_any_size_colour_or_gray(predict, image):
    pixels = disc(96, 70)
    wide = np.zeros((96, 140, 3), np.uint8)
    wide[:, 22:118] = pixels
    several = {
        "plain.png": pixels,
        "negative.png": 255 - pixels,
        "large.jpg": disc(300, 70),
        "small.png": disc(30, 70),
        "gray.png": pixels[..., 0],
        "negative_gray.png": 255 - pixels[..., 0],
    }
    table = predict(*[image(one, name) for name, one in several.items()])
    assert np.abs(table["inclination"] - table["inclination"][0]).max() < 2
    assert table["band"].tolist() == ["r"] * 6  # all channels are the same
    assert table["flag"].str.contains("band guessed").all()
    assert table["inclination"][0] == pytest.approx(table["inclination"][1], abs=0.1)
    assert not predict(image(wide, "wide.png")).loc[0, "problem"]


def test_a_bad_image_does_not_stop_the_others(predict, image, tmp_path):
    good = image(disc(96, 70), "pgc5_d25x2_rot_g.png")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.jpg").write_bytes(image(disc(96, 70), "whole.jpg").read_bytes()[:300])
    table = predict(good, tmp_path / "text.png", tmp_path / "cut.jpg")
    assert table["pgc"].tolist() == [5, pd.NA, pd.NA]
    assert table["flag"].tolist()[1:] == ["not predicted"] * 2
    assert table["problem"][1].startswith("not a readable image (none of PNG, JPEG, FITS")
    assert table["inclination"].isna().tolist() == [False, True, True]


def test_file_names_that_a_store_does_not_accept(predict, image, tmp_path, monkeypatch):
    odd = tmp_path / "a#1?"
    odd.mkdir()
    (odd / "pgc8_d25x2_rot_g.png").write_bytes(image(disc(96, 70)).read_bytes())
    (odd / "back\\slash.png").write_bytes(b"")
    table = predict(odd)
    assert table["pgc"].tolist() == [pd.NA, 8]
    assert table["problem"][0].startswith("cannot be read")
    monkeypatch.chdir(odd)
    assert predict(".")["pgc"].tolist() == [pd.NA, 8]
    link = tmp_path / "linked"
    link.symlink_to(odd)
    assert len(predict(link)) == 2
    write_catalog(odd / "catalog.csv", [{"pgc": 8, "inc": 70}])
    assert predict("catalog.csv")["truth"].tolist() == [70]


def test_a_blank_image_is_not_predicted(predict, image):
    table = predict(image(disc(96, 70)), image(np.full((64, 64), 7, np.uint8), "blank.png"))
    assert table["flag"][1] == "not predicted"
    assert table["problem"].tolist() == ["", "blank: one value (7) throughout"]


def test_what_a_transparent_strip_hides_does_not_matter(predict, image):
    pixels = np.dstack([np.maximum(disc(96, 65), 12), np.full((96, 96), 255, np.uint8)])
    paths = []
    for value in (12, 0, 128, 255):
        pixels[:20, :, 3], pixels[:20, :, :3] = 0, value
        paths.append(image(pixels, f"{value}.png"))
    answers = predict(*paths)["inclination"]
    assert np.abs(answers - answers[0]).max() < 0.5


@pytest.mark.parametrize("name", ["pgc5_x_r.fits", "pgc5_x_r.fits.gz", "pgc5_x_gri.fits", "pgc5_x_r.tif"])
def test_light_is_answered_like_a_picture(predict, image, tmp_path, name):
    picture = 0.8 * disc(96, 70, channels=1)
    noise = np.random.default_rng(0).normal(1000, 2, (3, 96, 96))
    light = (noise + 10 * np.sinh(picture / 35)).astype(np.float32)
    if name.endswith(".tif"):
        Image.fromarray(light[0]).save(tmp_path / name)
    else:
        fits.PrimaryHDU(light if "gri" in name else light[0]).writeto(tmp_path / name)
    table = predict(tmp_path / name, image(picture.astype(np.uint8)))
    assert table["problem"].tolist() == ["", ""]
    assert table["pgc"][0] == 5
    assert abs(table["inclination"][0] - table["inclination"][1]) < 8


def test_other_bands_keep_their_names(predict, image):
    names = ["pgc8_d25x2_rot_z.PNG", "pgc8_x_W1.png", "NGC1_grz.jpg", "pgc8_d25x2_rot.png"]
    table = predict(*(image(disc(96, 70), name) for name in names))
    assert table["pgc"].tolist()[:2] == [8, 8]
    assert table["band"].tolist()[:3] == ["z", "W1", "grz"]
    assert table["flag"].str.contains("band guessed").tolist() == [False] * 3 + [True]


def test_images_unlike_the_training_images_are_flagged(predict, image):
    rng = np.random.default_rng(0)
    strange = [
        image(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), "noise.png"),
        image(np.tile(np.arange(0, 250, 2, dtype=np.uint8), (125, 1)), "ramp.png"),
    ]
    assert predict(*strange)["flag"].str.contains("unlike training images").all()


def test_training_galaxies_are_not_flagged_as_strange(predict, small_sample):
    flags = predict(small_sample / "galaxies")["flag"]
    assert flags.str.contains("unlike training images").mean() < 0.05
    assert not flags.str.contains("band guessed").any()
    assert {flag for row in flags for flag in row.split("; ") if flag} <= set(FLAGS)


def test_low_answers_and_intervals_that_reach_below_the_labels_are_nearly_face_on(published):
    predictor = open_predictor(published[0])
    answers = pd.DataFrame({"inclination": [50.0, 60.0, 60.0], "low95": [50.0, 49.5, 49.6]})
    flags = predictor._flags(answers, np.zeros((3, SIZE, SIZE, 3), np.uint8), np.zeros(3, bool))
    assert ["nearly face-on" in row for row in flags] == [True, True, False]


def test_flags_agree_with_the_table(predict, small_sample):
    table = predict(small_sample / "galaxies")
    low = (table["inclination"] <= 56) | (table["low95"] <= 49.5)
    assert table["flag"].str.contains("nearly face-on").equals(low)


def test_every_galaxy_of_a_catalogue_has_a_row(predict, small_sample, tmp_path):
    table = predict(small_sample / "catalog.csv")
    assert len(table) == 240
    assert table["truth"].between(45, 90).all()
    some = write_catalog(tmp_path / "few.csv", [{"pgc": 3, "inc": 60}, {"pgc": 999, "inc": 50}])
    table = predict(some, impath=small_sample / "galaxies")
    assert table["pgc"].tolist() == [3, 3, 3, 3, 999]
    assert table["truth"].tolist() == [60] * 4 + [50]
    assert table.loc[4, ["flag", "problem"]].tolist() == ["not predicted", f"no image in {small_sample / 'galaxies'}"]


def test_images_come_from_a_bucket_too(predict, small_sample, s3_uri):
    store = open_store(s3_uri)
    for path in (small_sample / "galaxies").glob("pgc7_*"):
        store.put(path, f"galaxies/{path.name}")
    here = predict(*sorted((small_sample / "galaxies").glob("pgc7_*")))
    there = predict(f"{s3_uri}/galaxies")
    assert there["inclination"].tolist() == here["inclination"].tolist()
    assert predict(f"{s3_uri}/galaxies/pgc7_d25x2_rot_g.png")["pgc"].tolist() == [7]


def test_three_lines_in_a_notebook(published, small_sample, monkeypatch):
    monkeypatch.setenv("INCLINET_STORE", published[0].uri)
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"
    table = inclinet.predict(image)
    assert table.columns.tolist()[:6] == ["galaxy", "pgc", "images", "bands", "n_images", "inclination"]
    by_image = inclinet.predict(image, per_image=True)
    assert by_image.columns.tolist()[:5] == ["image", "galaxy", "pgc", "band", "inclination"]
    assert 45 <= table["inclination"][0] <= 90
    # The second call reuses the loaded networks.
    assert open_predictor() is open_predictor(published[0])


def test_a_predictor_in_a_notebook(published, small_sample):
    predictor = inclinet.Predictor.open(published[0].uri)
    assert predictor is inclinet.Predictor.open(published[0])
    assert repr(predictor) == f"<Predictor of version {predictor.version}: model4_0, 24 pixels>"
    image = small_sample / "galaxies" / "pgc1_d25x2_rot_g.png"
    one = predictor.predict(image)
    assert one["pgc"].tolist() == [1]
    twice = predictor.predict([str(image), image])
    assert twice["inclination"].tolist() == one["inclination"].tolist()
    assert twice["n_images"].tolist() == [2]
    assert predictor.predict(small_sample / "catalog.csv", impath=str(small_sample / "galaxies")).shape[0] == 60
    assert predictor.predict([]).columns.tolist() == one.columns.tolist()
    assert one.attrs["about"] == predictor.statement


def test_a_version_describes_itself(published):
    bundle = choose(published[0]).published
    card = published[0].read(f"registry/{bundle.version}/README.md").decode()
    assert "# Inclinations of spiral galaxies" in card
    assert "galaxies labelled 45 deg or more" in card
    assert "simulated" not in card
    assert {"calibration.json", "novelty.json", "metrics.json", REPORT_FILE, PREDICTIONS_FILE} <= set(bundle.files)
    assert bundle.info.test.galaxies > 0


def test_another_networks_evaluation_is_not_published(published, tmp_path):
    _, evaluation = published
    other = [tmp_path / f"Uset_003_model6{suffix}" for suffix in (".keras", ".onnx")]
    facts = VersionInfo(size=SIZE, bands=("c",))
    with pytest.raises(InclinetError, match="evaluates model4_0, not model6_3; run `inclinet evaluate` again"):
        assemble(tmp_path, other, evaluation, facts, {})
    with pytest.raises(InclinetError, match="no evaluation there"):
        assemble(tmp_path, other, tmp_path / "none", facts, {})


def test_the_report_holds_everything(published):
    page = (published[1] / REPORT_FILE).read_text()
    for title in (
        "Every galaxy",
        "Networks and simple methods",
        "By inclination",
        "By band",
        "By polarity",
        "Error bars",
        "Worst galaxies",
        "Training",
    ):
        assert f">{title}</h2>" in page
    assert page.count("data:image/png") == 7
    assert 'src="http' not in page


def test_a_missing_stored_batch_is_left_out(stored):
    assert read_pictures({}, {}, stored / "none.npz").batch is None
    assert isinstance(read_pictures({}, {}, stored / batch_folder(0) / batch_file(SIZE, 1)).batch, Batch)


def test_file_names_need_not_be_utf_8(predict, image, tmp_path):
    name = os.fsdecode(b"pgc5_gal\xe9_r.png")
    try:
        image(disc(48, 60), name)
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    table = predict(tmp_path, str(tmp_path / name))
    assert table["problem"].tolist() == ["", ""]
    assert table["image"].str.endswith(r"pgc5_gal\udce9_r.png").all()
    for end in ("csv", "ecsv", "fits", "vot", "json"):
        write_table(table, tmp_path / f"t.{end}", {})
