"""Child runs on a real Prefect server; the tests play the worker, which ends the runs."""

import threading
import time
from contextvars import copy_context

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.states import Completed, Crashed, Failed, Running

import flows.children
from flows.children import ChildRunError, cancel_children, run_children
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
                            client.set_flow_run_state(one.id, ends[one.name].pop(0), force=True)

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
        return [flows.children._start(deployment, "train-a", {"number": 1}, []) for _ in range(2)]

    first, second = parent()
    assert first == second


def test_children_are_cancelled_with_their_parent(deployment):
    @flow
    def parent():
        from prefect.runtime import flow_run

        return flow_run.id, flows.children._start(deployment, "train-a", {"number": 1}, [])

    parent_id, child_id = parent()
    with get_client(sync_client=True) as client:
        cancel_children(None, client.read_flow_run(parent_id), None)
        for _ in range(100):
            state = client.read_flow_run(child_id).state
            if state.name.startswith("Cancel"):
                break
            time.sleep(0.05)
    assert state.name.startswith("Cancel")
