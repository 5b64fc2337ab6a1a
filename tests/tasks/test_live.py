"""What a run shows while it runs, on a real Prefect server."""

import json
from types import SimpleNamespace

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.runtime import flow_run

import tasks.live
from tasks.live import RunPage, TrainingPage

pytestmark = pytest.mark.xdist_group("tasks")

STEPS = 10


def shown(run):
    """Return the artifacts of a run by key: the data and the description of each."""
    its = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=its)
    assert all(artifact.task_run_id is None for artifact in found)
    assert len({artifact.key for artifact in found}) == len(found)
    return {artifact.key: (artifact.data, artifact.description) for artifact in found}


@flow
def stages():
    for stage in (RunPage().stage("prep", "groups of images", 4), RunPage().stage("augment", "stored batches", 2)):
        stage.done(1)
        stage.done(2)
    return flow_run.id


def test_the_stages_of_a_run_share_one_bar(prefect_api):
    assert shown(stages()) == {"progress": (100.0, "augment: 2 of 2 stored batches")}


def training(k):
    where = {"snapshot_folder": lambda: f"snapshots/{k}"}
    return SimpleNamespace(name=f"model4-{k}", model="model4", subsample=k, steps=STEPS, **where)


@flow
def trainings(store, runs, moments):
    """Show trainings of networks at moments: the steps taken of each, and which runs go on; return each page.

    `runs` are the numbers of the networks that each child run trains.
    """
    page = TrainingPage(RunPage(), {f"run {r}": [training(k) for k in group] for r, group in enumerate(runs)})
    pages = []
    for taken, running in moments:
        for k, steps in enumerate(taken):
            metrics = {str(n): {"mae": 0.3 / n, "val_mae": None, "left_mae": 0.4 / n} for n in range(1, steps + 1)}
            if metrics:
                store.write(f"snapshots/{k}/Uset_00{k}_model4_evalDict.json", json.dumps(metrics).encode())
        page([f"run {r}" for r in running])
        pages.append(shown(flow_run.id))
    return pages


def test_a_parent_shows_how_far_its_children_are(store, monkeypatch):
    monkeypatch.setattr(tasks.live, "_SECONDS_BETWEEN_PAGES", 0)
    waiting, first, both, last = trainings(
        store, [[0], [1]], [((0, 0), [0, 1]), ((4, 0), [0, 1]), ((6, 2), [0, 1]), ((10, 5), [1])]
    )
    assert waiting["progress"] == (0.0, "training: 0 of 2 networks trained, the next one is about to start")
    percent, text = first["progress"]
    assert percent == 20
    assert text == "training: network 1 of 2, step 4 of 10, left-out MAE 2.2 deg"
    page, description = first["summary"]
    assert description == f"Training: {text.removeprefix('training: ')}."
    assert "| model4_0 | in training | 4 of 10 | left-out MAE 2.2 deg |" in page
    assert "| model4_1 | waiting | 0 of 10 |  |" in page
    assert "data:image/png;base64," in page
    assert both["progress"][1].startswith("training: 0 of 2 networks trained, 2 under way, ")
    assert both["progress"][1].endswith(" left")  # by what was done since the first step
    assert last["progress"][0] == 75
    assert last["progress"][1].startswith("training: network 2 of 2, step 5 of 10")
    assert "| model4_0 | trained | 10 of 10 |" in last["summary"][0]


def test_networks_of_one_child_are_shown_one_after_the_other(store, monkeypatch):
    monkeypatch.setattr(tasks.live, "_SECONDS_BETWEEN_PAGES", 0)
    moments = [((0, 0, 0), [0, 1]), ((8, 0, 0), [0, 1]), ((8, 5, 0), [0, 1]), ((8, 10, 5), [1])]
    waiting, first, second, third = trainings(store, [[0, 1], [2]], moments)
    assert waiting["progress"][1].startswith("training: 0 of 3 networks trained")
    assert first["progress"][1].startswith("training: network 1 of 3, step 8 of 10")
    # Patience ended the first one early.
    assert second["progress"][0] == 50
    assert second["progress"][1].startswith("training: network 2 of 3, step 5 of 10")
    assert "| model4_0 | trained | 8 of 10 |" in second["summary"][0]
    assert third["progress"][1].startswith("training: network 3 of 3, step 5 of 10")


@flow
def without_a_server():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.live, "get_client", lambda **how: 1 / 0)
        RunPage().progress(0.5, "half")
    return flow_run.id


def test_a_page_that_cannot_be_written_does_not_end_the_run(prefect_api):
    assert shown(without_a_server()) == {}
