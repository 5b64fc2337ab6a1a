"""Flow `train`: train one network on one subsample in one process, with one task for each step."""

import time
from typing import Annotated, cast
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.utilities.annotations import opaque
from pydantic import Field

from flows.fence import fenced
from flows.same_code import Code, check_same_code
from inclinet.data.inclination import UNIT
from inclinet.settings import Model, Train
from inclinet.storage.artifacts import DamagedArtifactError, Reference
from tasks.common import DAMAGED
from tasks.train import Session, finish_network_task, start_training_task, step_task

__all__ = ["train"]

_SECONDS_BETWEEN_UPDATES = 5


def _description(number: int, session: Session, metrics: dict, seconds_left: float) -> str:
    parts = [
        f"step {number} of {session.steps}",
        f"{session.run().images_per_second:,.0f} images/s",
        f"{_duration(seconds_left)} left",
    ]
    errors = {"training": "mae", "left-out galaxies": "left_mae", "test set": "val_mae"}
    known = {name: metrics[key] for name, key in errors.items() if metrics[key] is not None}
    return f"{', '.join(parts)}; MAE: " + ", ".join(f"{name} {UNIT * mae:.2f} deg" for name, mae in known.items())


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _advance(session: Session) -> None:
    """Take all steps that are still to do, and show the progress on the run's page."""
    done = start_training_task(opaque(session), return_state=True).result()
    if done is None:
        return
    progress = cast(
        UUID,
        create_progress_artifact(
            100 * done / session.steps, key=f"train-{session.name}", description=f"{session.steps} steps"
        ),
    )
    start = updated = time.monotonic()
    for number in range(done + 1, session.steps + 1):
        if session.run().ended:
            break
        metrics = step_task(opaque(session), number, return_state=True).result()
        now = time.monotonic()
        if now - updated > _SECONDS_BETWEEN_UPDATES or number in (done + 1, session.steps):
            left = (now - start) / (number - done) * (session.steps - number)
            text = _description(number, session, metrics, left)
            update_progress_artifact(progress, 100 * number / session.steps, description=text)
            updated = now
    if reason := session.run().stopped_early:
        update_progress_artifact(progress, 100, description=reason)


@flow(name="train", flow_run_name="train-{model}-{subsample}", persist_result=False)
def train(
    model: Annotated[Model, Field(description="Network.")],
    subsample: Annotated[int, Field(ge=0, description="Subsample to train on; 0 is the whole training set.")],
    size: Annotated[int, Field(ge=8, description="Side of the images in pixels.")],
    settings: Annotated[Train, Field(description="Settings of the training.")],
    batches: Annotated[list[Reference], Field(min_length=1, description="Stored batches.")],
    validation: Annotated[Reference | None, Field(description="Augmented test set.")],
    left_out: Annotated[Reference | None, Field(description="Augmented galaxies that the subsample leaves out.")],
    samples: Annotated[dict[str, Reference], Field(description="Split artifacts by stored band, to predict.")],
    start: Annotated[Reference | None, Field(description="Network whose weights the training starts from.")] = None,
    code: Code = "",
) -> State:
    """Train one network on one subsample, then predict the test set and the left-out galaxies with it.

    A retry, or another run of the same settings, resumes from the last snapshot.
    """
    session = Session(model, subsample, size, settings, batches, validation, left_out, samples, start)
    try:
        check_same_code(code, "tasks.train")
        with fenced():
            _advance(session)
            done = finish_network_task(opaque(session), return_state=True)
            done.result()
    except DamagedArtifactError as error:
        return Failed(name=DAMAGED, message=str(error))
    return Completed(message=done.message)
