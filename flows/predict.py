"""Flow `predict`, deployment `batch`: inclinations of any number of images, in chunks."""

import time
from typing import Annotated

from prefect import flow
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.utilities.annotations import opaque
from pydantic import Field

from flows.repair import remake_damaged
from inclinet.settings import Predict
from inclinet.storage.artifacts import Reference
from tasks.predict import find_version_task, gather_task, list_chunks_task, predict_chunk_task

__all__ = ["predict"]

_SECONDS_BETWEEN_UPDATES = 5


def _run_name() -> str:
    return f"predict-{str(flow_run.id)[:8]}"


def _predict(what: Predict, version: str) -> str:
    """Predict chunk after chunk and put them together; returns what was done."""
    listing = list_chunks_task(what, return_state=True).result()
    chunks = sorted(listing.facts["chunks"])
    progress = create_progress_artifact(0, key="predict", description=f"{listing.facts['images']:,} images")
    began = told = time.monotonic()
    parts: dict[str, Reference] = {}
    seen = made = 0
    for chunk in chunks:
        parts[chunk] = predict_chunk_task(what, version, opaque(listing), chunk, return_state=True).result()
        images, now = parts[chunk].facts["images"], time.monotonic()
        seen += images
        made += images if parts[chunk].is_new else 0
        if now - told > _SECONDS_BETWEEN_UPDATES or chunk == chunks[-1]:
            text = f"{seen:,} of {listing.facts['images']:,} images, {made / (now - began):,.0f} images/s"
            update_progress_artifact(progress, 100 * seen / listing.facts["images"], description=text)
            told = now
    done = gather_task(_run_name(), version, opaque(parts), return_state=True)
    done.result()
    return done.message


@flow(name="predict", flow_run_name=_run_name, persist_result=False)
def predict(
    what: Annotated[Predict, Field(description="Which images, with which version.")] = Predict(),
) -> State:
    """Predict the images of a folder with a published version; the table is `predictions/<run>/predictions.csv`.

    What was predicted before, by any run, is found: a run that ended early goes on where it was when retried, or run
    again. An image that cannot be used has its reason in the table.
    """
    version = find_version_task(what.version, return_state=True).result()
    return Completed(message=remake_damaged(lambda: _predict(what, version)))
