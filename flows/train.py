"""Flow `train`: one network on one subsample, a task for each stored batch, in order, in one process."""

import time
from typing import Annotated

from prefect import flow
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.utilities.annotations import opaque
from pydantic import Field

from inclinet.artifacts import Reference
from inclinet.scaling import UNIT
from inclinet.schedule import batch_of_step
from inclinet.settings import Train
from tasks.common import report_reference
from tasks.train import Session, network, step

__all__ = ["train"]

_SECONDS_BETWEEN_UPDATES = 5


def _description(number: int, steps: int, reference: Reference) -> str:
    text = f"step {number} of {steps}, training MAE {UNIT * reference.facts['mae']:.2f} deg"
    validation = reference.facts["val_mae"]
    return text if validation is None else f"{text}, validation MAE {UNIT * validation:.2f} deg"


@flow(name="train", flow_run_name="train-{model}-{subsample}", persist_result=False)
def train(
    model: Annotated[str, Field(description="Network: model4, model5 or model6.")],
    subsample: Annotated[int, Field(ge=0, description="Subsample to train on; 0 is the whole training set.")],
    size: Annotated[int, Field(ge=8, description="Pixels a side of the images.")],
    settings: Annotated[Train, Field(description="How to train.")],
    batches: Annotated[list[Reference], Field(min_length=1, description="Stored batches.")],
    validation: Annotated[Reference | None, Field(description="Augmented test set.")],
    tests: Annotated[dict[str, Reference], Field(description="Split artifacts by stored band, for the test set.")],
    report_to: Annotated[str, Field(description="Key under which the reference of the network is left.")],
) -> None:
    """Train one network on one subsample and predict the test set with it."""
    steps = len(batches) * settings.N_batch_iter
    session = Session(model, subsample, size, settings, steps, batches, validation)
    progress = create_progress_artifact(0.0, key=f"train-{model}-{subsample}", description=f"{steps} steps")
    before: Reference | None = None
    metrics: dict[str, dict] = {}
    told = time.monotonic()
    for number in range(1, steps + 1):
        batch = batch_of_step(number, len(batches), settings.seed)
        before = step(opaque(session), number, batch, before, return_state=True).result()
        metrics[str(number)] = before.facts
        if number == steps or time.monotonic() - told > _SECONDS_BETWEEN_UPDATES:
            update_progress_artifact(progress, 100 * number / steps, description=_description(number, steps, before))
            told = time.monotonic()
    finished = network(opaque(session), before, metrics, tests, return_state=True).result()
    report_reference(report_to, finished)
