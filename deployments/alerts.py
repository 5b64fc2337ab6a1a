"""Alerts: what the Prefect server tells people, and to whom.

They go to every notification block (Slack, webhook, mail …) whose name begins with `inclinet-alerts`.
`python -m deployments.automations --alerts URL` saves such a block and applies the alerts. Blocks can also be made in
the Prefect UI; then `make up` applies the alerts.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from prefect.blocks.notifications import (
    AppriseNotificationBlock,
    CustomWebhookNotificationBlock,
    SlackWebhook,
)
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from pydantic import SecretStr

from deployments.settings import POOLS
from flows.disks import NEARLY_FULL
from flows.heal import GIVEN_UP
from inclinet.errors import InclinetError
from tasks.drift import DRIFTED
from tasks.prune import STORE_NEARLY_FULL

__all__ = ["RECEIVER", "alerts", "receivers", "save_receiver"]

RECEIVER = "inclinet-alerts"
"""What the names of the notification blocks begin with that receive the alerts."""

_RUN = "{{ flow_run.name }} is {{ flow_run.state.name }}: {{ flow_run.state.message }}\n{{ flow_run|ui_url }}"
_POOL = "no worker serves the pool {{ work_pool.name }}; its runs wait\n{{ work_pool|ui_url }}"
_WHY = "{{ event.payload.why }}"
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


class _Alert(NamedTuple):
    """What is told: after which events, of which resources, and how often at most of the same one."""

    name: str
    subject: str
    body: str
    events: set[str]
    every: timedelta
    resources: dict[str, str | list[str]]


_ALERTS = (
    _Alert(
        "failed runs",
        "a run ended badly",
        _RUN,
        {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
        _MINUTE,
        {"prefect.resource.id": "prefect.flow-run.*"},
    ),
    _Alert(
        "late runs",
        "a run is late",
        _RUN,
        {"prefect.flow-run.Late"},
        _DAY,
        {"prefect.resource.id": "prefect.flow-run.*"},
    ),
    _Alert(
        "runs given up",
        "a crashed run is not run again",
        "{{ event.resource.name }} is left to you: {{ event.payload.why }}",
        {GIVEN_UP},
        _MINUTE,
        {},
    ),
    _Alert(
        "idle pools",
        "a pool without a worker",
        _POOL,
        {"prefect.work-pool.not-ready"},
        _MINUTE,
        {"prefect.resource.id": "prefect.work-pool.*", "prefect.resource.name": list(POOLS)},
    ),
    _Alert("full disks", "nearly full", _WHY, {NEARLY_FULL, STORE_NEARLY_FULL}, _DAY, {}),
    _Alert("drift", "predictions have drifted", _WHY, {DRIFTED}, _DAY, {}),
)


def receivers(client: SyncPrefectClient) -> list[UUID]:
    """Return the ids of the notification blocks that receive the alerts, in order of their names."""
    wanted = {"block_schemas": {"block_capabilities": {"all_": ["notify"]}}}
    blocks = client.request("POST", "/block_documents/filter", json=wanted).json()
    ids = {block["name"]: UUID(block["id"]) for block in blocks if str(block["name"]).startswith(RECEIVER)}
    return [ids[name] for name in sorted(ids)]


def alerts(to: Iterable[UUID], parents: ResourceSpecification) -> list[AutomationCore]:
    """Return the automations that send alerts.

    Parameters
    ----------
    to : iterable of UUID
        Ids of notification blocks; without one, there are no alerts.
    parents : ResourceSpecification
        What the events of runs are related to that people start or that are scheduled. The runs that these start are
        their business.
    """
    to = list(to)

    def automation(alert: _Alert) -> AutomationCore:
        of_runs = alert.body == _RUN
        return AutomationCore(
            name=f"inclinet: tell of {alert.name}",
            description=f"Sends an alert of {alert.name} to every block {RECEIVER}….",
            trigger=EventTrigger(
                match=ResourceSpecification(alert.resources),
                match_related=parents if of_runs else ResourceSpecification({}),
                for_each={"prefect.resource.id"},
                expect=alert.events,
                posture=Posture.Reactive,
                threshold=1,
                within=alert.every,
            ),
            actions=[
                SendNotification(block_document_id=block, subject=f"Inclinet: {alert.subject}", body=alert.body)
                for block in to
            ],
        )

    return [automation(alert) for alert in _ALERTS] if to else []


def save_receiver(url: str, name: str = RECEIVER) -> str:
    """Save a notification block for an address; returns the kind of the block.

    `url` is a webhook (it is sent JSON with a `text`), an incoming webhook of Slack, or any other address of Apprise,
    such as `mailto://user:password@host`.

    Raises
    ------
    InclinetError
        When the address has no scheme, or the name does not begin with `inclinet-alerts`.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise InclinetError(f"{url!r}: give an address such as https://… or mailto://…", setting="url")
    if not name.startswith(RECEIVER):
        raise InclinetError(f"{name!r}: a name begins with {RECEIVER}", setting="name")
    block: AppriseNotificationBlock | CustomWebhookNotificationBlock
    if scheme in ("http", "https") and not rest.startswith("hooks.slack.com/"):
        block = CustomWebhookNotificationBlock(name=name, url=url, json_data={"text": "{{subject}}\n{{body}}"})
    else:
        block = SlackWebhook(url=SecretStr(url))
    block.save(name, overwrite=True)
    return "Slack" if rest.startswith("hooks.slack.com/") else "webhook" if scheme.startswith("http") else scheme
