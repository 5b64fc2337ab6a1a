"""The command that clears a store of what nobody needs."""

from typing import Annotated

from inclinet.cli.app import StoreOption, Verbose, app, console, default, option, settings, show_table
from inclinet.registry.prune import KINDS, Folder, plan, remove
from inclinet.settings import Prune
from inclinet.storage.addresses import open_named_store

__all__ = ["prune"]


@app.command()
def prune(
    keep_runs: Annotated[int, option(Prune, "keep_runs", "--keep-runs")] = default(Prune, "keep_runs"),
    keep_versions: Annotated[int, option(Prune, "keep_versions", "--keep-versions")] = default(Prune, "keep_versions"),
    older_than: Annotated[str, option(Prune, "older_than", "--older-than")] = default(Prune, "older_than"),
    dry_run: Annotated[bool, option(Prune, "dry_run", "--dry-run")] = False,
    store: StoreOption = None,
    verbose: Verbose = False,
) -> None:
    """Remove old runs, versions and artifacts, and snapshots of finished networks.

    In: a store. Kept are the newest runs and versions, the version in use and the one before it, all that these were
    made from, and everything that was made or used lately.

    Out: a table of what was removed and what was kept. Images and catalogues are never removed.

    Example: inclinet prune --keep-runs 10 --keep-versions 5 --older-than 30d --dry-run --store s3://inclinet
    """
    rules = settings(Prune, keep_runs=keep_runs, keep_versions=keep_versions, older_than=older_than, dry_run=dry_run)
    opened = open_named_store(store)
    planned = plan(opened, rules)
    if verbose:
        for folder in planned.removed:
            console.print(f"{folder.key}  {folder.size:,} bytes", markup=False, highlight=False, soft_wrap=True)
    verb = "to remove" if rules.dry_run else "removed"
    show_table(
        [{"": kind} | _columns(verb, planned.removed, kind) | _columns("kept", planned.kept, kind) for kind in KINDS]
    )
    if not rules.dry_run:
        size = remove(opened, planned.removed)
        console.print(f"removed {size / 1e9:,.3f} GB from {opened.uri}", markup=False, highlight=False, soft_wrap=True)


def _columns(verb: str, folders: list[Folder], kind: str) -> dict[str, str]:
    of_kind = [folder for folder in folders if folder.kind == kind]
    size = sum(folder.size for folder in of_kind)
    return {verb: f"{len(of_kind):,}", f"GB {verb}": f"{size / 1e9:,.3f}"}
