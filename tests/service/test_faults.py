"""Whatever is killed, a run continues or can be retried, and ends with the digests of an undisturbed one."""

import time
from contextlib import contextmanager

import pytest
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolUpdate

from deployments.processes import find
from deployments.service import BUCKET, POOLS, bucket_client, status, up
from tests.service.faulty_store import faulty
from tests.service.runs import (
    artifacts_of,
    children_of,
    digests_of,
    finish,
    forget,
    healed,
    keys,
    kill_process_of,
    made_by,
    run_full,
    running_child,
    start_full,
    tasks_of,
)

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.xdist_group("service")]

# A size of its own, so that nothing is reused; long enough to be disturbed.
SETTINGS = {
    "size": 27,
    "split": {"niter": 0},
    "train": {"N_batch_iter": 6, "training_batch_size": 2},
}


@pytest.fixture(scope="module")
def sample(put, small_sample):
    return put(small_sample, "faults")


@pytest.fixture(scope="module")
def bucket(service):
    return bucket_client(service)


@pytest.fixture(scope="module")
def api(service):
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture(scope="module")
def undisturbed(service, sample, bucket, api):
    """The digests of a run that nothing happened to."""
    run, *_ = run_full(api, sample=sample, **SETTINGS)
    expected = digests_of(bucket, run)
    assert_same(bucket, run, expected)
    return expected


@pytest.fixture
def fresh(service, bucket, undisturbed):
    """Nothing that was made before is left."""
    forget(bucket, service)


def start(sample):
    return start_full(sample=sample, **SETTINGS)


def kill(service, name):
    process = find(service.folder, name)
    process.kill()
    process.wait(10)


def wait_for_task(client, run, prefix, seconds=120):
    """Wait until a task of the run has begun."""
    for _ in range(seconds * 5):
        if any(task.name.startswith(prefix) for task in tasks_of(client, run.id)):
            return
        time.sleep(0.2)
    pytest.fail(f"no task {prefix} began")


def wait_for_state(client, run_id, name, seconds):
    for _ in range(seconds):
        if (state := client.read_flow_run(run_id).state).name == name:
            return
        time.sleep(1)
    pytest.fail(f"still {state!r}")


def assert_same(bucket, run, expected):
    assert run.state.name == "Completed", run.state.message
    print(f"\n{(run.end_time - run.created).total_seconds():.0f} s from the start of the run to its end")
    assert digests_of(bucket, run) == expected


def test_the_store_is_away_for_20_seconds(service, sample, bucket, api, undisturbed, fresh):
    run = start(sample)
    wait_for_task(api, run, "augment")
    kill(service, "object-store")
    time.sleep(20)
    up(service.folder, service.project)
    assert_same(bucket, finish(api, run.id), undisturbed)


@contextmanager
def environment_of_runs(client, **environment):
    """Give all runs of both pools other environment variables."""
    templates = {name: client.read_work_pool(name).base_job_template for name in POOLS}
    for name, template in templates.items():
        variables = template["variables"]
        env = variables["properties"]["env"] | {"default": environment}
        properties = variables["properties"] | {"env": env}
        changed = template | {"variables": variables | {"properties": properties}}
        client.update_work_pool(name, WorkPoolUpdate(base_job_template=changed))
    yield
    for name, template in templates.items():
        client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))


def test_a_tenth_of_the_requests_to_the_store_fails(service, sample, bucket, api, undisturbed, fresh):
    with faulty(service.store_port, 0.1) as proxy:
        address = f"http://127.0.0.1:{proxy.server_port}"
        with environment_of_runs(api, AWS_ENDPOINT_URL=address):
            run = finish(api, start(sample).id)
    assert_same(bucket, run, undisturbed)
    assert proxy.refused > 0.05 * proxy.forwarded > 5


@pytest.mark.parametrize("stage", ["prep", "augment"])
def test_the_process_of_a_run_is_killed(sample, bucket, api, undisturbed, fresh, stage):
    run = start(sample)
    wait_for_task(api, run, stage)
    kill_process_of(api, run.id)
    assert finish(api, run.id).state.name == "Crashed"
    assert_same(bucket, healed(api, run), undisturbed)


def test_a_killed_training_process_is_followed_by_another(sample, bucket, api, undisturbed, fresh):
    run = start(sample)
    [child] = running_child(api, run.id)
    for _ in range(600):
        if any(key.endswith(".npz") for key in keys(bucket, "artifacts/snapshots/")):
            break
        time.sleep(0.1)
    kill_process_of(api, child.id)
    assert_same(bucket, finish(api, run.id), undisturbed)
    states = sorted(child.state.name for child in children_of(api, run.id))
    assert states == ["Completed", "Crashed"]


def test_the_worker_of_the_run_is_killed(service, sample, bucket, api, undisturbed, fresh):
    """The run dies with it."""
    run = start(sample)
    wait_for_task(api, run, "prep")
    kill(service, "worker-cpu")
    assert finish(api, run.id).state.name == "Crashed"
    up(service.folder, service.project)
    assert_same(bucket, healed(api, run), undisturbed)


def test_the_worker_of_the_training_is_killed(service, sample, bucket, api, undisturbed, fresh):
    """The parent run continues with another training run."""
    run = start(sample)
    running_child(api, run.id)
    kill(service, "worker-gpu")
    up(service.folder, service.project)
    assert_same(bucket, finish(api, run.id), undisturbed)


def test_the_server_is_killed(service, sample, bucket, api, undisturbed, fresh):
    run = start(sample)
    running_child(api, run.id)
    kill(service, "prefect-server")
    time.sleep(10)
    up(service.folder, service.project)
    assert_same(bucket, finish(api, run.id), undisturbed)


def kill_with_all_below(processes):
    for process in processes:
        for below in process.children(recursive=True):
            below.kill()
        process.kill()
    time.sleep(2)


def test_everything_is_killed_at_once(service, sample, bucket, api, undisturbed, fresh):
    run = start(sample)
    [child] = running_child(api, run.id)
    kill_with_all_below(status(service.folder).values())
    assert not any(status(service.folder).values())
    up(service.folder, service.project)
    assert {api.read_flow_run(one).state.name for one in (run.id, child.id)} == {"Crashed"}
    assert_same(bucket, healed(api, run), undisturbed)


def test_silent_runs_are_marked_as_crashed(service, sample, bucket, api, undisturbed, fresh):
    """Worker and run are killed at once, so nobody tells the server; it notices by itself."""
    run = start(sample)
    [child] = running_child(api, run.id)
    kill_with_all_below(find(service.folder, f"worker-{pool}") for pool in POOLS)
    assert {api.read_flow_run(one).state.name for one in (run.id, child.id)} == {"Running"}
    for one in (run.id, child.id):
        wait_for_state(api, one, "Crashed", 360)
    up(service.folder, service.project)
    assert_same(bucket, healed(api, run), undisturbed)


def test_two_runs_at_once(sample, bucket, api, undisturbed, fresh):
    """With the same settings, and with others."""
    others = SETTINGS | {"augment": {"nbatch": 2, "batchsize": 3, "seed": 5}}
    runs = [start(sample), start(sample), start_full(sample=sample, **others)]
    runs = [finish(api, run.id, 600) for run in runs]
    assert_same(bucket, runs[0], undisturbed)
    assert_same(bucket, runs[1], undisturbed)
    assert runs[2].state.name == "Completed", runs[2].state.message
    assert digests_of(bucket, runs[2]) != undisturbed


def test_damaged_objects_are_remade(service, sample, bucket, api, undisturbed, fresh):
    first, *_ = run_full(api, sample=sample, **SETTINGS)
    rows = {f"{row['stage']}-{row['name']}": row["key"] for row in artifacts_of(bucket, first)}

    def objects(name):
        return [key for key in keys(bucket, rows[name] + "/") if not key.endswith("manifest.json")]

    def content(key):
        return bucket.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    forget(bucket, service, rows["network-residual-0"])
    forget(bucket, service, "artifacts/snapshots/")
    [batch] = objects("augment-0-02")
    flipped = bytearray(content(batch))
    flipped[len(flipped) // 2] ^= 1
    bucket.put_object(Bucket=BUCKET, Key=batch, Body=bytes(flipped))
    [packed] = objects("compress-r")
    bucket.put_object(Bucket=BUCKET, Key=packed, Body=content(packed)[:1000])
    bucket.delete_object(Bucket=BUCKET, Key=objects("split-i")[0])

    run, *_ = run_full(api, sample=sample, **SETTINGS)
    assert_same(bucket, run, undisturbed)
    assert made_by(bucket, run) == {"compress-r", "split-i", "augment-0-02", "network-residual-0"}
