"""What a run of predict/batch says of its images against the test set of the version."""

import json

import numpy as np
import pandas as pd
import pytest
from prefect.logging import disable_run_logger

from inclinet.evaluation.filenames import PREDICTIONS_FILE
from inclinet.registry.choice import choose
from inclinet.registry.versions import VersionInfo, publish
from tasks import drift
from tasks.drift import DRIFTED, report_drift

pytestmark = pytest.mark.xdist_group("tasks")

USUAL = np.random.default_rng(1).uniform(45, 90, 400)


@pytest.fixture
def chosen(store, tmp_path):
    """A version that was tested on galaxies of all inclinations."""
    folder = tmp_path / "version"
    folder.mkdir()
    (folder / "Uset_000_model4.keras").write_bytes(b"network")
    answers = {"inc_m": USUAL[:200], "model4_0": USUAL[:200]}
    tested = pd.DataFrame({"pgc": range(200), "filter": "g", "inc": 60.0} | answers)
    tested.to_csv(folder / PREDICTIONS_FILE)
    return choose(store, publish(store, folder, VersionInfo(size=24, bands=("g",))).version)


@pytest.fixture
def report(store, chosen, monkeypatch):
    """A function that reports of images with these inclinations; returns what it wrote, and the events."""
    emitted = []
    monkeypatch.setattr(drift, "emit_event", lambda name, resource, payload: emitted.append((name, payload["why"])))
    monkeypatch.setattr(drift, "create_table_artifact", lambda rows, **_: None)

    def go(inclinations):
        with disable_run_logger():
            report_drift("run", chosen, pd.DataFrame({"inclination": inclinations, "flag": ""}))
        return json.loads(store.read("predictions/run/drift.json")), emitted

    return go


def test_images_like_those_of_the_test_set_are_no_event(report):
    written, events = report(USUAL[200:])
    assert (written["images"], written["answers"], written["flagged"]) == (200, 200, 0.0)
    assert len(written["inclinations"]) == len(written["expected"]) == 9
    assert (written["why"], events) == ([], [])


def test_other_images_are_an_event(report, chosen):
    written, events = report(USUAL[200:] / 3 + 60)
    [(name, why)] = events
    assert name == DRIFTED
    assert why.startswith(f"run, predicted with version {chosen.published.version}: the inclinations are distributed")
    assert why.endswith(written["why"][0])
