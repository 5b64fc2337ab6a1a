"""Task that clears the store of what nobody needs."""

import os
from collections.abc import Sequence

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed

from inclinet.errors import InclinetError
from inclinet.registry.prune import KINDS, Folder, plan, remove
from inclinet.settings import Prune
from tasks.common import artifacts, stage_task

__all__ = ["STORE_NEARLY_FULL", "prune_task"]

STORE_NEARLY_FULL = "inclinet.store.nearly-full"
"""Event of a store that holds more than 90 % of what `INCLINET_STORE_GB` says that it may hold."""

_FULL = 0.9


@stage_task("prune", "prune")
def prune_task(rules: Prune, in_flight_since: float | None) -> State:
    """Remove old runs, versions and artifacts, and snapshots of finished networks, from the artifact store.

    Nothing is removed that was made or used since `in_flight_since` (s since 1970), when the oldest run began that has
    not ended. What is removed and kept is on the run's page.
    """
    store = artifacts().store
    planned = plan(store, rules, in_flight_since)
    did = "would be removed" if rules.dry_run else "removed"
    create_table_artifact(
        [{"": kind, did: _total(planned.removed, kind), "kept": _total(planned.kept, kind)} for kind in KINDS],
        key="prune",
        description=f"What was removed from {store.uri}, and what was kept.",
    )
    if not rules.dry_run:
        remove(store, planned.removed, lambda one: get_run_logger().info("removed %s", one.key))
        _report_full_store(store.uri, sum(one.size for one in planned.kept))
    return Completed(message=f"{did}: {_total(planned.removed)} of {store.uri}; kept: {_total(planned.kept)}")


def _report_full_store(uri: str, size: int) -> None:
    """Emit an event if what is kept is nearly as much as `INCLINET_STORE_GB` allows; inputs are not counted."""
    try:
        limit = float(os.environ.get("INCLINET_STORE_GB", "inf"))
    except ValueError:
        raise InclinetError("INCLINET_STORE_GB is no number: give gigabytes, such as 500") from None
    if size <= _FULL * limit * 1e9:
        return
    text = f"{uri} holds {size / 1e9:,.0f} GB of {limit:,.0f} (INCLINET_STORE_GB) after it was cleared: keep less"
    get_run_logger().warning("%s", text)
    emit_event(
        STORE_NEARLY_FULL,
        {"prefect.resource.id": "inclinet.store", "prefect.resource.name": uri},
        payload={"why": text},
    )


def _total(folders: Sequence[Folder], kind: str | None = None) -> str:
    """Return how many folders there are (of one kind, if one is given), and how large they are."""
    sizes = [folder.size for folder in folders if kind in (None, folder.kind)]
    return f"{len(sizes):,} folders, {sum(sizes) / 1e9:,.3f} GB"
