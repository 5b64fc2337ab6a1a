"""Flow `prune`, deployment `weekly`: clears the store of what nobody needs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from prefect import flow, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.fence import fenced
from flows.settings import in_form
from inclinet.settings import Prune
from tasks.prune import prune_task

__all__ = ["in_flight_since", "prune"]

_OVER = [StateType.COMPLETED, StateType.FAILED, StateType.CANCELLED]
_RETRIED = timedelta(days=7)  # after that, nobody is expected to retry a crashed run


def _run_name() -> str:
    return f"prune-{str(flow_run.id)[:8]}"


def _is_in_flight(run: FlowRun) -> bool:
    state = run.state
    return not (state and state.is_crashed() and state.timestamp < datetime.now(UTC) - _RETRIED)


def in_flight_since() -> float | None:
    """Return when the oldest run began that has not ended (s since 1970), None if there is none.

    A run that crashed within the last week may be retried, and counts, too.
    """
    begun: list[datetime] = []
    not_over = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=_OVER)))
    seen = 0
    with get_client(sync_client=True) as client:
        while page := client.read_flow_runs(flow_run_filter=not_over, offset=seen):
            begun += [run.start_time for run in page if run.start_time and _is_in_flight(run)]
            seen += len(page)
    return min(begun).timestamp() if begun else None


@flow(name="prune", flow_run_name=_run_name, persist_result=False)
def prune(rules: Annotated[Prune, in_form("Rules", "What is kept.")] = Prune()) -> State:
    """Remove old runs, versions and artifacts, and snapshots of finished networks, from the artifact store.

    Kept are the newest runs and versions, the version in use and the one before it, all that these were made from, and
    everything that was made or used lately, or since the oldest run began that has not ended. Images and catalogues are
    never removed.
    """
    with fenced():
        done = prune_task(rules, in_flight_since(), return_state=True)
        done.result()
    return Completed(message=done.message)
