"""Crashed runs are run again, within bounds."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect import flow, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed, Crashed, Late, Running, Scheduled

from flows.heal import RETRIED, heal, why_not

pytestmark = pytest.mark.xdist_group("tasks")

START = datetime(2026, 11, 25, tzinfo=UTC)


def history(*attempts):
    """Return the states of a run whose processes lived for some seconds each, and how each was scheduled."""
    states, now = [], START
    for how, seconds in attempts:
        for state, lasts in [
            (Scheduled(message=how), 2),
            (Late(message="late"), 2),
            (State(type=StateType.PENDING), 5),
            (Running(), seconds),
            (Crashed(message="killed"), 4),
            (Crashed(message="killed, says the worker"), 10),
        ]:
            states.append(state.model_copy(update={"timestamp": now}))
            now += timedelta(seconds=lasts)
    return states


def test_a_run_that_crashed_at_once_gets_another_chance():
    assert why_not(history((None, 1))) is None


def test_a_run_that_crashes_at_once_again_is_given_up():
    assert why_not(history((None, 300), (RETRIED, 20))) == "it crashed again 20 s after it was run again"
    assert why_not(history((None, 300), (RETRIED, 61))) is None


def test_a_run_is_run_again_five_times_at_most():
    assert why_not(history((None, 300), *[(RETRIED, 300)] * 4)) is None
    assert why_not(history((None, 300), *[(RETRIED, 300)] * 5)) == "it crashed 6 times"


def test_the_counting_starts_anew_when_a_person_retries():
    given_up = history((None, 300), (RETRIED, 20))
    assert why_not(given_up + history(("Retried via CLI", 1))) is None


def test_a_process_that_never_began():
    never = [Scheduled(), Crashed(), Scheduled(message=RETRIED), Crashed()]
    assert why_not(never) == "it crashed again 0 s after it was run again"
    assert why_not(never[:2]) is None


@flow
def nothing():
    """Never called."""


@pytest.fixture
def crashed(prefect_api):
    """A run that crashed."""
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(nothing, state=Scheduled())
        for state in (Running(), Crashed(message="killed")):
            client.set_flow_run_state(run.id, state, force=True)
        yield client, run.id


def test_a_crashed_run_is_scheduled_once(crashed):
    client, run = crashed
    assert "is run again" in heal(run, return_state=True).message
    state = client.read_flow_run(run).state
    assert (state.type, state.message) == (StateType.SCHEDULED, RETRIED)
    assert "nothing to do" in heal(run, return_state=True).message


def test_a_run_that_is_given_up_stays_as_it_is(crashed):
    client, run = crashed
    heal(run)
    for state in (Running(), Crashed(message="again")):
        client.set_flow_run_state(run, state, force=True)
    done = heal(run, return_state=True)
    assert (done.type, done.name) == (StateType.COMPLETED, "Given up")
    assert "it crashed again 0 s after it was run again. Retry it yourself" in done.message
    assert client.read_flow_run(run).state.message == "again"


def test_another_state_is_left_alone(crashed):
    client, run = crashed
    client.set_flow_run_state(run, Completed(), force=True)
    heal(run)
    assert client.read_flow_run(run).state.name == "Completed"
