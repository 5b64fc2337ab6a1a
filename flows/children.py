"""Child runs on other work pools: started all at once, followed, and cancelled with their parent."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any
from uuid import UUID

import httpx
from prefect import get_client, get_run_logger
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.deployments import run_deployment
from prefect.runtime import flow_run
from prefect.states import Cancelling

from inclinet.storage.artifacts import DamagedArtifactError
from tasks.common import DAMAGED

__all__ = ["ChildRunError", "cancel_children", "run_children"]

_POLL_SECONDS = 2
_RESTARTS = 3
_ATTEMPTS, _RETRY_SECONDS = 20, 3  # to start a child while the server is away


class ChildRunError(Exception):
    """Child runs did not complete; the message names them."""


def _start(deployment: str, name: str, parameters: Mapping[str, Any], tags: list[str]) -> FlowRun:
    """Start a child run, or find the one that an earlier attempt of this parent started and that still runs.

    The idempotency key counts attempts: a child that ended is followed by a new one, which finds what is there, never
    doubled.
    """
    for attempt in count():
        start = partial(
            run_deployment,
            deployment,
            parameters=dict(parameters),
            flow_run_name=name,
            timeout=0,
            idempotency_key=f"{flow_run.id}-{name}-{attempt}",
            tags=tags,
        )
        child = _patiently(start)
        if not child.state.is_final():
            return child


def _patiently(call: Callable[[], FlowRun]) -> FlowRun:
    """Call until the server answers: a new client does not try again by itself."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(httpx.TransportError):
            return call()
        time.sleep(_RETRY_SECONDS)
    return call()


def run_children(deployment: str, children: Mapping[str, Mapping[str, Any]], tags: Mapping[str, list[str]]) -> None:
    """Run a deployment once for each of `children` (parameters by name) and wait for all of them.

    `tags` are the tags of each child run, by its name. A child whose process died is followed by another one, which
    goes on from its snapshots.

    Raises
    ------
    DamagedArtifactError
        When a child found what it was given damaged, after all have ended.
    ChildRunError
        When a child did not complete for another reason, after all have ended.
    """

    def start(name: str) -> UUID:
        return _start(deployment, name, children[name], tags[name]).id

    running = {name: start(name) for name in children}
    logger = get_run_logger()
    crashes: Counter[str] = Counter()
    failed: dict[str, State] = {}
    with get_client(sync_client=True) as client:
        while running:
            for name, child in list(running.items()):
                state = client.read_flow_run(child).state
                if state is None or not state.is_final():
                    continue
                if state.is_crashed() and crashes[name] < _RESTARTS:
                    crashes[name] += 1
                    logger.warning("%s crashed (%s); started again", name, state.message)
                    running[name] = start(name)
                    continue
                del running[name]
                logger.info("%s: %s, %d still running", name, state.name, len(running))
                if not state.is_completed():
                    failed[name] = state
            if running:
                time.sleep(_POLL_SECONDS)
    if damaged := [state.message for state in failed.values() if state.name == DAMAGED]:
        raise DamagedArtifactError("; ".join(sorted(set(damaged))))
    if failed:
        reasons = "; ".join(f"{name} ({state.name}: {state.message})" for name, state in failed.items())
        raise ChildRunError(f"{len(failed)} of {len(children)} training runs did not complete: {reasons}")


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
