"""`make watch`: follows a flow run stage by stage, and ends with its result."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterName,
    FlowRunFilterParentTaskRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from deployments.overview import show_result
from deployments.ports import choose_ports
from deployments.prefect_server import prefect_client
from deployments.processes import CONSOLE, find
from deployments.progress import follow
from deployments.settings import FOLDER, PROJECT, Service
from deployments.terminal import run_commands
from flows.naming import folder_of
from inclinet.errors import InclinetError

__all__ = ["watch"]


def watch(run: str = "", folder: Path = FOLDER) -> bool:
    """Follow a run until it ends, and print its result; returns whether it completed.

    Parameters
    ----------
    run : str
        Its name or id; by default the last one that was started.
    folder : Path
        State folder of the service.

    Raises
    ------
    InclinetError
        When the service does not run, or there is no such run.
    """
    folder = folder.resolve()
    if find(folder, "prefect-server") is None:
        raise InclinetError("the service does not run: start it with `make up`")
    service = Service(folder, PROJECT, *choose_ports(folder, None, None))
    with prefect_client(service) as client:
        found = _find_run(client, run)
        CONSOLE.print(f"run       {found.name}", markup=False)
        ended = follow(client, found.id, {})
    completed = ended.state is not None and ended.state.is_completed()
    verdict = show_result(service.store.folder, folder_of(ended.name, ended.id)) if completed else ""
    CONSOLE.print(f"{ended.name} {ended.state_name}: {ended.state.message if ended.state else ''}", markup=False)
    if verdict:
        CONSOLE.print(f"result    {verdict}", markup=False)
    return completed


def _find_run(client: SyncPrefectClient, run: str) -> FlowRun:
    """Return the run of a name or id; by default the last one that has begun or is due, and is no child of another."""
    try:
        return client.read_flow_run(UUID(run))
    except ValueError:
        pass  # it is a name
    # The runs that schedules have planned for the next weeks would come first.
    due = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC))
    first = FlowRunFilter(expected_start_time=due, parent_task_run_id=FlowRunFilterParentTaskRunId(is_null_=True))
    wanted = FlowRunFilter(name=FlowRunFilterName(any_=[run])) if run else first
    found = client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.START_TIME_DESC, limit=1)
    if not found:
        what = f"no run is called {run!r}" if run else "there is no run yet: prefect deployment run inclinet/full"
        raise InclinetError(what, setting="run")
    return found[0]


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def _watch(
    run: Annotated[str, typer.Option(help="Name or id of the run; by default the last one.")] = "",
    folder: Annotated[Path, typer.Option(help="State folder of the service.")] = FOLDER,
) -> None:
    """Follow a run of the service until it ends, and print its result."""
    if not watch(run, folder):
        raise typer.Exit(1)


if __name__ == "__main__":
    run_commands(app)
