"""Child runs on other work pools: started together, followed, and cancelled with their parent."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, TypeVar, cast
from uuid import UUID

import httpx
from prefect import get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, WorkPoolStatus
from prefect.deployments import run_deployment
from prefect.runtime import flow_run
from prefect.states import Cancelled, Cancelling

from inclinet.storage.artifacts import DamagedArtifactError
from tasks.common import DAMAGED

__all__ = [
    "RESTARTS",
    "ChildRunError",
    "cancel_children",
    "cancel_unfinished",
    "run_children",
    "start_child",
    "unfinished_children",
]

T = TypeVar("T")

_POLL_SECONDS = 1
_NO_WORKER_SECONDS = 3600.0  # then a run that waits for a pool without a worker gives up
_LOOK_SECONDS = 30.0  # between two looks at a pool
_ATTEMPTS, _RETRY_SECONDS = 20, 3  # to start a child while the server is away
_ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]

RESTARTS = 3
"""How often a child run whose process died is followed by another one."""


class ChildRunError(Exception):
    """Child runs did not complete; the message names them."""


def start_child(deployment: str, name: str, parameters: Mapping[str, Any], tags: list[str], round_of: str = "") -> UUID:
    """Start a child run; return its id, or that of the child which an earlier attempt of this parent left running.

    The idempotency key counts attempts. So a child that is still running is never doubled, and one that has ended is
    followed by a new one, which reuses what it made. Children of another round of the parent's work (`round_of` names
    it) are left out of account.
    """

    def start(attempt: int) -> FlowRun:
        child = run_deployment(
            deployment,
            parameters=dict(parameters),
            flow_run_name=f"{name} of {flow_run.name}",
            timeout=0,
            idempotency_key=f"{flow_run.id}-{round_of}{name}-{attempt}",
            tags=tags,
        )
        return cast(FlowRun, child)

    attempts = (_call_patiently(partial(start, attempt)) for attempt in count())
    return next(child.id for child in attempts if not child.state.is_final())


def _call_patiently(call: Callable[[], T]) -> T:
    """Call until the server answers: Prefect's client does not retry while it connects for the first time."""
    for _ in range(_ATTEMPTS - 1):
        with suppress(httpx.TransportError):
            return call()
        time.sleep(_RETRY_SECONDS)
    return call()


def run_children(
    deployment: str,
    children: Mapping[str, Mapping[str, Any]],
    tags: Mapping[str, list[str]],
    watch: Callable[[Collection[str]], None] = lambda running: None,
) -> None:
    """Run a deployment once for each of `children` (parameters by name) and wait for all of them.

    A child whose process died is followed by another one, 3 times at most, which resumes from its snapshots.

    Parameters
    ----------
    deployment : str
        Name of flow and deployment, such as ``train/gpu``.
    children : mapping of str to mapping
        Parameters of each child run, by what it is called; its name also names this run.
    tags : mapping of str to list of str
        Tags of each child run.
    watch : callable
        Called about every second with those that have not ended.

    Raises
    ------
    DamagedArtifactError
        When a child was given a damaged artifact; raised after all children have ended.
    ChildRunError
        When a child did not complete for another reason; raised after all children have ended.
    """
    failed = _follow(children, lambda name: start_child(deployment, name, children[name], tags[name]), watch)
    if damaged := {str(state.message) for state in failed.values() if state.name == DAMAGED}:
        raise DamagedArtifactError("; ".join(sorted(damaged)))
    if failed:
        reasons = "; ".join(f"{name} ({state.name}: {state.message})" for name, state in failed.items())
        raise ChildRunError(f"{len(failed)} of {len(children)} child runs of {deployment} did not complete: {reasons}")


def _follow(
    names: Mapping[str, Any], start: Callable[[str], UUID], watch: Callable[[Collection[str]], None]
) -> dict[str, State]:
    """Start all children and wait for them; return the final states of those that did not complete, by name."""
    logger = get_run_logger()
    workers = _Workers()
    running = {name: start(name) for name in names}
    crashes: Counter[str] = Counter()
    failed: dict[str, State] = {}
    with get_client(sync_client=True) as client:
        while running:
            waiting = []
            for name, child in list(running.items()):
                run = client.read_flow_run(child)
                state = run.state
                if state is None or not state.is_final():
                    waiting += [run] if state and state.is_scheduled() else []
                    continue
                if state.is_crashed() and crashes[name] < RESTARTS:
                    crashes[name] += 1
                    logger.warning("%s crashed (%s); starting it again", name, state.message)
                    running[name] = start(name)
                    continue
                del running[name]
                logger.info("%s: %s, %d still running", name, state.name, len(running))
                if not state.is_completed():
                    failed[name] = state
            workers.check(client, waiting)
            watch(running)
            if running:
                time.sleep(_POLL_SECONDS)
    return failed


class _Workers:
    """The workers of the pool in which child runs wait."""

    def __init__(self) -> None:
        self.seen = self.looked = time.monotonic()

    def check(self, client: SyncPrefectClient, waiting: Sequence[FlowRun]) -> None:
        """Check that there has been a worker for runs that wait; otherwise cancel them.

        Raises
        ------
        ChildRunError
            When their pool has had no worker for an hour.
        """
        now = time.monotonic()
        pool = waiting[0].work_pool_name if waiting else None
        if pool is None:
            self.seen = now
            return
        if now - self.looked < _LOOK_SECONDS:
            return
        self.looked = now
        if client.read_work_pool(pool).status != WorkPoolStatus.NOT_READY:
            self.seen = now
        elif now - self.seen > _NO_WORKER_SECONDS:
            for run in waiting:
                client.set_flow_run_state(run.id, Cancelled(message=f"no worker serves the pool {pool}"), force=True)
            raise ChildRunError(
                f"{len(waiting)} child runs waited for {(now - self.seen) / 60:.0f} min, and no worker serves the pool "
                f"{pool}: start one (`prefect worker start --pool {pool}`), and retry this run"
            )


def unfinished_children(client: SyncPrefectClient, parent: UUID) -> list[FlowRun]:
    """Return the child runs of a run that have not ended."""
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(
            parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=_ENDED)),
        )
    )


def cancel_children(flow: Any, flow_run: FlowRun, state: Any) -> None:
    """Cancel the child runs of a run that is being cancelled; a hook of flows."""
    with get_client(sync_client=True) as client:
        cancel_unfinished(client, UUID(str(flow_run.id)), "its parent run was cancelled")


def cancel_unfinished(client: SyncPrefectClient, parent: UUID, reason: str) -> None:
    """Cancel the child runs of a run that have not ended."""
    for child in unfinished_children(client, parent):
        if child.state is None or child.state.type != StateType.CANCELLING:
            client.set_flow_run_state(child.id, Cancelling(message=reason))
