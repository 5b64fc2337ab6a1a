"""Child runs on other work pools: started all at once, followed, and cancelled with their parent."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect import get_client, get_run_logger
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.runtime import flow_run
from prefect.states import Cancelling

__all__ = ["ChildRunError", "cancel_children", "run_children"]

_POLL_SECONDS = 2


class ChildRunError(Exception):
    """Child runs did not complete; the message names them."""


def _start(deployment: str, name: str, parameters: Mapping[str, Any], tags: list[str]) -> FlowRun:
    """Start a child run, or find the one that an earlier attempt of this parent started.

    The idempotency key counts attempts: a child that ended badly is followed by a new one, never doubled.
    """
    for attempt in range(1, flow_run.run_count + 2):
        child = run_deployment(
            deployment,
            parameters=dict(parameters),
            flow_run_name=name,
            timeout=0,
            idempotency_key=f"{flow_run.id}-{name}-{attempt}",
            tags=tags,
        )
        if not child.state.is_final() or child.state.is_completed():
            break
    return child


def run_children(deployment: str, children: Mapping[str, Mapping[str, Any]], tags: Mapping[str, list[str]]) -> None:
    """Run a deployment once for each of `children` (parameters by name) and wait for all of them.

    `tags` are the tags of each child run, by its name.

    Raises
    ------
    ChildRunError
        When a child did not complete, after all have ended.
    """
    running = {name: _start(deployment, name, parameters, tags[name]).id for name, parameters in children.items()}
    logger = get_run_logger()
    failed = []
    with get_client(sync_client=True) as client:
        while running:
            for name, child in list(running.items()):
                state = client.read_flow_run(child).state
                if state and state.is_final():
                    del running[name]
                    logger.info("%s: %s, %d still running", name, state.name, len(running))
                    if not state.is_completed():
                        failed.append(f"{name} ({state.name}: {state.message})")
            if running:
                time.sleep(_POLL_SECONDS)
    if failed:
        raise ChildRunError(f"{len(failed)} of {len(children)} training runs did not complete: {'; '.join(failed)}")


def cancel_children(flow: Any, flow_run: FlowRun, state: Any) -> None:
    """Cancel the child runs of a run that is being cancelled; a flow hook."""
    ending = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED, StateType.CANCELLING]
    with get_client(sync_client=True) as client:
        children = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[UUID(str(flow_run.id))]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=ending)),
            )
        )
        for child in children:
            client.set_flow_run_state(child.id, Cancelling(message="its parent run was cancelled"))
