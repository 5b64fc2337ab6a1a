"""The store is cleared through Prefect, and knows of the runs that have not ended."""

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from prefect import flow, get_client
from prefect.states import Completed, Crashed, Running, Scheduled

import tasks.prune as module
from flows.prune import _is_in_flight, in_flight_since, prune
from inclinet.registry import prune as library
from inclinet.settings import Prune

pytestmark = pytest.mark.xdist_group("tasks")

DAY = 86_400.0


@flow
def nothing():
    """Never called."""


@pytest.fixture
def old(store, monkeypatch):
    """A store with artifacts that nobody needs, 40 days on."""
    for n in range(3):
        store.write(f"artifacts/prep/g-all-{n}/manifest.json", b"{}" * 1000)
    now = time.time() + 40 * DAY
    monkeypatch.setattr(library, "time", SimpleNamespace(time=lambda: now))
    return store


def test_a_dry_run_removes_nothing(old):
    done = prune(Prune(dry_run=True), return_state=True)
    assert done.is_completed()
    assert done.message.startswith("would be removed: ")
    assert len(list(old.walk("artifacts"))) == 3


def test_a_run_in_flight_protects_what_it_may_have_used(old, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "plan", lambda *how: asked.append(how[2]) or library.plan(*how))
    with get_client(sync_client=True) as client:
        before = time.time()
        run = client.create_flow_run(nothing, state=Scheduled())
        client.set_flow_run_state(run.id, Running(), force=True)
        assert prune(Prune(), return_state=True).is_completed()
        assert len(list(old.walk("artifacts"))) == 3
        assert asked[0] <= before + 60
        client.set_flow_run_state(run.id, Completed(), force=True)


def test_a_crashed_run_counts_for_a_week(prefect_api):
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(nothing, state=Scheduled())
        for state in (Running(), Crashed()):
            client.set_flow_run_state(run.id, state, force=True)
        crashed = client.read_flow_run(run.id)
        assert in_flight_since() <= crashed.start_time.timestamp()
    assert _is_in_flight(crashed)
    crashed.state.timestamp -= timedelta(days=8)
    assert not _is_in_flight(crashed)


def test_a_store_near_its_limit_is_reported(store, monkeypatch):
    events = []
    monkeypatch.setattr(module, "emit_event", lambda name, resource, payload: events.append((name, payload["why"])))
    store.write("artifacts/prep/g-all-0/manifest.json", b"x" * 1_000_000)
    monkeypatch.setenv("INCLINET_STORE_GB", "0.002")
    prune(Prune())
    assert events == []
    monkeypatch.setenv("INCLINET_STORE_GB", "0.001")
    prune(Prune())
    [(name, why)] = events
    assert name == module.STORE_NEARLY_FULL
    assert "INCLINET_STORE_GB" in why
    monkeypatch.setenv("INCLINET_STORE_GB", "much")
    assert "give gigabytes" in prune(Prune(), return_state=True).message
