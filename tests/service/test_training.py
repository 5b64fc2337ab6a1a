"""Training through Prefect: resumed from snapshots, and shown on the run's page."""

import shutil
import time

import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from deployments.service import BUCKET, bucket_client
from tests.service.runs import (
    children_of,
    finish,
    forget,
    keys,
    kill_process_of,
    retry,
    running_child,
    start_full,
    tasks_of,
)

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("service")]

STEPS = 12
# Another size and sample than in the other tests, so that nothing made here is reused there.
LONG = {
    "size": 28,
    "split": {"niter": 0},
    "train": {"N_batch_iter": STEPS // 2, "training_batch_size": 1, "keep_every": 4},
}


@pytest.fixture(scope="module")
def sample(put, small_sample, tmp_path_factory):
    """The plain discs, one of them left out."""
    folder = tmp_path_factory.mktemp("fewer")
    shutil.copytree(small_sample, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("pgc60_*"))
    rows = (folder / "catalog.csv").read_text().splitlines()
    (folder / "catalog.csv").write_text("\n".join(rows[:-1]) + "\n")
    return put(folder, "fewer")


@pytest.fixture(scope="module")
def straight(service, sample):
    """A run that nothing happened to, and its only child run; its snapshots are the only ones in the store."""
    forget(bucket_client(service), service, "artifacts/snapshots/")
    with get_client(sync_client=True) as client:
        run = finish(client, start_full(sample=sample, **LONG).id)
        assert run.state.name == "Completed", run.state.message
        [child] = children_of(client, run.id)
    return run, child


def what_is_left(bucket, run):
    """Return the last snapshot in the store, and the metrics and the file of the only network of a run."""
    [last] = [key for key in keys(bucket, "artifacts/snapshots/") if key.endswith(f"step_{STEPS:04d}.npz")]
    models = f"runs/{run.name}/models/Uset_000_residual"
    wanted = [last, f"{models}_evalDict.json", f"{models}.keras"]
    return [bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in wanted]


@pytest.mark.slow
def test_a_killed_run_retried_ends_as_one_that_was_not_killed(service, sample, straight):
    bucket = bucket_client(service)
    expected = what_is_left(bucket, straight[0])
    for stage in ("network", "snapshots"):
        forget(bucket, service, f"artifacts/{stage}/")
    with get_client(sync_client=True) as client:
        run = start_full(sample=sample, **LONG)
        [child] = running_child(client, run.id)
        for _ in range(600):
            if any(key.endswith(".npz") for key in keys(bucket, "artifacts/snapshots/")):
                break
            time.sleep(0.1)
        kill_process_of(client, run.id, child.id)
        assert {finish(client, one).state.name for one in (run.id, child.id)} == {"Crashed"}
        left = keys(bucket, "artifacts/snapshots/")
        assert left and not [key for key in left if key.endswith(f"step_{STEPS:04d}.npz")]
        retried = retry(client, run)
        assert retried.state.name == "Completed", retried.state.message
        [again] = [one for one in children_of(client, run.id) if one.id != child.id]
        steps = [task.name for task in tasks_of(client, again.id) if task.name.startswith("step-")]
    assert 0 < len(steps) < STEPS
    assert what_is_left(bucket, retried) == expected


@pytest.mark.slow
def test_the_page_of_a_run_says_what_it_trains_on_and_how_far_it_is(straight):
    its = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[straight[1].id]))
    with get_client(sync_client=True) as client:
        shown = {artifact.key: artifact for artifact in client.read_artifacts(artifact_filter=its)}
    device, progress = shown["device-residual-0"], shown["train-residual-0"]
    assert "(no GPU here)" in device.data
    assert "| precision | " in device.data
    assert float(progress.data) == 100
    assert f"step {STEPS} of {STEPS}" in progress.description
    assert "images/s" in progress.description
    assert "s left" in progress.description


def test_the_pool_takes_as_many_runs_as_there_are_gpus(service):
    from inclinet.networks.devices import runs_at_once

    with get_client(sync_client=True) as client:
        assert client.read_work_pool("gpu").concurrency_limit == runs_at_once()
