"""The whole pipeline: `prefect deployment run inclinet/full` through worker, object store and server."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress

import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.deployments import run_deployment
from prefect.states import Cancelling

from deployments.service import BUCKET, bucket_client
from inclinet.registry.champion import read_champion
from inclinet.registry.copies import fetch_version
from inclinet.registry.versions import list_versions
from inclinet.storage.addresses import open_store
from inclinet.training.snapshots import Snapshots
from tests.service.runs import (
    artifacts_of,
    finish,
    finish_full,
    keys,
    made_by,
    run_full,
    running_child,
    start_full,
)

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("service")]


def test_a_run_completes_and_its_tasks_have_clear_names(first):
    run, children, states = first
    assert run.state.name == "Completed", run.state.message
    # Short trainings share a child run.
    assert [child.name for child in children] == [f"train-residual-0-and-1-more of {run.name}"]
    for one in (run, *children):
        assert {"24px", "g", "r", "i", "gri"} <= set(one.tags)
    assert run.name == f"discs-g-r-i-gri-24px-{str(run.id)[:8]}"
    assert {child.work_pool_name for child in children} == {"gpu"}
    assert {child.state.name for child in children} == {"Completed"}
    # The catalogue has no errors of labels, so that there is nothing to collect.
    assert {name for name, state in states.items() if state != "Completed"} <= {"label_errors"}
    names = {"catalogue", "inventory-g", "prep-gri-all", "compress-r", "split-i", "augment-1-02", "augment-test"}
    assert names | {"network-residual-0", "evaluate", "skipped", "galaxies", "index"} <= set(states)
    assert sum(name.startswith("step-") for name in states) == 8


def test_the_files_of_a_run_are_found_by_their_names(first, service, tmp_path):
    run, *_ = first
    client = bucket_client(service)

    def read(key):
        return client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    index = json.loads(read(f"runs/{run.name}/index.json"))
    assert {
        "packed/24x24_RGB.npz",
        "samples/g_24x24_train_001.npz",
        "augmented/Uset_001_npz/24x24_train_aug_02.npz",
        "models/Uset_000_residual.keras",
        "models/Uset_000_residual.onnx",
        "models/Uset_000_residual_evalDict.json",
        "evaluation/predictions.csv",
        "evaluation/metrics.json",
        "evaluation/report.html",
        "models/Uset_001_residual_left_out.csv",
    } <= set(index)
    assert read(index["samples/g_24x24_train_001.npz"])[:2] == b"PK"
    metrics = json.loads(read(f"runs/{run.name}/evaluation/metrics.json"))
    assert set(metrics["networks"]) == {"residual_0", "residual_1"}
    assert "axis ratio (b_a)" in metrics["baselines"]
    assert set(metrics["left_out"]) == {"residual_0", "residual_1"}
    assert set(metrics["by_inverted"]["median of all"]) == {"inverted", "not inverted"}


def test_a_run_shows_how_many_images_it_used_and_what_it_made(first, service):
    run, *_ = first
    bucket = bucket_client(service)
    its = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
    with get_client(sync_client=True) as client:
        shown = {artifact.key: artifact.data for artifact in client.read_artifacts(artifact_filter=its)}
    tables = {key: json.loads(shown[key]) for key in ("galaxies", "artifacts", "skipped")}
    rows = {row["band"]: row for row in tables["galaxies"]}
    assert list(rows) == ["g", "r", "i", "colour"]
    for row in rows.values():
        assert row["images found"] == row["downsampled"] == row["training"] + row["test"] == 60
        assert row["skipped"] == row["below 45 deg or rejected"] == 0
    assert {"stage": "augment", "made": 7, "reused": 0} in tables["artifacts"]
    assert {row["made"] for row in artifacts_of(bucket, run)} == {"made"}
    assert tables["skipped"] == []


def test_a_run_publishes_what_it_trained(first, service):
    run, *_ = first
    store = open_store(service.environment["INCLINET_STORE"])
    [bundle] = [bundle for bundle in list_versions(store) if bundle.info.run == run.name]
    assert run.state.message.startswith(f"RMS {bundle.info.test.rms:.2f} deg (")
    assert f"Published {bundle.version}, trained on {bundle.info.trained_on}" in run.state.message
    assert bundle.networks == ["Uset_000_residual.onnx", "Uset_001_residual.onnx"]
    assert set(bundle.info.lineage) == {"residual_0", "residual_1"}
    assert bundle.info.settings["train"]["N_batch_iter"] == 2
    # Four steps are too few to come into use by itself, whatever the networks answer.
    champion = read_champion(store)
    assert champion is None or champion.version != bundle.version
    assert bundle.info.steps == {"residual_0": 4, "residual_1": 4}
    if champion is None:
        assert "it is not in use: a network was trained for 4 steps, fewer than 10" in run.state.message
        assert f"`inclinet promote {bundle.version}` puts it into use all the same" in run.state.message
    local = fetch_version(store, bundle)
    assert "# Inclinations of spiral galaxies" in (local / "README.md").read_text()


@pytest.fixture(scope="module")
def two_more(first, service, put, small_sample):
    """Two runs started together: the same again, and one with a wrong `imroot`."""
    sample = put(small_sample, "discs")
    with get_client(sync_client=True) as client:
        started = [start_full(sample=sample), start_full(sample=sample | {"imroot": "d25x9"})]
        return [finish_full(client, run) for run in started]


def test_a_second_run_reuses_everything(two_more, service):
    run, _, states = two_more[0]
    assert run.state.name == "Completed", run.state.message
    not_cached = {name.partition("-")[0] for name, state in states.items() if state != "Cached"}
    assert not_cached == {"find", "galaxies", "index", "publish", "decide", "summary"}
    assert made_by(bucket_client(service), run) == set()


@pytest.mark.slow
def test_one_band_is_enough(service, put, small_sample):
    with get_client(sync_client=True) as client:
        run, _, states = run_full(client, sample=put(small_sample, "discs", bands=["gri"]), split={"niter": 0})
    assert run.state.name == "Completed", run.state.message
    assert "prep-gri-all" in states
    assert "prep-g-all" not in states


def test_bad_input_fails_at_once_and_says_why(two_more):
    run, _, states = two_more[1]
    assert run.state.name == "Failed"
    assert "no image such as pgc<ID>_d25x9" in run.state.message
    assert "AwaitingRetry" not in states.values()


@pytest.mark.slow
def test_a_cancelled_parent_takes_its_children_with_it(service, put, small_sample):
    long = {"split": {"niter": 0}, "train": {"N_batch_iter": 2000, "training_batch_size": 1}}
    bucket = bucket_client(service)
    before = set(keys(bucket, "artifacts/snapshots/"))
    with get_client(sync_client=True) as client:
        started = start_full(sample=put(small_sample, "discs"), **long)
        children = running_child(client, started.id)
        for _ in range(600):
            if snapshots := set(keys(bucket, "artifacts/snapshots/")) - before:
                break
            time.sleep(0.1)
        client.set_flow_run_state(started.id, Cancelling())
        assert finish(client, started.id, 60).state.name == "Cancelled"
        assert {finish(client, child.id, 60).state.name for child in children} == {"Cancelled"}
    # A cancelled training can be resumed: its snapshot is complete.
    [folder] = {key.rpartition("/")[0] for key in snapshots}
    assert next(Snapshots(open_store(service.environment["INCLINET_STORE"]), folder).newest_first()).step


def test_the_form_refuses_bad_settings(service):
    with pytest.raises(Exception, match="409|422|Conflict|valid"):
        run_deployment("inclinet/full", parameters={"size": 0}, timeout=0)


def test_retraining_is_scheduled_weekly(service):
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("inclinet/retrain")
    [schedule] = deployment.schedules
    assert (schedule.slug, schedule.active, schedule.schedule.timezone) == ("weekly", True, "UTC")
    assert schedule.schedule.cron.split()[2:] == ["*", "*", "1"]


def test_prefect_s_command_line_names_missing_parameters(service):
    command = [sys.executable, "-m", "prefect", "deployment", "run", "train/gpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "required" in done.stdout + done.stderr


def test_no_secret_is_left_anywhere(first, service):
    """Not in any log, database, object or local copy; only in files of their owner's alone.

    These are two each, and those with which Prefect's workers tell runs their environment.
    """
    files = [path for path in service.folder.rglob("*") if path.is_file()]
    assert len(files) > 100
    for variable, place in {"AWS_SECRET_ACCESS_KEY": "credentials", "PREFECT_API_AUTH_STRING": "auth-string"}.items():
        secret = service.environment[variable].encode()
        holding = modes_of_those_with(secret, files)
        told = {path for path in holding if path.is_relative_to(service.folder / "tmp")}
        assert {path.name for path in told} <= {"workspace.json"}
        assert holding.keys() - told == {service.folder / place, service.folder / "env.sh"}
        assert all(mode & 0o077 == 0 for mode in holding.values())


def modes_of_those_with(content, files):
    """Return the modes of the files that hold some content, by path; runs may remove them meanwhile."""
    modes = {}
    for path in files:
        with suppress(FileNotFoundError), path.open("rb") as file:
            if content in file.read():
                modes[path] = os.fstat(file.fileno()).st_mode
    return modes
