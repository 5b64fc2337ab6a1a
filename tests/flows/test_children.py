"""Child runs on a real Prefect server; the tests play the worker, which ends the runs."""

import threading
import time
from contextvars import copy_context

import pytest
from prefect import flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
)
from prefect.states import Completed, Crashed, Failed, Running

import flows.children
from flows.children import ChildRunError, cancel_children, run_children, start_child
from inclinet.storage.artifacts import DamagedArtifactError
from tasks.common import DAMAGED

pytestmark = pytest.mark.xdist_group("tasks")

NAMES = ("train-a", "train-b")


@flow(name="child")
def child(number: int):
    """Never called: nobody serves its deployment."""


@pytest.fixture(scope="module")
def deployment(prefect_api):
    """A deployment that no worker serves."""
    with get_client(sync_client=True) as client:
        client.create_deployment(
            client.create_flow(child), name="nowhere", parameter_openapi_schema=child.parameters.model_dump()
        )
    return "child/nowhere"


@pytest.fixture
def run(deployment, monkeypatch):
    """A function that runs children which end in the given states, by name, one state after another.

    It returns how many runs of each name there were.
    """
    monkeypatch.setattr(flows.children, "_POLL_SECONDS", 0.05)

    def go(**ends):
        ends = {name.replace("_", "-"): list(states) for name, states in ends.items()}
        over = threading.Event()

        def work(parent):
            children = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent]))
            with get_client(sync_client=True) as client:
                while not over.wait(0.05):
                    for one in client.read_flow_runs(flow_run_filter=children):
                        if not one.state.is_final():
                            client.set_flow_run_state(one.id, ends[one.name.partition(" of ")[0]].pop(0), force=True)

        @flow
        def parent():
            from prefect.runtime import flow_run

            # The context names the server.
            worker = threading.Thread(target=copy_context().run, args=[work, flow_run.id])
            worker.start()
            try:
                run_children(
                    deployment,
                    {name: {"number": number} for number, name in enumerate(ends)},
                    {name: ["train"] for name in ends},
                )
            finally:
                over.set()
                worker.join()

        counts = {name: len(states) for name, states in ends.items()}
        parent()
        return {name: counts[name] - len(states) for name, states in ends.items()}

    return go


def test_all_children_are_run(run):
    assert run(train_a=[Completed()], train_b=[Completed()]) == {"train-a": 1, "train-b": 1}


def test_a_crashed_child_is_followed_by_another(run):
    assert run(train_a=[Crashed(message="killed"), Completed()], train_b=[Completed()]) == {"train-a": 2, "train-b": 1}


def test_a_child_that_crashes_four_times_is_given_up(run):
    with pytest.raises(ChildRunError, match=r"1 of 1 child runs of child/nowhere did not complete: train-a \(Crashed"):
        run(train_a=[Crashed(message="killed")] * 4)


def test_a_failed_child_is_named_when_all_have_ended(run):
    with pytest.raises(ChildRunError, match=r"1 of 2 .*: train-a \(Failed: no memory\)"):
        run(train_a=[Failed(message="no memory")], train_b=[Running(), Completed()])


def test_a_child_that_was_given_damaged_artifacts_says_so(run):
    with pytest.raises(DamagedArtifactError, match="batch 2 is damaged"):
        run(train_a=[Failed(name=DAMAGED, message="batch 2 is damaged")], train_b=[Failed(message="no memory")])


def test_a_running_child_is_not_started_again_by_a_retry(deployment):
    @flow
    def parent():
        return [start_child(deployment, "train-a", {"number": 1}, []) for _ in range(2)]

    first, second = parent()
    assert first == second


def test_children_are_cancelled_with_their_parent(deployment):
    @flow
    def parent():
        from prefect.runtime import flow_run

        return flow_run.id, start_child(deployment, "train-a", {"number": 1}, [])

    parent_id, child_id = parent()
    with get_client(sync_client=True) as client:
        cancel_children(None, client.read_flow_run(parent_id), None)
        for _ in range(100):
            state = client.read_flow_run(child_id).state
            if state.name.startswith("Cancel"):
                break
            time.sleep(0.05)
    assert state.name.startswith("Cancel")


@pytest.fixture
def waiting(prefect_api, monkeypatch):
    """A function that runs a child in a pool of its own, with the last heartbeat of its only worker."""
    monkeypatch.setattr(flows.children, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr(flows.children, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(flows.children, "_NO_WORKER_SECONDS", 2)

    @flow
    def parent():
        run_children("child/idle", {"train-a": {"number": 1}}, {"train-a": ["train"]})

    with get_client(sync_client=True) as client:
        pool = client.create_work_pool(WorkPoolCreate(name="idle", type="process"))
        client.create_deployment(
            client.create_flow(child),
            name="idle",
            work_pool_name=pool.name,
            parameter_openapi_schema=child.parameters.model_dump(),
        )
        yield parent, client
        client.delete_work_pool("idle")


def test_a_pool_without_a_worker_is_not_waited_for_without_limit(waiting):
    parent, client = waiting
    with pytest.raises(ChildRunError, match="no worker serves the pool idle: start one"):
        parent()
    [left] = client.read_flow_runs(deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=["idle"])))
    assert (left.state.name, left.state.message) == ("Cancelled", "no worker serves the pool idle")


def test_a_pool_with_a_worker_is_waited_for(waiting):
    parent, client = waiting
    client.send_worker_heartbeat("idle", "busy", heartbeat_interval_seconds=30)

    def work():
        time.sleep(4)
        with get_client(sync_client=True) as client:
            only = DeploymentFilter(name=DeploymentFilterName(any_=["idle"]))
            for one in client.read_flow_runs(deployment_filter=only):
                if not one.state.is_final():
                    client.set_flow_run_state(one.id, Completed(), force=True)

    worker = threading.Thread(target=copy_context().run, args=[work])
    worker.start()
    parent()
    worker.join()
