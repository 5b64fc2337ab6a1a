"""What is removed from a store, and what is not."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from inclinet.errors import InclinetError
from inclinet.registry import prune
from inclinet.registry.champion import promote
from inclinet.registry.prune import plan, remove
from inclinet.registry.versions import StartedFrom, list_versions
from inclinet.settings import Prune
from inclinet.storage.artifacts import Artifacts
from tests.conftest import ROOT

DAY = 86_400.0
RULES = Prune(keep_runs=1, keep_versions=1, older_than="30d")


@pytest.fixture
def artifacts(store, tmp_path):
    return Artifacts(store, tmp_path / "cache")


@pytest.fixture
def make(artifacts):
    """A function that makes an artifact, or finds it; returns its reference."""

    def make_one(stage, name, facts=None):
        def work(folder):
            (folder / "data.bin").write_bytes(name.encode() * 100)
            return facts or {}

        return artifacts.make(stage, name, inputs={}, settings=name, code="", work=work)

    return make_one


@pytest.fixture
def end_run(store):
    """A function that leaves behind what a run does that made or reused artifacts."""

    def end(name, *references):
        rows = "".join(f"{one.stage},{one.name},made,{one.key},{one.digest}\n" for one in references)
        store.write(f"runs/{name}/artifacts.csv", f"stage,name,made,key,digest\n{rows}".encode())
        store.write(f"runs/{name}/index.json", b"{}")

    return end


@pytest.fixture
def later(monkeypatch):
    """A function that lets some days pass for what decides how old something is."""

    def pass_days(days):
        now = time.time() + days * DAY
        monkeypatch.setattr(prune, "time", SimpleNamespace(time=lambda: now))

    return pass_days


def age(store, prefix, days):
    """Make the files below a prefix look that old."""
    for entry in store.walk(prefix):
        os.utime(store.folder / entry.key, (time.time() - days * DAY,) * 2)


in_a_folder = pytest.mark.parametrize("store", ["folder"], indirect=True)
"""The age of an object of S3 cannot be set."""


def removed(store, rules=RULES, **how):
    return {one.key for one in plan(store, rules, **how).removed}


def test_the_newest_runs_keep_what_they_made(store, make, end_run, later):
    old, shared, new = make("augment", "old"), make("prep", "shared"), make("augment", "new")
    end_run("inclinet-1", old, shared)
    time.sleep(1.1)  # S3 gives times in whole seconds
    end_run("inclinet-2", shared, new)
    assert removed(store) == set()
    later(31)
    assert removed(store) == {"runs/inclinet-1", old.key}
    assert removed(store, Prune(keep_runs=2, older_than="30d")) == set()
    assert removed(store, Prune(keep_runs=1, older_than="32d")) == set()


def test_versions_keep_their_runs_and_what_these_made(store, make, put, end_run, later):
    made = [make("network", f"network-{n}") for n in range(6)]
    versions = []
    for n, reference in enumerate(made[:5]):
        start = {"model4_0": StartedFrom(version=versions[0].version, sha256="0" * 64, galaxies=3)} if n == 4 else {}
        lineage = {"model4_0": {"artifact": reference.key, "digest": reference.digest, "inputs": {}}}
        versions.append(put(f"{n}", run=f"inclinet-{n}", lineage=lineage, started_from=start))
        end_run(f"inclinet-{n}", reference)
        store.write(f"registry/decisions/{versions[n].version}.json", b"{}")
        time.sleep(1.1)  # versions are ordered by whole seconds
    end_run("inclinet-5", made[5])
    promote(store, versions[1].version, "better")
    promote(store, versions[2].version, "better still")
    later(31)
    planned = plan(store, RULES)
    # 0 is what 4, the newest, was started from; 2 is in use, and 1 was before.
    gone = versions[3].version
    assert {one.key for one in planned.removed} == {"runs/inclinet-3", f"registry/{gone}", made[3].key}
    assert remove(store, planned.removed) == sum(one.size for one in planned.removed) > 0
    assert {one.version for one in list_versions(store)} == {one.version for one in versions} - {gone}
    assert len(list(store.list("registry/decisions"))) == 4
    assert removed(store) == set()


@in_a_folder
def test_what_was_used_lately_is_kept_though_it_is_old(store, make, artifacts):
    used, unused = make("prep", "used"), make("prep", "unused")
    age(store, "artifacts", 40)
    assert artifacts.find(used.key) == used
    assert removed(store) == {unused.key}


@in_a_folder
def test_what_a_long_run_made_or_used_is_kept(store, make):
    made = make("augment", "batch")
    age(store, "artifacts", 40)
    assert removed(store, in_flight_since=time.time() - 41 * DAY) == set()
    assert removed(store, in_flight_since=time.time() - 10 * DAY) == {made.key}


@in_a_folder
def test_snapshots_of_finished_networks_go_after_a_day(store, make):
    finished, going, given_up = (f"artifacts/snapshots/model4-{n}-abc" for n in range(3))
    for folder in (finished, going, given_up):
        store.write(f"{folder}/model4_ckpt/step_0010.npz", b"weights")
    make("network", "model4-0", {"snapshots": finished})
    assert removed(store) == set()
    age(store, finished, 2)
    age(store, going, 2)
    age(store, given_up, 40)
    assert removed(store) == {finished, given_up}
    assert removed(store, in_flight_since=time.time() - 2 * DAY) == {given_up}


def test_predictions_are_kept_as_long_as_their_version(store, make, put, later):
    kept = put("new")
    of_kept, of_gone = make("predict", f"{kept.version}-000"), make("predict", "20260101-0123456789-000")
    for n in range(2):
        store.write(f"predictions/predict-{n}/predictions.csv", b"galaxy\n")
        time.sleep(1.1)
    later(31)
    assert removed(store) == {of_gone.key, "predictions/predict-0"}
    assert of_kept.key in {one.key for one in plan(store, RULES).kept}


def test_inputs_and_memos_are_nobody_s_business(store, later):
    for key in ("input/galaxies/a.png", "digests/abc.json", "catalog.csv"):
        store.write(key, b"mine")
    later(1000)
    assert plan(store, RULES).removed == []


@in_a_folder
def test_an_unfinished_upload_is_removed_when_it_is_old(store):
    store.write("artifacts/prep/g-all-abc/0123/data.bin", b"half")
    assert removed(store) == set()
    age(store, "artifacts", 31)
    assert removed(store) == {"artifacts/prep/g-all-abc"}


def test_nothing_is_removed_that_was_used_since_the_plan(store, make, later):
    reference = make("prep", "late")
    later(31)
    planned = plan(store, RULES)
    assert len(planned.removed) == 1
    time.sleep(1.1)
    store.write(f"{reference.key}/manifest.json", store.read(f"{reference.key}/manifest.json"))
    assert remove(store, planned.removed) == 0
    assert len(list(store.walk(reference.key))) == 2


def test_without_knowing_what_is_in_use_nothing_is_removed(store, put, later):
    put("one")
    store.write("registry/champion.json", b"{")
    later(31)
    with pytest.raises(InclinetError, match=r"champion\.json is damaged"):
        plan(store, RULES)


KILLED = """
import os, sys
from pathlib import Path
from inclinet.registry import prune
from inclinet.settings import Prune
from inclinet.storage.store import FolderStore

class Dying(FolderStore):
    left = int(sys.argv[2])
    def delete(self, key):
        if not Dying.left:
            os.kill(os.getpid(), 9)
        Dying.left -= 1
        super().delete(key)

prune._PARALLEL = 1
store = Dying(Path(sys.argv[1]))
prune.remove(store, prune.plan(store, Prune(keep_runs=1, keep_versions=1)).removed)
"""


@in_a_folder
@pytest.mark.parametrize("deletions", range(0, 14, 2))
def test_a_killed_prune_leaves_the_store_whole(store, artifacts, make, put, end_run, deletions):
    references = [make("prep", f"p{n}") for n in range(3)]
    for n, reference in enumerate(references):
        put(f"{n}", run=f"inclinet-{n}")
        end_run(f"inclinet-{n}", reference)
        age(store, f"runs/inclinet-{n}", 50 - n)
    age(store, "artifacts", 50)
    age(store, "registry", 50)
    command = [sys.executable, "-c", KILLED, str(store.folder), str(deletions)]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    # Whatever describes something describes what is there.
    for version in list_versions(store):
        assert all(store.read(f"registry/{version.version}/{name}") for name in version.files)
    for reference in references:
        assert artifacts.find(reference.key) == reference or artifacts.read_manifest(reference.key) is None
    for run in store.folders("runs"):
        if f"runs/{run}/index.json" in {entry.key for entry in store.list(f"runs/{run}")}:
            assert artifacts.find(store.read(f"runs/{run}/artifacts.csv").decode().split(",")[-2])
    age(store, "artifacts", 50)
    # The next call removes the rest.
    remove(store, plan(store, RULES).removed)
    assert plan(store, RULES).removed == []
    [version] = list_versions(store)
    kept = {"inclinet-2", version.info.run}
    assert set(store.folders("runs")) == kept
    assert len(list(store.folders("artifacts/prep"))) == len(kept)


@pytest.mark.parametrize("text", ["", "30", "d", "0d", "-1d", "30 d", "30y"])
def test_an_age_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="older_than"):
        Prune(older_than=text)


def test_ages():
    assert [Prune(older_than=text).age.total_seconds() for text in ("12h", "30d", "8w")] == [43_200, 30 * DAY, 56 * DAY]
