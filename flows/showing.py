"""What a run of the pipeline shows of itself: how many tasks of a stage are done, and its summary."""

from collections.abc import Mapping
from typing import Any

from prefect.futures import PrefectFuture, as_completed

from flows.naming import folder_of_run
from inclinet.storage.artifacts import Reference
from tasks.live import RunPage
from tasks.summary import read_summary, summary_task

__all__ = ["results", "summarize"]


def results(
    futures: Mapping[Any, PrefectFuture], stage: str = "", of: str = "tasks", page: RunPage | None = None
) -> dict[Any, Reference]:
    """Wait for tasks and return their references; `page` shows how many `of` a `stage` are done."""
    progress = page.stage(stage, of, len(futures)) if page else None
    for number, _ in enumerate(as_completed(list(futures.values())), 1):
        if progress:
            progress.done(number)
    return {name: future.result() for name, future in futures.items()}


def summarize(
    page: RunPage, version: str, samples: dict[str, Reference], catalogue: Reference, decision: str = ""
) -> str:
    """Show the summary of this run on its page; return its headline.

    `samples` are the split artifacts by stored band; `decision` says what became of the version.
    """
    run = folder_of_run()
    done = summary_task(run, version, samples, catalogue, decision, return_state=True)
    done.result()
    page.page(read_summary(f"runs/{run}"), f"{done.message}.")
    page.progress(1, "done", now=True)
    return done.message
