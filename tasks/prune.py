"""Task that clears the store of what nobody needs."""

from collections.abc import Sequence

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.registry.prune import KINDS, Folder, plan, remove
from inclinet.settings import Prune
from tasks.common import artifacts, stage_task

__all__ = ["prune_task"]


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
    return Completed(message=f"{did}: {_total(planned.removed)} of {store.uri}; kept: {_total(planned.kept)}")


def _total(folders: Sequence[Folder], kind: str | None = None) -> str:
    """Return how many folders there are (of one kind, if one is given), and how large they are."""
    sizes = [folder.size for folder in folders if kind in (None, folder.kind)]
    return f"{len(sizes):,} folders, {sum(sizes) / 1e9:,.3f} GB"
