"""Flow `train`: one network on one subsample, a task for each stored batch, in order, in one process."""

import time
from typing import Annotated

from prefect import flow
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.utilities.annotations import opaque
from pydantic import Field

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
        f"{session.training().images_per_second:,.0f} images/s",
        f"{_duration(seconds_left)} left",
        f"MAE in training {UNIT * metrics['mae']:.2f} deg",
    ]
    judged = {"left-out galaxies": metrics["left_mae"], "test set": metrics["val_mae"]}
    parts += [f"{name} {UNIT * mae:.2f} deg" for name, mae in judged.items() if mae is not None]
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _advance(session: Session) -> None:
    """Take all steps that are not behind the run yet, and keep its progress on its page."""
    done = start_training_task(opaque(session), return_state=True).result()
    if done is None:
        return
    key = f"train-{session.name}"
    progress = create_progress_artifact(100 * done / session.steps, key=key, description=f"{session.steps} steps")
    began = told = time.monotonic()
    for number in range(done + 1, session.steps + 1):
        if session.training().ended:
            break
        metrics = step_task(opaque(session), number, return_state=True).result()
        now = time.monotonic()
        if now - told > _SECONDS_BETWEEN_UPDATES or number in (done + 1, session.steps):
            left = (now - began) / (number - done) * (session.steps - number)
            text = _description(number, session, metrics, left)
            update_progress_artifact(progress, 100 * number / session.steps, description=text)
            told = now


@flow(name="train", flow_run_name="train-{model}-{subsample}", persist_result=False)
def train(
    model: Annotated[Model, Field(description="Network.")],
    subsample: Annotated[int, Field(ge=0, description="Subsample to train on; 0 is the whole training set.")],
    size: Annotated[int, Field(ge=8, description="Pixels a side of the images.")],
    settings: Annotated[Train, Field(description="How to train.")],
    batches: Annotated[list[Reference], Field(min_length=1, description="Stored batches.")],
    validation: Annotated[Reference | None, Field(description="Augmented test set.")],
    left_out: Annotated[Reference | None, Field(description="Augmented galaxies that the subsample leaves out.")],
    samples: Annotated[dict[str, Reference], Field(description="Split artifacts by stored band, to predict.")],
) -> State:
    """Train one network on one subsample; predict the test set and the left-out galaxies with it.

    Taken up again, by a retry or another run, it goes on after its last snapshot.
    """
    session = Session(model, subsample, size, settings, batches, validation, left_out, samples)
    try:
        _advance(session)
        done = finish_network_task(opaque(session), return_state=True)
        done.result()
    except DamagedArtifactError as error:
        return Failed(name=DAMAGED, message=str(error))
    return Completed(message=done.message)
