"""Flow `predict`, deployment `batch`: inclinations of any number of images, in chunks."""

import time
from typing import Annotated, cast
from uuid import UUID

from prefect import flow
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.utilities.annotations import opaque
from pydantic import Field

from flows.fence import fenced
from flows.repair import remake_damaged
from inclinet.settings import Predict
from inclinet.storage.artifacts import Reference
from tasks.batch import Listing, find_version_task, gather_task, list_images_task
from tasks.predict import predict_chunk_task

__all__ = ["predict"]

_SECONDS_BETWEEN_UPDATES = 5


def _run_name() -> str:
    return f"predict-{str(flow_run.id)[:8]}"


def _start_progress(listing: Listing) -> UUID:
    done = listing.images - listing.missing
    text = f"{done:,} of {listing.images:,} images predicted before"
    return cast(UUID, create_progress_artifact(100 * done / listing.images, key="predict", description=text))


def _predict_missing(what: Predict, version: str, listing: Listing) -> list[Reference]:
    """Predict the missing images, chunk by chunk, and show the progress on the run's page."""
    progress = _start_progress(listing)
    parts: list[Reference] = []
    done, began = 0, time.monotonic()
    updated = began
    for chunk in listing.chunks:
        parts.append(predict_chunk_task(what, version, opaque(listing.reference), chunk, return_state=True).result())
        done, now = done + parts[-1].facts["images"], time.monotonic()
        if now - updated > _SECONDS_BETWEEN_UPDATES or chunk == listing.chunks[-1]:
            total = listing.images - listing.missing + done
            text = f"{total:,} of {listing.images:,} images, {done / (now - began):,.0f} images/s"
            update_progress_artifact(progress, 100 * total / listing.images, description=text)
            updated = now
    return parts


def _predict(what: Predict, version: str, statement: str) -> str:
    """Predict what is missing and write the tables of all galaxies and images; returns what was done.

    `statement` is that of the version.
    """
    listing = list_images_task(what, version, return_state=True).result()
    parts = [*listing.predicted, *_predict_missing(what, version, listing)]
    gathered = gather_task(_run_name(), version, statement, opaque(listing.reference), opaque(parts), return_state=True)
    gathered.result()
    return gathered.message


@flow(name="predict", flow_run_name=_run_name, persist_result=False)
def predict(
    what: Annotated[Predict, Field(description="Which images, with which version.")] = Predict(),
) -> State:
    """Predict the galaxies of a folder with a published version; the table is `predictions/<run>/predictions.csv`.

    It has a row per galaxy; `images.csv` beside it has a row per image. Images that any run has predicted with this
    version are not predicted again: a run that ended early resumes when it is retried or run again, and a folder that
    has grown costs only its new images. An image that cannot be used has the reason in the tables.
    """
    with fenced():
        version, statement = find_version_task(what.version, return_state=True).result()
        message = remake_damaged(lambda: _predict(what, version, statement))
    return Completed(message=message)
