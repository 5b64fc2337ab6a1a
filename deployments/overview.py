"""What the terminal shows of a service: its runs, what waits in the queues, the version in use, a run's result."""

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from rich.padding import Padding
from rich.text import Text

from deployments.processes import CONSOLE
from deployments.settings import BUCKET, POOLS
from inclinet.cli.evaluation import show_evaluation
from inclinet.errors import InclinetError
from inclinet.evaluation.filenames import METRICS_FILE, METRICS_TABLE_FILE, REPORT_FILE
from inclinet.registry.champion import read_champion
from inclinet.registry.statement import state
from inclinet.registry.versions import find_version
from inclinet.storage.addresses import open_store
from inclinet.storage.store import Store

__all__ = ["show_result", "show_run", "show_runs", "show_version"]

_ACTIVE = (StateType.RUNNING, StateType.CANCELLING, StateType.PAUSED)
_WAITING = (StateType.SCHEDULED, StateType.PENDING)
_ENDED = (StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED)
_LAST = 5  # runs that have ended
_MOST = 20  # running ones


def show_runs(client: SyncPrefectClient) -> None:
    """Print the runs that are running, the number that waits in each work pool, and the last runs that ended."""
    try:
        running = _read(client, _ACTIVE, FlowRunSort.START_TIME_ASC, _MOST)
        ended = _read(client, _ENDED, FlowRunSort.END_TIME_DESC, _LAST)
        waiting = {pool: _count_due(client, pool) for pool in POOLS}
    except httpx.HTTPError as error:
        CONSOLE.print(f"the Prefect server does not answer ({error})", style="yellow", markup=False)
        return
    for run in [*running, *ended]:
        show_run(run)
    if not running and not ended:
        CONSOLE.print("no run yet: make demo, or prefect deployment run inclinet/full")
    queue = ", ".join(f"{n:,} in {pool}" for pool, n in waiting.items())
    CONSOLE.print(f"\nqueue       {queue}", markup=False)


def show_version(store: Path) -> None:
    """Print the version in use in a store, given by its folder, what it was trained on, and its tested error."""
    try:
        CONSOLE.print(f"in use      {_in_use(open_store(str(store / BUCKET)))}", markup=False)
    except (InclinetError, OSError) as error:
        CONSOLE.print(f"in use      not known ({error})", style="yellow", markup=False)


def show_result(store: Path, run: str) -> str:
    """Print the metrics of a run, and where its artifacts and report are; return the verdict, empty if it has none.

    `store` is the folder of the object store.
    """
    folder = store / BUCKET / "runs" / run
    evaluation = folder / "evaluation"
    if not (evaluation / METRICS_TABLE_FILE).is_file():
        return ""
    verdict = (evaluation / METRICS_TABLE_FILE).read_text().strip()
    if (evaluation / METRICS_FILE).is_file():
        metrics = json.loads((evaluation / METRICS_FILE).read_text())
        show_evaluation(metrics)
        verdict = metrics["verdict"]
    CONSOLE.print(f"artifacts s3://{BUCKET}/runs/{run}/ (here: {folder})", markup=False)
    if (evaluation / REPORT_FILE).is_file():
        CONSOLE.print(f"report    {evaluation / REPORT_FILE}", markup=False)
    return verdict


def _in_use(store: Store) -> str:
    champion = read_champion(store)
    if champion is None:
        return "no version yet"
    return f"version {champion.version}: {state(find_version(store, champion.version).info)}"


def _read(client: SyncPrefectClient, types: tuple[StateType, ...], sort: FlowRunSort, limit: int) -> list[FlowRun]:
    return client.read_flow_runs(flow_run_filter=_of(types), sort=sort, limit=limit)


def _of(types: tuple[StateType, ...]) -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types))))


def _count_due(client: SyncPrefectClient, pool: str) -> int:
    """Return how many runs wait in a work pool that are due; those that are planned for later do not count."""
    due = _of(_WAITING)
    due.expected_start_time = FlowRunFilterExpectedStartTime(before_=datetime.now(UTC))
    in_pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[pool]))
    return client.count_flow_runs(flow_run_filter=due, work_pool_filter=in_pool)


def show_run(run: FlowRun) -> None:
    """Print a run in lines of its own: a table would cut its name, or what it says, on a narrow screen."""
    CONSOLE.print(f"{run.state_name or '':<10}  {_since(run)}  {run.name}", markup=False, highlight=False)
    if message := _message(run):
        CONSOLE.print(Padding(Text(message), (0, 0, 0, 12)), soft_wrap=False)


def _since(run: FlowRun) -> str:
    moment = run.state.timestamp if run.state else None
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _message(run: FlowRun) -> str:
    return " ".join(((run.state.message if run.state else None) or "").split())
