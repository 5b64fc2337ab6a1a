"""Automations of the service: what the Prefect server does by itself.

`python -m deployments.automations` applies them to the server at PREFECT_API_URL, and keeps what people have set there.
Run it after `python -m deployments.deploy`.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import typer
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from pydantic_core import to_jsonable_python

from deployments.alerts import RECEIVER, alerts, receivers, save_receiver
from deployments.merging import Path, digests_of, merge, report
from deployments.record import read_record, update_record
from deployments.settings import HEAL
from deployments.terminal import run_commands

__all__ = ["IMAGES_ARRIVED", "apply_automations"]

IMAGES_ARRIVED = "inclinet.images.arrived"
"""Event to emit after uploading new images or another catalogue."""

_FREQUENCY = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
_MISSED_HEARTBEATS = 6  # 3 minutes: a run waits for two for a server that is away, and is alive after that
_CHILDREN = ("train/gpu", "evaluate/test-set", "predict/share")
"""Deployments whose runs are started again by their parent."""

_SINGLE = {"description", "enabled", "tags", "actions", "actions_on_trigger", "actions_on_resolve"}
_REPORTED_TWICE = timedelta(seconds=15)  # a worker reports a crash again some seconds after the first time


def _deployments(client: SyncPrefectClient) -> dict[str, DeploymentResponse]:
    """Return all deployments of the server by their names."""
    flows = {flow.id: flow.name for flow in client.read_flows()}
    return {f"{flows[one.flow_id]}/{one.name}": one for one in client.read_deployments()}


def _frequencies(deployments: Mapping[str, DeploymentResponse]) -> dict[str, int]:
    """Return how often (s) the runs of each deployment give a sign of life, for those of which that is known."""
    environments = {name: (one.job_variables or {}).get("env") or {} for name, one in deployments.items()}
    return {name: int(env[_FREQUENCY]) for name, env in environments.items() if _FREQUENCY in env}


def _runs_of(deployments: Iterable[DeploymentResponse]) -> ResourceSpecification:
    """Return what events of runs of these deployments are related to."""
    ids = sorted(f"prefect.deployment.{one.id}" for one in deployments)
    return ResourceSpecification({"prefect.resource.role": "deployment", "prefect.resource.id": ids})


def _silent_runs(deployments: Iterable[DeploymentResponse], frequency: int) -> AutomationCore:
    """Return the automation that marks runs as crashed whose process died together with its worker.

    It watches only runs that are known to give a sign of life every `frequency` seconds.
    """
    silence = timedelta(seconds=_MISSED_HEARTBEATS * frequency)
    return AutomationCore(
        name="inclinet: mark silent runs as crashed",
        description=f"A run that has been silent for {silence.seconds} s has lost its process.",
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=_runs_of(deployments),
            for_each={"prefect.resource.id"},
            after={"prefect.flow-run.Running", "prefect.flow-run.heartbeat"},
            # Any event of the run, so that every state counts in which it may end or wait, whatever its name.
            expect={"prefect.flow-run.*"},
            posture=Posture.Proactive,
            threshold=1,
            within=silence,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"Silent for {silence.seconds} s: its process died with its worker.",
            )
        ],
    )


def _crashed_runs(deployments: Iterable[DeploymentResponse], heal: UUID) -> AutomationCore:
    """Return the automation that starts heal/crashed, which runs a crashed run again if that may help."""
    return AutomationCore(
        name="inclinet: run crashed runs again",
        description=f"Starts {HEAL}, which runs a crashed run again, at most 5 times, unless it crashes at once.",
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=_runs_of(deployments),
            for_each={"prefect.resource.id"},
            expect={"prefect.flow-run.Crashed"},
            posture=Posture.Reactive,
            threshold=1,
            within=_REPORTED_TWICE,
        ),
        actions=[
            RunDeployment(
                deployment_id=heal,
                # As Jinja, and not as a plain text: that is rendered as JSON, which has no UUIDs.
                parameters={"run": {"__prefect_kind": "jinja", "template": "{{ flow_run.id }}"}},
                schedule_after=_REPORTED_TWICE,
            )
        ],
    )


def _new_images(retrain: UUID) -> AutomationCore:
    """Return the automation that starts inclinet/retrain, which itself checks whether anything has changed."""
    return AutomationCore(
        name="inclinet: retrain when images arrive",
        description=f"Starts inclinet/retrain at the event {IMAGES_ARRIVED}.",
        trigger=EventTrigger(
            expect={IMAGES_ARRIVED}, posture=Posture.Reactive, threshold=1, within=timedelta(seconds=0)
        ),
        actions=[RunDeployment(deployment_id=retrain)],
    )


def _values(automation: AutomationCore, with_trigger: bool = True) -> dict[Path, Any]:
    """Return everything that people may change about an automation, by path, ready for JSON."""
    # The server gives the trigger an id at every update.
    content = automation.model_dump(include=_SINGLE | {"trigger"}, exclude={"trigger": {"id"}})
    values: dict[Path, Any] = {(name,): _plain(content[name]) for name in sorted(_SINGLE)}
    if with_trigger:
        values |= {("trigger", name): _plain(value) for name, value in content["trigger"].items()}
    return values


def _plain(value: Any) -> Any:
    """Return a value as JSON has it. A set becomes a sorted list: else its order may differ every time."""
    return to_jsonable_python(sorted(value) if isinstance(value, set) else value, timedelta_mode="float")


def _update(
    client: SyncPrefectClient, existing: Automation, wanted: AutomationCore, before: Mapping[str, str] | None
) -> str | None:
    """Update an automation, and keep what a person has set; return a line for it, None if there is nothing to say."""
    # A trigger of another kind is a person's as a whole.
    of_a_kind = existing.trigger.type == wanted.trigger.type
    found = _values(existing, of_a_kind)
    if before is None:  # made before there was a record: by whom, only tells whether it is enabled
        before = digests_of(found | {("enabled",): True})
    merged = merge(_values(wanted, of_a_kind), found, before)
    # Not if nothing has changed: an automation that is updated forgets the runs that it watches.
    if merged.changed:
        content: dict[str, Any] = {path[0]: value for path, value in merged.values.items() if len(path) == 1}
        trigger = {path[1]: value for path, value in merged.values.items() if path[0] == "trigger"}
        content |= {"name": wanted.name, "trigger": trigger or existing.trigger}
        client.update_automation(existing.id, AutomationCore.model_validate(content))
    return report(wanted.name, merged)


def apply_automations(client: SyncPrefectClient) -> list[str]:
    """Create the automations that do not exist, and update those of which the definitions here have changed.

    What a person has changed on the server stays, as with deployments; so does one that a person has disabled.

    Returns
    -------
    list of str
        A line for each automation that was changed, or kept as a person has set it.
    """
    deployments = _deployments(client)
    watched = _frequencies(deployments)
    automations = []
    if watched:
        automations.append(_silent_runs([deployments[name] for name in watched], max(watched.values())))
    parents = [deployments[name] for name in watched if name not in (*_CHILDREN, HEAL)]
    if HEAL in deployments:
        automations.append(_crashed_runs(parents, deployments[HEAL].id))
    if "inclinet/retrain" in deployments:  # a project may have no such deployment in its prefect.yaml
        automations.append(_new_images(deployments["inclinet/retrain"].id))
    automations += alerts(receivers(client), _runs_of(parents))
    before, lines = read_record(client), []
    for automation in automations:
        existing = client.read_automations_by_name(automation.name)
        if not existing:
            client.create_automation(automation)
        elif line := _update(client, existing[0], automation, before.get(automation.name)):
            lines.append(line)
    update_record(client, {one.name: digests_of(_values(one)) for one in automations})
    return lines


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def _apply(
    alerts: Annotated[
        str | None,
        typer.Option(help="Who is to receive alerts: a webhook, Slack's incoming webhook, or mailto://…"),
    ] = None,
    name: Annotated[str, typer.Option(help=f"Name of the receiver; it begins with {RECEIVER}.")] = RECEIVER,
) -> None:
    """Apply the automations to the server at PREFECT_API_URL."""
    if alerts:
        save_receiver(alerts, name)
    with get_client(sync_client=True) as client:
        for line in apply_automations(client):
            typer.echo(line)
        number = len(receivers(client))
        typer.echo(f"alerts go to {number} receiver{'s' if number != 1 else ''}")


if __name__ == "__main__":
    run_commands(app)
