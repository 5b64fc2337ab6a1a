"""Automations: what they watch, and what of them a person keeps."""

from datetime import timedelta
from itertools import combinations
from types import SimpleNamespace
from uuid import uuid4

import pytest
import yaml

pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect import flow, get_client
from prefect.client.schemas.actions import DeploymentUpdate, VariableUpdate
from prefect.events.schemas.automations import AutomationCore, CompoundTrigger, EventTrigger, Posture

from deployments.automations import _CHILDREN, _frequencies, _silent_runs, _values, apply_automations
from tests.conftest import ROOT
from tests.deployments.test_deployments import name_of
from tests.tasks.conftest import prefect_api  # noqa: F401

SILENT = "inclinet: mark silent runs as crashed"


def automation(expect):
    trigger = EventTrigger(expect=expect, posture=Posture.Reactive, threshold=1, within=timedelta(seconds=0))
    return AutomationCore(name="a", trigger=trigger, actions=[])


def test_the_order_of_a_set_is_no_difference():
    """Else an automation would be updated at every `make up`, and forget the runs that it watches."""
    names = [f"event.{n}" for n in range(100)]
    # Strings that fall into the same place of a set come out in the order in which they went in.
    one, two = next((a, b) for a, b in combinations(names, 2) if list({a, b}) != list({b, a}))
    assert _values(automation({one, two})) == _values(automation({two, one}))
    assert _values(automation({one})) != _values(automation({two}))


def deployed(frequency=None):
    environment = {} if frequency is None else {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": frequency}
    return SimpleNamespace(id=uuid4(), job_variables={"env": environment})


def test_only_runs_are_watched_that_are_known_to_give_a_sign_of_life():
    deployments = {"inclinet/full": deployed("30"), "somebody/else": deployed(), "slow/one": deployed("180")}
    assert _frequencies(deployments) == {"inclinet/full": 30, "slow/one": 180}


def test_silence_follows_from_what_the_runs_send():
    one = deployed("60")
    silent = _silent_runs([one], 60)
    assert silent.trigger.within == timedelta(minutes=6)
    assert silent.trigger.match_related["prefect.resource.id"] == [f"prefect.deployment.{one.id}"]


def test_every_deployment_of_the_project_carries_the_settings_of_its_runs():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    for deployment in deployments:
        environment = deployment["work_pool"]["job_variables"]["env"]
        assert environment["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"
        # Longer than any wait of a run for the server: 2, 4, … 64 s.
        assert environment["PREFECT_CLIENT_MAX_RETRIES"] == "6"
        assert sum(2**n for n in range(1, 7)) < 6 * 30
        assert "500" in environment["PREFECT_CLIENT_RETRY_EXTRA_CODES"].split(",")


def test_child_runs_are_left_to_their_parents():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert {name_of(one) for one in deployments} >= set(_CHILDREN)


@flow(name="watched")
def watched():
    """Never called."""


@pytest.fixture
def client(prefect_api):  # noqa: F811
    """A client of a server with one deployment whose runs give a sign of life every 30 s, and its automation."""
    with get_client(sync_client=True) as client:
        client.create_deployment(client.create_flow(watched), name="watched", job_variables=environment("30"))
        apply_automations(client)
        yield client
        client.delete_automation(found(client).id)
        client.delete_deployment(client.read_deployment_by_name("watched/watched").id)


def environment(frequency):
    return {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": frequency}}


def found(client):
    [one] = client.read_automations_by_name(SILENT)
    return one


def set_frequency(client, frequency):
    deployment = client.read_deployment_by_name("watched/watched")
    client.update_deployment(deployment.id, DeploymentUpdate(job_variables=environment(frequency)))


@pytest.mark.service
@pytest.mark.xdist_group("tasks")
class TestServer:
    """Automations on a real server."""

    def test_what_has_not_changed_is_left_alone(self, client):
        before = found(client)
        assert apply_automations(client) == []
        assert found(client) == before

    def test_what_the_project_changes_is_changed(self, client):
        set_frequency(client, "60")
        [line] = apply_automations(client)
        assert line == f"{SILENT}: changed actions, description, trigger within 180.0 → 360.0"
        assert found(client).trigger.within == timedelta(minutes=6)

    def test_what_a_person_has_set_stays(self, client):
        client.pause_automation(found(client).id)
        assert apply_automations(client) == [f"{SILENT}: kept as set on the server: enabled"]
        assert not found(client).enabled
        # As the UI does it.
        own = found(client)
        own.trigger.within = timedelta(minutes=20)
        content = own.model_dump(exclude={"id", "owner_resource"})
        client.update_automation(own.id, AutomationCore.model_validate(content))
        set_frequency(client, "60")
        [line] = apply_automations(client)
        kept = "kept as set on the server: enabled, trigger within"
        assert line == f"{SILENT}: changed actions, description; {kept}"
        kept = found(client)
        assert (kept.enabled, kept.trigger.within) == (False, timedelta(minutes=20))
        assert "silent for 360 s" in kept.description
        assert kept.actions[0].message.startswith("Silent for 360 s")

    def test_a_trigger_of_another_kind_stays_whole(self, client):
        own = found(client)
        both = CompoundTrigger(require="any", within=timedelta(minutes=3), triggers=[own.trigger])
        client.update_automation(own.id, AutomationCore(name=SILENT, trigger=both, actions=own.actions))
        set_frequency(client, "60")
        apply_automations(client)
        assert found(client).trigger.type == "compound"
        assert found(client).actions[0].message.startswith("Silent for 360 s")

    def test_of_one_without_a_record_only_what_is_disabled_is_a_persons(self, client):
        client.pause_automation(found(client).id)
        record = client.read_variable_by_name("inclinet_deployed").value
        del record[SILENT]
        client.update_variable(VariableUpdate(name="inclinet_deployed", value=record))
        set_frequency(client, "60")
        apply_automations(client)
        assert not found(client).enabled
        assert found(client).trigger.within == timedelta(minutes=6)
