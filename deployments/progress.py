"""The progress of a flow run on the terminal, stage by stage."""

import time
from collections.abc import Mapping
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun, StateType, TaskRun
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deployments.processes import CONSOLE

__all__ = ["follow"]

_POLL_SECONDS = 2


def follow(client: SyncPrefectClient, run_id: UUID, expected: Mapping[str, int]) -> FlowRun:
    """Show the progress of a run until it ends; returns the run.

    `expected` is the number of tasks of each stage, by the name that the runs of these tasks start with. If it is
    empty, stages appear with their first tasks.
    """
    columns = (
        TextColumn("  {task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=CONSOLE) as progress:
        bars = {stage: progress.add_task(stage, total=total, now="") for stage, total in expected.items()}
        while True:
            run = client.read_flow_run(run_id)
            by_stage: dict[str, list[TaskRun]] = {stage: [] for stage in bars}
            for task in _read_tasks(client, run_id):
                by_stage.setdefault(task.name.partition("-")[0], []).append(task)
            for stage, of_stage in by_stage.items():
                if stage not in bars:
                    if expected:
                        continue
                    bars[stage] = progress.add_task(stage, total=len(of_stage), now="")
                bar = bars[stage]
                done = sum(task.state_type == StateType.COMPLETED for task in of_stage)
                running = [task.name for task in of_stage if task.state_type == StateType.RUNNING]
                total = max(len(of_stage), expected.get(stage, 0))
                progress.update(bar, completed=done, total=total, now=" ".join(running[:2]))
            if run.state.is_completed():
                for bar in bars.values():  # reused networks have no tasks for their steps
                    progress.update(bar, completed=progress.tasks[bar].total, now="")
            if run.state.is_final():
                return run
            time.sleep(_POLL_SECONDS)


def _read_tasks(client: SyncPrefectClient, run_id: UUID) -> list[TaskRun]:
    """Return all task runs of a run and of its child runs."""
    children = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run_id]))
    )
    tasks: list[TaskRun] = []
    for one in [run_id, *(child.id for child in children)]:
        of_run, start = FlowRunFilter(id=FlowRunFilterId(any_=[one])), len(tasks)
        while page := client.read_task_runs(flow_run_filter=of_run, offset=len(tasks) - start):
            tasks += page
    return tasks
