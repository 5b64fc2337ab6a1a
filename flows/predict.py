"""Flow `predict`, deployment `batch`: inclinations of any number of images, in chunks."""

import time
from functools import partial
from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from prefect.utilities.annotations import opaque

from flows.children import cancel_children
from flows.fence import fenced
from flows.naming import folder_of_run, keep_typed, rename, sample_name, unique
from flows.repair import remake_damaged
from flows.settings import in_form
from flows.sharing import Sharing, end_children, free_places
from inclinet.settings import Predict
from inclinet.storage.artifacts import Reference
from inclinet.storage.code_digest import code_digest
from inclinet.training.live import duration
from tasks.batch import Listing, find_version_task, gather_task, list_images_task
from tasks.live import RunPage
from tasks.predict import find_chunk, predict_chunk_task
from tasks.sample import choose_images_task
from tasks.summary import read_summary

__all__ = ["predict"]


def _name_of(what: Predict) -> str:
    return unique(f"predict-{sample_name(what.images)}")


def _run_name() -> str:
    return _name_of(Predict.model_validate(flow_run.parameters["what"]))


def _choose_images(what: Predict) -> Predict:
    """Return what to predict, with the images that were chosen; this run gets their name, unless a person named it."""
    chosen = choose_images_task(what, return_state=True).result()
    if chosen != what and flow_run.name == _run_name():
        rename(_name_of(chosen))
    return chosen


def _predict_missing(what: Predict, version: str, listing: Listing, page: RunPage) -> list[Reference]:
    """Predict the missing images, chunk by chunk, with child runs if there are to be some, and show the progress."""
    before = listing.images - listing.missing
    page.progress(before / listing.images, f"{before:,} of {listing.images:,} images predicted before", now=True)
    parts: list[Reference] = []
    done, began = 0, time.monotonic()
    given = {
        "what": what.model_dump(mode="json"),
        "version": version,
        "listing": listing.reference.key,
        "code": code_digest("tasks.predict"),
    }
    with Sharing(listing.children, given) as sharing:
        for chunk, made in sharing.chunks(listing.chunks, partial(find_chunk, what, version, listing.reference)):
            parts.append(made or _predict_chunk(what, version, listing, chunk))
            done += parts[-1].facts["images"]
            rate = done / (time.monotonic() - began)
            text = f"{before + done:,} of {listing.images:,} images, {rate:,.0f} images/s"
            if done < listing.missing:
                text += f", {duration((listing.missing - done) / rate)} left"
            page.progress((before + done) / listing.images, text, now=done == listing.missing)
    return parts


def _predict_chunk(what: Predict, version: str, listing: Listing, chunk: str) -> Reference:
    return predict_chunk_task(what, version, opaque(listing.reference), chunk, return_state=True).result()


def _predict(what: Predict, version: str, statement: str) -> str:
    """Predict what is missing, write the tables of all galaxies and images, and show their summary.

    Returns what was done; `statement` is that of the version.
    """
    end_children()
    listing = list_images_task(what, version, free_places(), return_state=True).result()
    page, run = RunPage(), folder_of_run()
    parts = [*listing.predicted, *_predict_missing(what, version, listing, page)]
    gathered = gather_task(run, what, version, statement, opaque(listing.reference), opaque(parts), return_state=True)
    headline = gathered.result()
    page.page(read_summary(f"predictions/{run}"), f"{headline}.")
    return gathered.message


@flow(name="predict", flow_run_name=keep_typed(_run_name), on_cancellation=[cancel_children], persist_result=False)
def predict(
    what: Annotated[Predict, in_form("Images", "Which images, with which version.")] = Predict(),
) -> State:
    """Predict the galaxies of a folder with a published version; the table is `predictions/<run>/predictions.csv`.

    It has a row per galaxy; `images.csv` beside it has a row per image. Images that any run has predicted with this
    version are not predicted again: a run that ended early resumes when it is retried or run again, and a folder that
    has grown costs only its new images. If nothing is at `input/galaxies`, the only folder `input/*/galaxies` of the
    store is predicted. An image that cannot be used has the reason in the tables. Where the work pool
    has room for more runs, child runs predict some of the chunks.
    """
    what = _choose_images(what)
    with fenced():
        version, statement = find_version_task(what.version, return_state=True).result()
        message = remake_damaged(lambda: _predict(what, version, statement))
    return Completed(message=message)
