"""The stage on made data: everything it writes, without running a network."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from inclinet.data.samples import Batch, Samples
from inclinet.errors import InclinetError
from inclinet.evaluation.evaluate import Background, predict_galaxies, report
from inclinet.evaluation.pictures import Pictures
from inclinet.networks.listing import list_networks

SIZE = 16
SKIPPED = pd.DataFrame({"pgc": ["9", "9"], "where": ["g", "r"], "reason": ["not a readable image"] * 2})


@pytest.fixture
def predictions():
    """Predictions of two networks for 40 galaxies, in colour and in r, with their spreads."""
    rng = np.random.default_rng(2)
    truth = np.repeat(rng.integers(45, 91, 40), 2)
    table = pd.DataFrame({"pgc": np.repeat(np.arange(40), 2), "filter": ["c", "r"] * 40, "inc_m": truth})
    for k in range(2):
        table[f"model4_{k}"] = truth + rng.normal(0, 3, 80)
        table[f"model4_{k}_spread"] = rng.uniform(0.5, 2, 80)
    return table


@pytest.fixture
def pictures(predictions):
    """Noise as images of the test set, the training set and a stored batch."""
    rng = np.random.default_rng(3)

    def sample(letter):
        rows = predictions[predictions["filter"] == letter]
        images = rng.integers(0, 256, (len(rows), SIZE, SIZE, 3), dtype=np.uint8)
        return Samples(images, rows["inc_m"].to_numpy(), rows["pgc"].to_numpy())

    samples = {"RGB": sample("c"), "r": sample("r")}
    images = rng.integers(0, 256, (20, SIZE, SIZE, 3), dtype=np.uint8)
    batch = Batch(images, np.arange(50, 70), np.arange(20), np.array([b"c", b"r"] * 10))
    return Pictures(samples, samples, batch)


def test_everything_is_written(predictions, pictures, tmp_path):
    left_out = {"model4_0": predictions[["pgc", "filter", "inc_m", "model4_0", "model4_0_spread"]]}
    training = {"1": {"mse": 0.1, "left_mse": 0.2}, "2": {"mse": 0.05, "left_mse": 0.1}}
    background = Background(pictures, {"model4_0": training}, skipped=SKIPPED, facts={"Sample": "noise & nothing else"})
    evaluation = report(predictions, tmp_path, left_out=left_out, background=background)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("predictions.csv", "metrics.json", "metrics.md", "calibration.json", "novelty.json", "report.html"),
        *("prediction_against_truth.png", "error_against_truth.png", "family_comparison.png", "error_histogram.png"),
        *("coverage_against_chance.png", "learning_curves.png", "inclinations.png"),
    }
    assert json.loads((tmp_path / "metrics.json").read_text()) == evaluation
    assert next(iter(evaluation["ensembles"])) == "calibrated median"
    page = (tmp_path / "report.html").read_text()
    for title in ("Every galaxy", "By inclination", "By band", "Error bars", "Worst galaxies", "Training", "Skipped"):
        assert f">{title}" in page
    for text in ("noise &amp; nothing else", "16 × 16 pixels; colour, r", "model4_0: RMS", "not a readable image"):
        assert text in page
    assert page.count("data:image/png") == 7


def test_people_read_colour_and_files_keep_the_letter(predictions, tmp_path):
    evaluation = report(predictions, tmp_path)
    assert list(evaluation["by_band"]["median of all"]) == ["c", "r"]
    page = (tmp_path / "report.html").read_text()
    assert "<td>colour</td>" in page
    assert "<td>c</td>" not in page


def test_files_of_an_earlier_evaluation_are_removed(predictions, tmp_path):
    report(predictions, tmp_path)
    assert report(predictions.iloc[:0], tmp_path) is None
    assert not (tmp_path / "metrics.json").exists()
    assert "No galaxy fell into the test set" in (tmp_path / "metrics.md").read_text()


def test_a_folder_without_networks_is_an_error_that_names_the_setting(tmp_path):
    with pytest.raises(InclinetError, match="run `inclinet train` first") as caught:
        predict_galaxies(tmp_path / "none", tmp_path)
    assert caught.value.setting == "models"
    assert "option" not in str(caught.value)


def test_foreign_keras_files_are_named_and_left_out(tmp_path, caplog):
    names = ["Uset_000_model4.keras", "Uset_001_model4.keras", "backup.keras", "Uset_1_model4.keras"]
    for name in [*names, "Uset_000_model4_evalDict.json"]:
        (tmp_path / name).touch()
    assert [path.name for path in list_networks(tmp_path)] == names[:2]
    assert caplog.text.count("left out") == 2
    assert "backup.keras" in caplog.text
    assert [path.name for path in list_networks(tmp_path, [names[1]])] == [names[1]]


@pytest.mark.parametrize("width", [1300, 390])
def test_the_report_reads_without_scrolling_sideways(predictions, pictures, tmp_path, browser, width):
    left_out = {"model4_0": predictions[["pgc", "filter", "inc_m", "model4_0", "model4_0_spread"]]}
    report(predictions, tmp_path, left_out=left_out, background=Background(pictures, skipped=SKIPPED))
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto((tmp_path / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    verdict = page.inner_text(".verdict")
    assert verdict.startswith("RMS ")
    assert "on 40 real galaxies" in verdict
    assert page.locator(".verdict").bounding_box()["y"] < 200
    assert all(page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)"))
    # Letters of 11 points in a figure 5.6 inches wide stay 8 pixels high.
    assert min(page.evaluate("[...document.querySelectorAll('figure img')].map(i => i.width)")) > 340
    shot = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    assert shot.width == width
    assert shot.height > 3000
