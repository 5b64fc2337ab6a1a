"""Automations: what they watch, and that they are compared by what they do."""

from datetime import timedelta
from itertools import combinations
from types import SimpleNamespace
from uuid import uuid4

import pytest
import yaml

pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from deployments.automations import _CHILDREN, _content, _frequencies, _silent_runs
from tests.conftest import ROOT


def automation(expect):
    trigger = EventTrigger(expect=expect, posture=Posture.Reactive, threshold=1, within=timedelta(seconds=0))
    return AutomationCore(name="a", trigger=trigger, actions=[])


def test_the_order_of_a_set_is_no_difference():
    """Else an automation would be updated at every `make up`, and forget the runs that it watches."""
    names = [f"event.{n}" for n in range(100)]
    # Strings that fall into the same place of a set come out in the order in which they went in.
    one, two = next((a, b) for a, b in combinations(names, 2) if list({a, b}) != list({b, a}))
    assert _content(automation({one, two})) == _content(automation({two, one}))
    assert _content(automation({one})) != _content(automation({two}))


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
    names = {f"{one['entrypoint'].partition(':')[2]}/{one['name']}" for one in deployments}
    assert names >= set(_CHILDREN)
