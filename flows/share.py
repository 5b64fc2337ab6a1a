"""Flow `predict`, deployment `share`: chunks of a large folder that a run of `predict/batch` shares out."""

from collections.abc import Collection, Iterable
from typing import Annotated
from uuid import UUID

from prefect import flow, get_client
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from prefect.utilities.annotations import opaque

from flows.fence import fenced
from flows.naming import keep_typed, unique
from flows.same_code import Code, check_same_code
from flows.settings import in_form
from flows.sharing import Claims, order_for
from inclinet.settings import Predict
from inclinet.storage.artifacts import DamagedArtifactError, Reference
from tasks.batch import chunks_of, find_listing_task
from tasks.common import DAMAGED
from tasks.live import RunPage
from tasks.predict import predict_chunk_task

__all__ = ["share"]


def _run_name() -> str:
    return unique("predict-share")


def _predict(what: Predict, version: str, listing: Reference, claims: Claims, place: int, places: int) -> str:
    """Predict one chunk after the other that no other run has claimed; return what was done."""
    chunks, page = chunks_of(listing), RunPage()
    order, images, own = order_for(place, places, chunks), 0, 0
    with get_client(sync_client=True) as client:
        while free := _without(order, claims.read(client, chunks)):
            if claims.take(client, free[0]):
                done = predict_chunk_task(what, version, opaque(listing), free[0], return_state=True).result()
                images, own = images + done.facts["images"], own + 1
                page.progress(1 - len(free) / len(chunks), f"{images:,} images predicted here")
    page.progress(1, f"{images:,} images predicted here", now=True)
    return f"{images:,} images, in {own} of {len(chunks)} chunks"


def _without(chunks: Iterable[str], claimed: Collection[str]) -> list[str]:
    return [chunk for chunk in chunks if chunk not in claimed]


@flow(name="predict", flow_run_name=keep_typed(_run_name), persist_result=False)
def share(
    what: Annotated[Predict, in_form("Images", "Which images.")],
    version: Annotated[str, in_form("Version", "Published version.")],
    listing: Annotated[str, in_form("Listing", "Key of the artifact with the lists of images of all chunks.")],
    parent: Annotated[UUID, in_form("Parent run", "The run of predict/batch with which the chunks are shared.")],
    sharing: Annotated[str, in_form("Sharing", "Which one of that run.")],
    place: Annotated[int, in_form("Place", "Number of this run among those that share the chunks.", ge=1)],
    places: Annotated[int, in_form("Places", "How many these are, with the parent run.", ge=2)],
    code: Code = "",
) -> State:
    """Predict chunks of a large folder, each of which no other run has claimed, until all are claimed.

    The parent run collects them, and predicts those that a run has claimed and not finished.
    """
    try:
        check_same_code(code, "tasks.predict")
        with fenced():
            found = find_listing_task(listing, return_state=True).result()
            message = _predict(what, version, found, Claims(parent, sharing), place, places)
    except DamagedArtifactError as error:
        return Failed(name=DAMAGED, message=str(error))
    return Completed(message=message)
