"""A version is put together from made data: no network is trained."""

import json

import numpy as np
import pandas as pd
import pytest

from inclinet.data.galaxies import SIMULATED_PGC
from inclinet.data.origin import Galaxies
from inclinet.data.samples import Samples
from inclinet.errors import InclinetError
from inclinet.evaluation.evaluate import report
from inclinet.registry.admission import why_not_in_use
from inclinet.registry.card import _networks_text, assemble, code_facts, count_training
from inclinet.registry.versions import CARD_FILE, VersionInfo
from inclinet.training.filenames import start_file
from inclinet.training.start import StartRecord

INFO = VersionInfo(size=24, bands=("c", "r"), settings={"size": 24})


@pytest.fixture
def made(tmp_path):
    """Put a version together from predictions with a given scatter (deg) and a given number of steps."""

    def assemble_one(scatter=3.0, steps=20, metrics=True):
        rng = np.random.default_rng(1)
        truth = rng.integers(45, 91, 200)
        table = pd.DataFrame({"pgc": np.arange(200), "filter": "c", "inc_m": truth})
        table["model4_0"] = truth + rng.normal(0, scatter, 200)
        report(table, tmp_path / "evaluation")
        models, folder = tmp_path / "models", tmp_path / "version"
        for path in (models, folder):
            path.mkdir(exist_ok=True)
        for suffix in (".keras", ".onnx"):
            (models / f"Uset_000_model4{suffix}").write_text("a network")
        if metrics:
            record = {str(step): {"mse": 0.1} for step in range(1, steps + 1)}
            (models / "Uset_000_model4_evalDict.json").write_text(json.dumps(record))
        samples = Samples(np.zeros((5, 24, 24, 3), np.uint8), np.full(5, 60), np.arange(5))
        training = count_training({"RGB": samples, "r": samples})
        info = assemble(folder, models.glob("Uset_000_model4.*"), tmp_path / "evaluation", INFO, training)
        return info, folder

    return assemble_one


def test_a_version_knows_its_steps_and_its_result(made):
    info, folder = made()
    assert info.steps == {"model4_0": 20}
    assert (info.test.prediction, info.test.images, info.test.galaxies) == ("median of all", 200, 200)
    assert (info.test.origin, info.trained_on) == (Galaxies(real=200, simulated=0), Galaxies(real=5, simulated=0))
    low, high = info.test.interval
    assert low < info.test.rms < high
    assert info.test.rms == pytest.approx(3, abs=0.5)
    baseline = info.test.baselines["mean of the labels"]
    assert baseline.rms == pytest.approx(13, abs=1)
    assert baseline.version_rms == info.test.rms
    assert why_not_in_use(info) is None
    assert {path.name for path in folder.iterdir()} >= {"Uset_000_model4.keras", "metrics.json", "report.html"}
    assert not (folder / "Uset_000_model4_evalDict.json").exists()


@pytest.mark.parametrize(("scatter", "steps"), [(3.0, 3), (20.0, 60)])
def test_few_steps_and_large_errors_keep_it_out_of_use(made, scatter, steps):
    assert why_not_in_use(made(scatter, steps)[0])


def test_steps_are_unknown_without_the_metrics_of_the_training(made):
    assert made(metrics=False)[0].steps == {}


def test_the_model_card_says_what_it_is(made):
    _, folder = made()
    card = (folder / CARD_FILE).read_text()
    assert card.startswith("# Inclinations of spiral galaxies")
    assert "1 network (model4_0) that tells the inclination" in card
    assert "The prediction is its answer, minus its mean error" in card
    assert "5 galaxies labelled 45 deg or more (5 in colour, 5 in r)." in card
    assert "200 images of 200 galaxies" in card
    assert "too few left-out galaxies to calibrate error bars" in card
    assert "simulated" not in card
    assert "**This version was trained on 5 real galaxies; tested error 2." in card


def test_the_model_card_names_several_networks():
    text = _networks_text(["model4_0", "residual_0"], 64)
    assert text.startswith("2 networks (model4_0, residual_0) that tell the inclination")
    assert "The prediction is their median, minus their mean error" in text


def test_a_version_without_exported_networks_is_not_published(tmp_path):
    network = tmp_path / "Uset_000_model4.keras"
    with pytest.raises(InclinetError, match=r"Uset_000_model4\.keras: not exported"):
        assemble(tmp_path, [network], tmp_path / "evaluation", INFO, {})


def test_simulated_galaxies_are_counted():
    pgcs = np.array([1, SIMULATED_PGC])
    counts = count_training({"RGB": Samples(np.zeros((2, 8, 8, 3), np.uint8), np.full(2, 60), pgcs)})
    assert counts == {"pgcs": pgcs.tolist(), "galaxies": 2, "simulated": 1, "images": {"c": 2}}


def test_galaxies_of_the_networks_that_were_started_from_count(made, tmp_path):
    before = StartRecord(sha256="0" * 64, galaxies=(3, 4, SIMULATED_PGC, SIMULATED_PGC + 1))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / start_file(0, "model4")).write_text(before.model_dump_json())
    info, _ = made()
    assert (info.trained_on, info.simulated) == (Galaxies(real=5, simulated=2), False)


def test_the_evaluation_of_other_networks_is_refused(tmp_path, made):
    made()
    other = [tmp_path / f"Uset_003_model6{suffix}" for suffix in (".keras", ".onnx")]
    with pytest.raises(InclinetError, match="evaluates model4_0, not model6_3; run `inclinet evaluate` again"):
        assemble(tmp_path, other, tmp_path / "evaluation", INFO, {})
    with pytest.raises(InclinetError, match="no evaluation there") as caught:
        assemble(tmp_path, other, tmp_path / "none", INFO, {})
    assert caught.value.setting == "evaluation"


def test_the_code_of_a_version_has_a_digest():
    assert len(code_facts()["digest"]) == 64
