"""Flow `cutouts`, deployment `catalogue`: cutouts of the galaxies of a catalogue from an image server, in chunks."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.utilities.annotations import opaque

from flows.fence import fenced
from flows.naming import keep_typed, unique
from flows.repair import remake_damaged
from flows.settings import in_form
from inclinet.cutouts.settings import CutoutBatch
from tasks.cutouts import fetch_cutouts_task, gather_cutouts_task, list_galaxies_task

__all__ = ["cutouts"]


def _run_name() -> str:
    what = CutoutBatch.model_validate(flow_run.parameters["what"])
    return unique("-".join(["cutouts", what.survey, *what.bands]))


def _fetch(what: CutoutBatch) -> str:
    """Fetch what is missing, chunk by chunk; returns what was done."""
    galaxies = list_galaxies_task(what, return_state=True).result()
    parts = [
        fetch_cutouts_task(what, opaque(galaxies.reference), chunk, return_state=True).result()
        for chunk in galaxies.chunks
    ]
    gathered = gather_cutouts_task(what, opaque(parts), return_state=True)
    gathered.result()
    return gathered.message


@flow(name="cutouts", flow_run_name=keep_typed(_run_name), persist_result=False)
def cutouts(
    what: Annotated[CutoutBatch, in_form("Cutouts", "Which galaxies, from which survey.")] = CutoutBatch(),
) -> State:
    """Fetch cutouts of the galaxies of a catalogue into the folder of the images, with their table `cutouts.csv`.

    Cutouts that are there are not fetched again: a run that ended early resumes when it is retried or run again. A
    galaxy without a cutout has the reason in the table.
    """
    with fenced():
        message = remake_damaged(lambda: _fetch(what))
    return Completed(message=message)
