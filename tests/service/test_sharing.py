"""A large folder is shared out over the workers of the pool `gpu`; whatever is killed, each image is predicted once."""

import time
from collections import Counter
from dataclasses import replace

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect.deployments import run_deployment
from prefect.states import Cancelling

from deployments.prefect_server import worker_program
from deployments.processes import Launch, stop_programs
from deployments.service import BUCKET, bucket_client
from tests.service.runs import children_of, finish, healed, kill_process_of, running_child, tasks_of
from tests.service.test_published import predictions_of

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.xdist_group("service")]

COPIES = 12
IMAGES = 60 * COPIES


@pytest.fixture(scope="module")
def client(service):
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture(scope="module")
def two_workers(service, client):
    """A second worker of the pool `gpu`, and room for two runs in it."""
    first = worker_program(service, client, "gpu")

    def is_known(process):
        return "gpu-2" in {worker.name for worker in client.read_workers_for_work_pool("gpu")}

    command = ["gpu-2" if part == "gpu-1" else part for part in first.command]
    second = replace(first, name="worker-gpu-2", command=command, ready=is_known)
    launch, limit = Launch(service.folder), client.read_work_pool("gpu").concurrency_limit
    launch.start(second)
    launch.wait(second)
    client.update_work_pool("gpu", WorkPoolUpdate(concurrency_limit=2))
    yield
    client.update_work_pool("gpu", WorkPoolUpdate(concurrency_limit=limit))
    stop_programs(service.folder, [second.name])


@pytest.fixture
def start(service, client, small_sample, request):
    """A function that starts predicting a folder of this test with the shipped version; returns the run."""
    bucket, folder = bucket_client(service), f"input/{request.node.name}"
    for path in (small_sample / "galaxies").glob("*_gri.sdss.jpg"):
        content = path.read_bytes()
        for copy in range(COPIES):
            # JPEG ends at its marker: what follows makes each file another one.
            key = f"{folder}/copy{copy}-{path.name}"
            bucket.put_object(Bucket=BUCKET, Key=key, Body=content + str(copy).encode())

    def go(**changes):
        what = {"images": folder, "version": "shipped", "chunk": 10, **changes}
        return run_deployment("predict/batch", parameters={"what": what}, timeout=0)

    return go


def chunks_by(client, run_id):
    """Return how many chunks a run has predicted, and which it has begun."""
    tasks = [task for task in tasks_of(client, run_id) if task.name.startswith("predict-") and "share" not in task.name]
    return Counter(task.state.name for task in tasks if task.state is not None)


def wait_for_chunks(client, run_id, number):
    for _ in range(600):
        if chunks_by(client, run_id)["Completed"] >= number:
            return
        time.sleep(0.1)
    pytest.fail(f"run {run_id} did not predict {number} chunks")


def assert_each_image_once(service, run):
    assert run.state.name == "Completed", run.state.message
    rows = predictions_of(service, run)
    assert len({row["image"] for row in rows}) == len(rows) == IMAGES


def test_one_worker_predicts_alone(service, client, start):
    run = finish(client, start(chunk=100).id)
    assert_each_image_once(service, run)
    assert children_of(client, run.id) == []


def test_two_workers_share_a_folder_and_predict_each_chunk_once(service, client, two_workers, start):
    run = finish(client, start().id)
    assert_each_image_once(service, run)
    [child] = children_of(client, run.id)
    assert child.name == f"predict-share-1 of {run.name}"
    assert child.state.name == "Completed"
    own, shared = chunks_by(client, run.id), chunks_by(client, child.id)
    assert shared["Completed"] > 5
    assert own + shared == Counter({"Completed": IMAGES // 10})


def test_a_killed_child_run_costs_the_chunk_that_it_was_at(service, client, two_workers, start):
    run = start()
    [child] = running_child(client, run.id)
    wait_for_chunks(client, child.id, 2)
    kill_process_of(client, child.id)
    run = finish(client, run.id)
    assert_each_image_once(service, run)
    assert client.read_flow_run(child.id).state.name == "Crashed"
    done = sum((chunks_by(client, one) for one in [run.id, *(c.id for c in children_of(client, run.id))]), Counter())
    assert IMAGES // 10 <= done["Completed"] <= IMAGES // 10 + 1


def test_child_runs_are_cancelled_with_their_parent(client, two_workers, start):
    run = start()
    running_child(client, run.id)
    client.set_flow_run_state(run.id, Cancelling())
    assert finish(client, run.id).state.name == "Cancelled"
    [child] = children_of(client, run.id)
    assert finish(client, child.id).state.name == "Cancelled"


def test_a_killed_parent_goes_on_without_predicting_anything_twice(service, client, two_workers, start):
    run = start()
    [child] = running_child(client, run.id)
    wait_for_chunks(client, child.id, 2)
    kill_process_of(client, run.id)
    assert finish(client, run.id).state.name == "Crashed"
    run = healed(client, run)
    assert_each_image_once(service, run)
    child = client.read_flow_run(child.id)
    again = max(state.timestamp for state in client.read_flow_run_states(run.id) if state.name == "Running")
    # It may be quick enough to predict the rest before its parent is run again.
    assert child.state.name == ("Completed" if child.end_time < again else "Cancelled")
