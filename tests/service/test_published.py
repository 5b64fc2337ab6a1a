"""Versions through Prefect: published, compared, promoted or kept out, rolled back, and used for predicting."""

import csv
import json
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime

import httpx
import pytest
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, DeploymentFilter, DeploymentFilterId
from prefect.client.schemas.objects import StateType
from prefect.deployments import run_deployment

from deployments.automations import IMAGES_ARRIVED
from deployments.service import BUCKET, bucket_client
from flows.retrain import NO_SAMPLE
from inclinet.registry.champion import read_champion
from inclinet.registry.versions import list_versions
from inclinet.storage.addresses import open_store
from tests.service.runs import finish, kill_process_of, retry, tasks_of

pytestmark = [pytest.mark.service, pytest.mark.xdist_group("service")]

HOW = {
    "size": 30,
    "split": {"niter": 0, "test_fraction": 0.3},
    "augment": {"nbatch": 2, "batchsize": 4},
    "train": {"N_batch_iter": 1, "training_batch_size": 16},
}
LONGER = HOW | {"train": {"N_batch_iter": 25, "training_batch_size": 16}}
WORSE = HOW | {"train": {"N_batch_iter": 1, "training_batch_size": 16, "learning_rate": 1e-6, "seed": 3}}
RULES = {"min_galaxies": 10, "worst_bin": 10}


def run(deployment, **parameters):
    """Run a deployment to its end; return the run."""
    with get_client(sync_client=True) as client:
        return finish(client, run_deployment(deployment, parameters=parameters, timeout=0).id)


def events(service, name, since):
    """Return the events of a name since a time; the server records them some seconds after they arrive."""
    wanted = {"filter": {"event": {"name": [name]}, "occurred": {"since": since.isoformat()}}}
    user, _, password = service.auth_string.partition(":")
    for _ in range(30):
        answer = httpx.post(f"{service.api}/events/filter", json=wanted, auth=(user, password))
        if found := answer.json()["events"]:
            break
        time.sleep(1)
    return found


def comparison_of(run_id):
    """Return the Markdown of the comparison on a run's page."""
    its = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    with get_client(sync_client=True) as client:
        return next(a.data for a in client.read_artifacts(artifact_filter=its) if a.key == "comparison")


def inclinet(*arguments):
    """Run the command line; return the finished process."""
    command = [sys.executable, "-c", "from inclinet.cli.main import main; main()", *arguments]
    return subprocess.run(command, check=True, timeout=120, capture_output=True, text=True)


@pytest.fixture(scope="module")
def store(service):
    return open_store(service.environment["INCLINET_STORE"])


@pytest.fixture(scope="module")
def sample(put, small_sample, tmp_path_factory):
    """The plain discs, one of them left out, so that nothing made here is reused in other tests."""
    folder = tmp_path_factory.mktemp("published")
    shutil.copytree(small_sample, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("pgc59_*"))
    rows = (folder / "catalog.csv").read_text().splitlines()
    (folder / "catalog.csv").write_text("\n".join(rows[:-2] + rows[-1:]) + "\n")
    return put(folder, "published", bands=["g", "gri"])


@pytest.fixture(scope="module")
def hardly_trained(store, sample):
    """A version that was hardly trained, put into use from the command line: it does not come into use by itself."""
    done = run("inclinet/full", sample=sample, **HOW)
    assert done.state.name == "Completed", done.state.message
    version = re.search(r"Published (\S+?)[,;]", done.state.message)[1]
    champion = read_champion(store)
    assert champion is None or champion.version != version
    inclinet("promote", version, "--why", "to be beaten")
    assert read_champion(store).version == version
    return version


@pytest.fixture(scope="module")
def better(service, store, sample, hardly_trained):
    """A run of inclinet/retrain that trains longer, and when it began."""
    began = datetime.now(UTC)
    return run("inclinet/retrain", sample=sample, rules=RULES, **LONGER), began


@pytest.mark.slow
def test_a_better_challenger_goes_in(service, store, hardly_trained, better):
    done, began = better
    assert done.state.name == "Completed", done.state.message
    current = read_champion(store)
    assert current.previous == hardly_trained
    assert f"Version {current.version} is in use now: its RMS differs by -" in done.state.message
    text = comparison_of(done.id)
    assert f"Champion {hardly_trained}, challenger {current.version}, on " in text
    [event] = events(service, "inclinet.model.promoted", began)
    assert event["payload"]["challenger"] == current.version
    decision = json.loads(store.read(f"registry/decisions/{current.version}.json"))
    assert decision["promoted"]
    assert decision["comparison"]["challenger"]["rms"] < decision["comparison"]["champion"]["rms"]


@pytest.mark.slow
def test_a_worse_challenger_is_kept_out(service, store, sample, better):
    before, began = read_champion(store), datetime.now(UTC)
    done = run("inclinet/retrain", sample=sample, rules=RULES, **WORSE)
    assert done.state.name == "Completed", done.state.message
    assert read_champion(store) == before
    assert done.state.message.startswith(f"Version {before.version} stays in use: its RMS differs by +")
    assert "stays in use" in comparison_of(done.id)
    [event] = events(service, "inclinet.model.kept", began)
    assert event["payload"]["champion"] == before.version


@pytest.mark.slow
def test_nothing_changed_nothing_done(store, sample, better):
    before = {bundle.version for bundle in list_versions(store)}
    done = run("inclinet/retrain", sample=sample, rules=RULES, **LONGER)
    assert done.state.name == "Completed"
    assert done.state.message.startswith("Nothing to do: galaxies, catalogue, settings and code are those of version")
    assert {bundle.version for bundle in list_versions(store)} == before
    with get_client(sync_client=True) as client:
        assert {task.name for task in tasks_of(client, done.id)} == {
            *("catalogue", "find-decision"),
            *("inventory-g", "inventory-gri"),
        }


@pytest.mark.slow
def test_rolled_back_by_one_command_and_stays_so(store, sample, hardly_trained, better):
    mine = read_champion(store).version
    assert mine in inclinet("models").stdout
    inclinet("promote", hardly_trained)
    assert read_champion(store).version == hardly_trained
    # The next scheduled run does not undo this decision.
    done = run("inclinet/retrain", sample=sample, rules=RULES, **LONGER)
    assert done.state.message.startswith("Nothing to do")
    assert read_champion(store).version == hardly_trained
    inclinet("promote", mine)


def predictions_of(service, done, table="images.csv"):
    body = bucket_client(service).get_object(Bucket=BUCKET, Key=f"predictions/{done.name}/{table}")["Body"]
    return list(csv.DictReader(body.read().decode().splitlines()))


def listed(client, run_id):
    """Return the messages of a run's tasks that listed the images, and how many chunks it predicted."""
    tasks = tasks_of(client, run_id)
    messages = [task.state.message for task in tasks if task.name == "listing"]
    return messages, sum(task.name.startswith("predict-") for task in tasks)


@pytest.mark.slow
def test_many_images_are_predicted_in_chunks_and_only_once(service, store, sample, better):
    what = {"images": sample["images"], "chunk": 100}
    done = run("predict/batch", what=what)
    assert done.state.name == "Completed", done.state.message
    rows = predictions_of(service, done)
    assert len({row["image"] for row in rows}) == len(rows) == 236
    assert {row["band"] for row in rows} == {"c", "g", "r", "i"}
    galaxies = predictions_of(service, done, "predictions.csv")
    assert sorted(row["pgc"] for row in galaxies) == sorted({row["pgc"] for row in rows})
    assert sum(int(row["n_images"]) for row in galaxies) == len(rows)
    assert all(45 <= float(row["inclination"]) <= 90 for row in rows)
    again = run("predict/batch", what=what)
    with get_client(sync_client=True) as client:
        assert listed(client, done.id) == (["236 images, 0 of them predicted before"], 3)
        assert listed(client, again.id) == (["236 images, 236 of them predicted before"], 0)
    assert predictions_of(service, again) == rows


@pytest.mark.slow
def test_a_killed_prediction_resumes(service, store, put, small_sample, better):
    images = put(small_sample, "killed")["images"]
    with get_client(sync_client=True) as client:
        started = run_deployment("predict/batch", parameters={"what": {"images": images, "chunk": 4}}, timeout=0)
        for _ in range(600):
            done = [task for task in tasks_of(client, started.id) if task.name.startswith("predict-0")]
            # For a moment a task that was just submitted has no state.
            if sum(task.state is not None and task.state.is_completed() for task in done) > 3:
                break
            time.sleep(0.1)
        kill_process_of(client, started.id)
        assert finish(client, started.id).state.name == "Crashed"
        retried = retry(client, started)
        assert retried.state.name == "Completed", retried.state.message
        messages, _ = listed(client, started.id)
    assert 12 <= max(int(message.split()[2]) for message in messages) < 240
    assert len(predictions_of(service, retried)) == 240


def test_new_images_start_retraining(service):
    with get_client(sync_client=True) as client:
        retrain = client.read_deployment_by_name("inclinet/retrain")
        only = DeploymentFilter(id=DeploymentFilterId(any_=[retrain.id]))

        def runs():
            return {one.id for one in client.read_flow_runs(deployment_filter=only) if not one.auto_scheduled}

        before = runs()
        command = [sys.executable, "-m", "prefect", "event", "emit", IMAGES_ARRIVED, "--resource-id", "inclinet.images"]
        subprocess.run(command, check=True, timeout=60, capture_output=True)
        for _ in range(60):
            if new := runs() - before:
                break
            time.sleep(1)
        [started] = new
        # Nobody has put a sample at the default place.
        done = finish(client, started)
    assert (done.state.type, done.state.name) == (StateType.COMPLETED, NO_SAMPLE)
    assert done.state.message.startswith("no sample yet: put images under input/galaxies and a catalogue at input/")
