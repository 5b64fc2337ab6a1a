"""Flow `heal`, deployment `crashed`: a crashed run is run again, unless that does not help.

An automation of the service starts it. Child runs are not its business: their parent starts them again.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from prefect import flow, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.events import emit_event
from prefect.states import Completed, Scheduled

from flows.settings import in_form

__all__ = ["GIVEN_UP", "RETRIED", "heal", "why_not"]

RETRIED = "Run again by itself after a crash"
"""Message of the state that runs a run again."""

GIVEN_UP = "inclinet.run.given-up"
"""Event of a crashed run that is not run again by itself."""

_RETRIES = 5
_AT_ONCE = timedelta(minutes=1)


def why_not(states: Sequence[State]) -> str | None:
    """Return why a crashed run is not to be run again, None if it is.

    A run is run again 5 times at most, and not if it crashed within a minute of being run again. When a person retries
    it, the counting starts anew.

    Parameters
    ----------
    states : sequence of State
        All states of the run, oldest first; the last one is the crash.
    """
    starts = [states[n] for n in _starts(states)]
    by_hand = max((n for n, state in enumerate(starts) if state.message != RETRIED), default=-1)
    retries = len(starts) - 1 - by_hand
    if retries >= _RETRIES:
        return f"it crashed {retries + 1} times"
    if retries and (lived := _lived(states)) < _AT_ONCE:
        return f"it crashed again {lived.total_seconds():.0f} s after it was run again"
    return None


def _starts(states: Sequence[State]) -> list[int]:
    """Return where a run was scheduled: not where it was only late, or waited for a place."""
    return [n for n, state in enumerate(states) if state.is_scheduled() and (n == 0 or states[n - 1].is_final())]


def _lived(states: Sequence[State]) -> timedelta:
    """Return for how long the last process of a run executed it; zero if that did not begin."""
    attempt = states[max(_starts(states), default=0) :]
    began = next((state.timestamp for state in attempt if state.type == StateType.RUNNING), None)
    crashed = next((state.timestamp for state in attempt if state.is_crashed()), None)
    return crashed - began if began and crashed else timedelta(0)


@flow(name="heal", flow_run_name="heal-{run}", persist_result=False)
def heal(run: Annotated[UUID, in_form("Run", "Id of a crashed run.")]) -> State:
    """Run a crashed run again: 5 times at most, and not if it crashed within a minute of being run again.

    It takes up its work where it was, because what it made is reused.
    """
    with get_client(sync_client=True) as client:
        crashed = client.read_flow_run(run)
        if crashed.state is None or not crashed.state.is_crashed():
            return Completed(message=f"nothing to do: {crashed.name} is {crashed.state and crashed.state.name}")
        reason = why_not(sorted(client.read_flow_run_states(run), key=lambda state: state.timestamp))
        if reason is None:
            client.set_flow_run_state(run, Scheduled(message=RETRIED), force=True)
            return Completed(message=f"{crashed.name} is run again")
    emit_event(
        GIVEN_UP,
        {"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.name": crashed.name},
        payload={"why": reason, "message": crashed.state.message},
    )
    return Completed(name="Given up", message=f"{crashed.name} is not run again: {reason}. Retry it yourself")
