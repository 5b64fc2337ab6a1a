"""Automations of the service: what the Prefect server does by itself.

`python -m deployments.automations` applies them to the server at PREFECT_API_URL. Run it after `prefect deploy`.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import typer
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from deployments.alerts import RECEIVER, alerts, receivers, save_receiver
from deployments.terminal import run_commands

__all__ = ["IMAGES_ARRIVED", "apply_automations"]

IMAGES_ARRIVED = "inclinet.images.arrived"
"""Event to emit after uploading new images or another catalogue."""

_FREQUENCY = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
_MISSED_HEARTBEATS = 6  # 3 minutes: a run waits for two for a server that is away, and is alive after that
_CHILDREN = ("train/gpu", "evaluate/test-set")
"""Deployments whose runs are started again by their parent."""

_HEAL = "heal/crashed"
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
        description=f"Starts {_HEAL}, which runs a crashed run again, at most 5 times, unless it crashes at once.",
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


def _content(automation: AutomationCore) -> dict:
    """Return the definition of an automation, without the ids that the server assigns."""
    # Not as JSON: sets become lists there, whose order may differ from one call to the next.
    content = automation.model_dump(exclude={"id": True, "trigger": {"id"}})
    return {name: content[name] for name in AutomationCore.model_fields if name in content}


def apply_automations(client: SyncPrefectClient) -> None:
    """Create the automations that do not exist, and update those that differ from the definitions here.

    The others are left alone, because an automation that is updated forgets the runs that it watches.
    """
    deployments = _deployments(client)
    watched = _frequencies(deployments)
    automations = []
    if watched:
        automations.append(_silent_runs([deployments[name] for name in watched], max(watched.values())))
    parents = [deployments[name] for name in watched if name not in (*_CHILDREN, _HEAL)]
    if _HEAL in deployments:
        automations.append(_crashed_runs(parents, deployments[_HEAL].id))
    if "inclinet/retrain" in deployments:  # a project may have no such deployment in its prefect.yaml
        automations.append(_new_images(deployments["inclinet/retrain"].id))
    automations += alerts(receivers(client), _runs_of(parents))
    for automation in automations:
        existing = client.read_automations_by_name(automation.name)
        if not existing:
            client.create_automation(automation)
        elif _content(existing[0]) != _content(automation):
            client.update_automation(existing[0].id, automation)


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
        apply_automations(client)
        typer.echo(f"alerts go to {len(receivers(client))} receivers")


if __name__ == "__main__":
    run_commands(app)
