"""Flow `train`: train networks in one process, one after the other, with one task for each step."""

import time
from typing import Annotated, cast
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.utilities.annotations import opaque

from flows.fence import fenced
from flows.naming import keep_typed, name_of_trainings
from flows.same_code import Code, check_same_code
from flows.settings import in_form
from inclinet.data.inclination import UNIT
from inclinet.storage.artifacts import DamagedArtifactError
from inclinet.training.live import duration
from tasks.common import DAMAGED
from tasks.live import CurvePage, result_of_training
from tasks.train import Session, finish_network_task, start_training_task, step_task
from tasks.training import CODE, Training

__all__ = ["train"]

_SECONDS_BETWEEN_UPDATES = 5


def _description(number: int, session: Session, metrics: dict, seconds_left: float) -> str:
    parts = [
        f"step {number} of {session.steps}",
        f"{session.run().images_per_second:,.0f} images/s",
        f"{duration(seconds_left)} left",
    ]
    errors = {"training": "mae", "left-out galaxies": "left_mae", "test set": "val_mae"}
    known = {name: metrics[key] for name, key in errors.items() if metrics[key] is not None}
    return f"{', '.join(parts)}; MAE: " + ", ".join(f"{name} {UNIT * mae:.2f} deg" for name, mae in known.items())


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
    curve = CurvePage(session)
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
        curve.show()
    curve.show(last=True)
    if reason := session.run().stopped_early:
        update_progress_artifact(progress, 100, description=reason)


def _train(training: Training) -> str:
    """Train a network, and predict the test set and the left-out galaxies with it; returns what it led to."""
    session = Session(training)
    _advance(session)
    network = finish_network_task(opaque(session), return_state=True).result()
    session.close()
    return f"{result_of_training(network, training)}; {network.key}"


def _run_name() -> str:
    return name_of_trainings([Training.model_validate(one).name for one in flow_run.parameters["trainings"]])


@flow(name="train", flow_run_name=keep_typed(_run_name), persist_result=False)
def train(
    trainings: Annotated[
        list[Training],
        in_form("Trainings", "Networks, and what each is trained on; one after the other.", min_length=1),
    ],
    code: Code = "",
) -> State:
    """Train networks, each on one subsample, and predict the test set and the left-out galaxies with each.

    A retry, or another run of the same settings, resumes from the last snapshot; a finished network is not trained
    again.
    """
    try:
        check_same_code(code, CODE)
        with fenced():
            results = [_train(training) for training in trainings]
    except DamagedArtifactError as error:
        return Failed(name=DAMAGED, message=str(error))
    if len(results) == 1:
        return Completed(message=results[0])
    return Completed(message="\n".join(f"{one.name}: {result}" for one, result in zip(trainings, results, strict=True)))
