"""Which version is in use, decided by tasks under a real Prefect server, with versions that hold no real network."""

import json

import numpy as np
import pandas as pd
import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from inclinet.registry.champion import promote, read_champion
from inclinet.registry.decisions import read_decision
from inclinet.registry.versions import BaselineResult, VersionInfo, VersionResult, publish
from inclinet.settings import Retrain, Split
from inclinet.storage.artifacts import Reference
from tasks.champion import find_folds_task
from tasks.filenames import FILES_FILE
from tasks.publish import compare_versions_task, find_decision_task, fingerprint, promote_first_task

RULES = Retrain(min_galaxies=10)


@pytest.fixture
def put(store, tmp_path):
    """Publish a version whose networks were trained for some steps, with an RMS of 3 deg."""

    def publish_one(steps, baseline=12.0, **info):
        folder = tmp_path / f"{steps}-{baseline}"
        folder.mkdir()
        (folder / "Uset_000_model4.keras").write_text("a network")
        baselines = {"mean of the labels": BaselineResult(rms=baseline, version_rms=3)}
        test = VersionResult(
            prediction="median of all", rms=3, mae=2, bias=0, images=90, galaxies=30, baselines=baselines
        )
        values = {"size": 24, "bands": ("c",), "steps": {"model4_0": steps}, "test": test} | info
        return publish(store, folder, VersionInfo(**values)).version

    return publish_one


@flow
def decide(version, rules=None):
    """Return the message and the data of the decision on a first version."""
    state = promote_first_task(version, rules, return_state=True)
    return state.message, state.result()


@flow
def look(of, rules):
    return find_decision_task(of, rules, return_state=True).result()


def shown(text):
    """Return the comparison on a run's page that names a text."""
    only = ArtifactFilter(key=ArtifactFilterKey(any_=["comparison"]))
    with get_client(sync_client=True) as client:
        return next(a.data for a in client.read_artifacts(artifact_filter=only) if text in a.data)


def test_the_first_good_version_comes_into_use(store, put):
    version = put(60)
    message, in_use = decide(version)
    assert in_use == version
    assert message == (
        "RMS 3.00 deg on 30 galaxies, better than the mean of the labels (12.00). "
        f"Published {version}; in use is {version}"
    )
    assert read_champion(store).version == version
    assert read_decision(store, version).promoted
    assert f"Version {version} is in use now" in shown(version)
    second = put(61)
    message, in_use = decide(second)
    assert in_use == version
    assert message.endswith(
        f"Published {second}; in use is still {version}; `inclinet promote {second}` puts the new one into use"
    )
    assert read_decision(store, second) is None


@pytest.mark.parametrize(
    ("steps", "baseline", "reason"),
    [(3, 12.0, "trained for 3 steps, fewer than 10"), (60, 2.5, "not lower than the 2.50 deg of a simple baseline")],
)
def test_a_bad_version_stays_out_and_says_why_and_what_to_do(store, put, steps, baseline, reason):
    version = put(steps, baseline)
    message, in_use = decide(version)
    assert in_use is None
    assert read_champion(store) is None
    assert reason in message
    assert f"`inclinet promote {version}` puts it into use all the same" in message
    page = shown(version)
    assert page.startswith(f"## Version {version} is not in use")
    assert reason in page
    assert f"`inclinet promote {version}` puts version {version} into use all the same." in page
    assert not read_decision(store, version).promoted


def test_the_first_version_trained_on_real_galaxies_takes_the_place_of_mocks(store, put):
    mocks, real = put(60, simulated=True), put(61)
    assert decide(mocks)[1] == mocks
    assert decide(real)[1] == real
    assert read_champion(store).previous == mocks
    page = shown(f"Version {real} is in use now")
    assert "It is the first version trained on real galaxies" in page
    assert f"Version {real}: trained on an unknown number of galaxies; tested error 3.00 deg RMS" in page
    assert read_decision(store, real).champion == mocks
    assert decide(mocks)[1] == real


def test_what_was_decided_is_found_again(store, put):
    version = put(3, fingerprint="this")
    assert look("this", RULES) is None
    decide(version, RULES)
    assert look("this", RULES).startswith("Nothing to do")
    assert "which was not promoted on" in look("this", RULES)
    assert look("other", RULES) is None
    assert look("this", Retrain(min_galaxies=11)) is None
    promote(store, version, "by hand")
    assert look("this", RULES).endswith("which is in use")


def cross_validated(store, tmp_path, name, scatter, galaxies):
    """Publish a version trained on all of some galaxies, with its out-of-fold predictions for them."""
    folder = tmp_path / name
    folder.mkdir()
    (folder / "Uset_000_model4.keras").write_text(name)
    rng = np.random.default_rng(len(name))
    table = pd.DataFrame({"pgc": galaxies, "filter": "c", "inc_m": 45 + np.array(galaxies) % 46})
    table["model4_0"] = np.clip(table["inc_m"] + rng.normal(0, scatter, len(table)), 0, 90)
    table.to_csv(folder / "predictions.csv", index=False)
    (folder / "galaxies.csv").write_text("pgc\n" + "".join(f"{pgc}\n" for pgc in galaxies))
    baselines = {"mean of the labels": BaselineResult(rms=12, version_rms=scatter)}
    test = VersionResult(
        prediction="median of all", rms=scatter, mae=2, bias=0, images=200, galaxies=200, folds=5, baselines=baselines
    )
    info = VersionInfo(size=24, bands=("c",), steps={"model4_0": 60}, test=test)
    return publish(store, folder, info).version


@flow
def judge(challenger, champion):
    folds = find_folds_task(champion, return_state=True).result()
    assert folds == 5
    return compare_versions_task(challenger, champion, None, Split(folds=folds), RULES, return_state=True).result()


def test_cross_validated_versions_are_judged_by_their_own_predictions(store, tmp_path):
    champion = cross_validated(store, tmp_path, "champion", 5.0, range(1, 201))
    promote(store, champion, "the first")
    worse = cross_validated(store, tmp_path, "worse", 6.0, range(1, 201))
    assert judge(worse, champion).startswith(f"Version {champion} stays in use: its RMS differs by +")
    elsewhere = cross_validated(store, tmp_path, "elsewhere", 2.0, range(1001, 1201))
    assert "no test galaxy in common" in judge(elsewhere, champion)
    better = cross_validated(store, tmp_path, "better", 2.0, range(101, 301))
    assert judge(better, champion).startswith(f"Version {better} is in use now: its RMS differs by -")
    assert read_champion(store).version == better


def test_a_fingerprint_covers_the_code_of_the_tasks(monkeypatch):
    catalogue = Reference("artifacts/catalogue/catalogue-0", "0" * 64, {FILES_FILE: "1" * 64})

    def digest():
        return fingerprint(catalogue, {"g": catalogue}, json.loads('{"size": 24}'))

    covered = []
    monkeypatch.setattr("tasks.publish.code_digest", lambda *makers: covered.append(makers) or "one")
    before = digest()
    assert {"tasks.prep", "tasks.compress", "tasks.split", "tasks.augment", "tasks.train", "tasks.evaluate"} == set(
        covered[0]
    )
    monkeypatch.setattr("tasks.publish.code_digest", lambda *makers: "two")
    assert digest() != before
