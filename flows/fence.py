"""Fencing: a process whose run was given up while it was cut off from the server ends, and leaves the run to others.

A run that has been silent for too long is marked as crashed, and another process is started for it. If the first one is
alive after all, both would do the same work, and the run would be crashed and then completed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from threading import Event, Thread
from uuid import UUID

import httpx
import psutil
from prefect import get_client, get_run_logger
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runtime import flow_run

from flows.disks import report_full_disks

__all__ = ["fenced"]

_LOOK_SECONDS = 20.0
_OURS = {StateType.RUNNING, StateType.CANCELLING, StateType.CANCELLED}


@contextmanager
def fenced() -> Iterator[None]:
    """Run the block for as long as the server holds this process to be the one that executes its flow run.

    The server is asked every 20 s, and once more at the end of the block. The process ends, without an error that would
    be reported, when the run was marked as crashed or is executed by another process. What it made stays in the store.
    Meanwhile, disks are looked at that may fill.
    """
    if flow_run.id is None:
        yield
        return
    run = UUID(str(flow_run.id))
    with get_client(sync_client=True) as client:
        attempt = client.read_flow_run(run).run_count
    over = Event()

    def watch() -> None:
        with get_client(sync_client=True) as client:
            while not over.wait(_LOOK_SECONDS):
                report_full_disks()
                with suppress(httpx.HTTPError, PrefectHTTPStatusError):  # asked again soon
                    _leave_unless_ours(client, run, attempt)

    # The context names the server.
    Thread(target=copy_context().run, args=[watch], daemon=True, name="fence").start()
    try:
        yield
        with get_client(sync_client=True) as client:
            _leave_unless_ours(client, run, attempt)
    finally:
        over.set()


def _leave_unless_ours(client: SyncPrefectClient, run: UUID, attempt: int) -> None:
    """End this process if the run is not its own any more; `attempt` counts the processes that executed the run."""
    now = client.read_flow_run(run)
    if now.state is None or (now.state.type in _OURS and now.run_count == attempt):
        return
    get_run_logger().warning(
        "this run was given up (%s) while its process was cut off; the process ends here, and leaves it to another",
        now.state.message or now.state.name,
    )
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    # Any other status would be reported, and mark a run as crashed that another process executes by now.
    os._exit(0)
