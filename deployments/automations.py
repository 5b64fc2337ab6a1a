"""Automations of the service: what the Prefect server does by itself.

`python -m deployments.automations` applies them to the server at PREFECT_API_URL. Run it after `prefect deploy`.
"""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, RunDeployment
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from deployments.settings import WORKER_SETTINGS

__all__ = ["IMAGES_ARRIVED", "apply_automations"]

IMAGES_ARRIVED = "inclinet.images.arrived"
"""Event to emit after uploading new images or another catalogue."""

_MISSED_HEARTBEATS = 3


def _silent_runs() -> AutomationCore:
    """Return the automation that marks runs as crashed whose process died together with its worker."""
    silence = timedelta(seconds=_MISSED_HEARTBEATS * int(WORKER_SETTINGS["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]))
    return AutomationCore(
        name="inclinet: mark silent runs as crashed",
        description=f"A run that has been silent for {silence.seconds} s has lost its process. Retry it.",
        trigger=EventTrigger(
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
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
                message=f"Silent for {silence.seconds} s: its process died with its worker. Retry the run.",
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
    automations = [_silent_runs()]
    with suppress(ObjectNotFound):  # a project may have no such deployment in its prefect.yaml
        automations.append(_new_images(client.read_deployment_by_name("inclinet/retrain").id))
    for automation in automations:
        existing = client.read_automations_by_name(automation.name)
        if not existing:
            client.create_automation(automation)
        elif _content(existing[0]) != _content(automation):
            client.update_automation(existing[0].id, automation)


if __name__ == "__main__":
    with get_client(sync_client=True) as connected:
        apply_automations(connected)
