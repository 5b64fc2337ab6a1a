"""Chunks shared out with child runs on a real Prefect server; the tests play the child runs, and the workers."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import WorkerStatus
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Crashed, Failed, Running, Scheduled

import flows.sharing
from flows.share import share
from flows.sharing import Claims, Sharing, end_children, free_places, order_for
from inclinet.networks import devices
from inclinet.storage.artifacts import DamagedArtifactError, Reference
from tasks.common import DAMAGED

pytestmark = pytest.mark.xdist_group("tasks")

CHUNKS = ["000", "001", "002", "003", "004"]
ALONE = ["000", "001", "002", "004", "003"]  # in this order if a child run, to begin with 003, takes none
GIVEN = {"what": {}, "version": "v", "listing": "artifacts/listing/images-0"}


@pytest.fixture(scope="module")
def client(prefect_api):
    with get_client(sync_client=True) as client:
        yield client


@pytest.fixture
def deployment(client):
    """`predict/share`, which no worker serves."""
    schema = share.parameters.model_dump()
    deployment = client.create_deployment(client.create_flow(share), name="share", parameter_openapi_schema=schema)
    yield
    client.delete_deployment(deployment)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(flows.sharing, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr(flows.sharing, "_LAST_SECONDS", 0.2)


def claim(client, sharing, chunk):
    """Claim a chunk in the name of the only child run; return the run's id."""
    [child] = sharing._running.values()
    client.create_flow_run_input(sharing._claims.parent, sharing._claims._key(chunk), str(child))
    return child


@pytest.fixture
def run(client):
    """A function that runs a parent with child runs.

    `before` is called with the sharing, and `then` with the sharing and each chunk that is predicted. It returns the
    chunks that the parent predicted, those that it was given by a child run, and the last states of all child runs.
    """

    def go(children=1, made=(), before=lambda sharing: None, then=lambda sharing, chunk: None):
        def find(chunk):
            return Reference(f"artifacts/predict/v-{chunk}", "", {}) if chunk in made else None

        @flow
        def parent():
            own, given = [], []
            with Sharing(children, GIVEN) as sharing:
                before(sharing)
                for chunk, reference in sharing.chunks(CHUNKS, find):
                    (own if reference is None else given).append(chunk)
                    then(sharing, chunk)
            return own, given, UUID(str(flow_run.id))

        own, given, run_id = parent()
        children = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run_id]))
        runs = client.read_flow_runs(flow_run_filter=children)
        return own, given, {one.name.partition(" of ")[0]: one.state.name for one in runs}

    return go


def test_without_child_runs_a_run_predicts_all_chunks_in_order(run):
    assert run(children=0) == (CHUNKS, [], {})


def test_child_runs_that_do_not_begin_are_not_waited_for(run, deployment):
    names = {"predict-share-1": "Cancelled", "predict-share-2": "Cancelled"}
    assert run(children=2) == (["000", "001", "003", "002", "004"], [], names)


def test_without_the_deployment_a_run_predicts_all_chunks_itself(run):
    assert run() == (ALONE, [], {})


def test_what_a_child_run_has_made_is_not_predicted_again(run, deployment, client):
    def before(sharing):
        for chunk in ("001", "004"):
            child = claim(client, sharing, chunk)
        client.set_flow_run_state(child, Completed(), force=True)

    own, given, states = run(made=("001", "004"), before=before)
    assert (own, given) == (["000", "002", "003"], ["001", "004"])
    assert states == {"predict-share-1": "Completed"}


def test_a_chunk_under_way_elsewhere_is_waited_for(run, deployment, client):
    made = []

    def before(sharing):
        client.set_flow_run_state(claim(client, sharing, "001"), Running(), force=True)

    def then(sharing, chunk):
        if chunk == "004":
            made.append("001")

    assert run(made=made, before=before, then=then)[:2] == (["000", "002", "004", "003"], ["001"])


@pytest.mark.parametrize("end", [Failed(message="no memory"), Cancelled(), Completed()], ids=lambda end: end.name)
def test_what_a_child_run_leaves_undone_is_predicted_by_the_parent(run, deployment, client, end):
    def before(sharing):
        client.set_flow_run_state(claim(client, sharing, "001"), Running(), force=True)

    def then(sharing, chunk):
        if chunk == "002":
            [child] = sharing._running.values()
            client.set_flow_run_state(child, end, force=True)

    assert run(before=before, then=then) == (["000", "002", "001", "004", "003"], [], {"predict-share-1": end.name})


def test_a_crashed_child_run_is_started_again_while_there_is_enough_to_do(run, deployment, client):
    def before(sharing):
        client.set_flow_run_state(claim(client, sharing, "001"), Crashed(message="killed"), force=True)

    def then(sharing, chunk):
        started.append(next(iter(sharing._running.values()), None))

    started = []
    own, given, _ = run(before=before, then=then)
    assert (own, given) == (ALONE, [])
    assert len(set(started)) == 1
    assert client.read_flow_run(started[0]).state.name == "Cancelled"


def test_a_silent_child_run_is_not_waited_for_without_limit(run, deployment, client, monkeypatch):
    monkeypatch.setattr(flows.sharing, "_PATIENCE_SECONDS", 0.3)

    def before(sharing):
        client.set_flow_run_state(claim(client, sharing, "003"), Running(), force=True)

    own, _, states = run(before=before)
    assert own == ALONE
    assert states["predict-share-1"].startswith("Cancel")


def test_damage_that_a_child_run_meets_is_remade_by_the_parent(run, deployment, client):
    def before(sharing):
        [child] = sharing._running.values()
        client.set_flow_run_state(child, Failed(name=DAMAGED, message="the listing is damaged"), force=True)

    with pytest.raises(DamagedArtifactError, match="the listing is damaged"):
        run(before=before)


def test_child_runs_of_a_process_that_died_are_cancelled(client, deployment):
    @flow
    def parent():
        [child] = Sharing(1, GIVEN).__enter__()._running.values()
        end_children()
        return client.read_flow_run(child).state.name

    assert parent() == "Cancelled"


def test_a_chunk_is_claimed_once(client):
    @flow
    def claimant(parent=None):
        claims = Claims(parent or UUID(str(flow_run.id)), "0")
        return claims.parent, [claims.take(client, "000") for _ in range(2)]  # as when an answer is lost

    run, taken = claimant()
    assert taken == [True, True]
    assert claimant(run)[1] == [False, False]
    Claims(run, "0").give_back(client, "000")
    assert claimant(run)[1] == [True, True]


@pytest.mark.parametrize("places", [1, 2, 3])
def test_runs_begin_with_portions_of_their_own_and_go_on_from_the_ends_of_others(places):
    orders = [order_for(place, places, CHUNKS) for place in range(places)]
    assert all(sorted(order) == CHUNKS for order in orders)
    first = [order[0] for order in orders]
    assert len(set(first)) == places


def test_more_runs_than_chunks_find_them_all():
    assert {tuple(sorted(order_for(place, 7, CHUNKS))) for place in range(7)} == {tuple(CHUNKS)}


def test_the_last_chunk_of_another_run_comes_first():
    assert order_for(0, 2, CHUNKS) == ALONE
    assert order_for(1, 2, CHUNKS) == ["003", "004", "002", "001", "000"]


@pytest.fixture(scope="module")
def pool(client):
    """A work pool with three workers, one of which has been silent."""
    client.create_work_pool(WorkPoolCreate(name="some", type="process"))
    for name, seconds in {"a": 600, "b": 600, "gone": 1}.items():
        client.send_worker_heartbeat("some", name, heartbeat_interval_seconds=seconds)
    for _ in range(600):  # the server looks every 15 s
        if any(one.status == WorkerStatus.OFFLINE for one in client.read_workers_for_work_pool("some")):
            break
        time.sleep(0.1)
    else:
        pytest.fail("the server does not notice that a worker is silent")
    yield
    client.delete_work_pool("some")


@flow
def count():
    return free_places()


@pytest.fixture
def free(client, pool, monkeypatch):
    """A function that returns the free places as a run of the pool sees them."""

    def look(limit=None, others=(), gpus=0):
        monkeypatch.setattr(devices, "gpus", lambda: ["GPU"] * gpus)
        client.update_work_pool("some", WorkPoolUpdate(concurrency_limit=limit))
        here = client.create_flow_run(count, work_pool_name="some", state=Running())
        runs = [client.create_flow_run(count, work_pool_name="some", state=state) for state in others]
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", str(here.id))
        try:
            return free_places()
        finally:
            for one in (here, *runs):
                client.delete_flow_run(one.id)

    return look


def test_a_run_without_a_pool_has_no_places(prefect_api):
    assert count() == 0


@pytest.mark.parametrize(
    ("how", "places"),
    [
        ({}, 1),
        ({"gpus": 4}, 7),
        ({"gpus": 4, "limit": 6}, 5),
        ({"limit": 1}, 0),
        ({"limit": 9}, 1),
        ({"others": [Running()]}, 0),
        ({"others": [Scheduled()]}, 0),
        ({"others": [Scheduled(scheduled_time=datetime.now(UTC) + timedelta(days=1))]}, 1),
        ({"others": [Completed()]}, 1),
    ],
    ids=["alike", "gpus", "gpus-and-limit", "one-place", "limit", "busy", "waiting", "later", "ended"],
)
def test_places_are_those_of_workers_that_are_online(free, how, places):
    assert free(**how) == places
