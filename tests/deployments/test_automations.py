"""Automations are compared by what they do."""

from datetime import timedelta
from itertools import combinations

import pytest

pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from deployments.automations import _content


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
