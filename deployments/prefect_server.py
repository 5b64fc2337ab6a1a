"""The Prefect part of the service: its server, work pools, workers and deployments."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx
import psutil
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_API_URL,
    temporary_settings,
)
from prefect.states import Crashed
from prefect.workers.process import ProcessWorker

from deployments.ports import HOST
from deployments.processes import Program, clean_environment, log_file, print_status, tail
from deployments.settings import HEAL, POOLS, SERVER_SETTINGS, WORKER_SETTINGS, Service, limit_options
from inclinet.errors import InclinetError

__all__ = [
    "create_pools",
    "deploying",
    "mark_dead_runs",
    "prefect_client",
    "server_program",
    "wait_for_pools",
    "worker_program",
]


START_SECONDS = 180.0
"""How long the server may take to start on a busy machine, and all that waits for it."""


@contextlib.contextmanager
def prefect_client(service: Service, timeout: float = 60) -> Iterator[SyncPrefectClient]:
    """Yield a client of the service's own server, whatever the user's Prefect profile says.

    While the block runs, other clients of this process use that server, too. `timeout` (s) limits each request.
    """
    settings = {
        PREFECT_API_URL: service.api,
        PREFECT_API_AUTH_STRING: service.auth_string,
        PREFECT_API_REQUEST_TIMEOUT: timeout,
    }
    with temporary_settings(settings), get_client(sync_client=True) as client:
        yield client


def server_program(service: Service, client: SyncPrefectClient) -> Program:
    """Return the Prefect server, which is ready when it answers `client`, and nobody without the auth string."""
    settings = {
        "PREFECT_SERVER_API_AUTH_STRING": service.auth_string,
        # The usual place, the package's folder, may belong to another user.
        "PREFECT_UI_STATIC_DIRECTORY": str(service.folder / "ui"),
        # The UI would look for port 4200; behind a proxy, the operator names its address.
        "PREFECT_SERVER_UI_API_URL": os.environ.get("PREFECT_UI_API_URL", service.api),
    }
    return Program(
        "prefect-server",
        service.ui,
        _python("deployments.server", "server", "start", "--host", HOST, "--port", str(service.prefect_port)),
        service.prefect_environment | SERVER_SETTINGS | settings,
        lambda process: _admits_only(service, client),
        deadline=START_SECONDS,
    )


def _admits_only(service: Service, client: SyncPrefectClient) -> bool:
    """Return whether the server answers a client with the right auth string, and refuses one without."""
    with contextlib.suppress(httpx.HTTPError):  # not up yet, or another auth string
        client.api_version()
        return httpx.get(f"{service.api}/admin/version", timeout=5).status_code == httpx.codes.UNAUTHORIZED
    return False


def worker_program(service: Service, client: SyncPrefectClient, pool: str) -> Program:
    """Return the worker of a work pool, which is ready when the server knows of it."""
    name = _worker_name(pool)

    def ready(process: psutil.Process) -> bool:
        # A heartbeat older than the process came from its predecessor.
        with contextlib.suppress(httpx.HTTPError):
            return any(
                worker.name == name and worker.last_heartbeat_time.timestamp() >= process.create_time()
                for worker in client.read_workers_for_work_pool(pool)
            )
        return False

    return Program(
        f"worker-{pool}",
        f"work pool {pool}",
        _python("deployments.pool_worker", "--pool", pool, "--name", name, "--type", "process", *limit_options(pool)),
        # Prefect keeps files of all runs in `runner_storage` of this folder, which two users cannot share.
        service.environment | WORKER_SETTINGS | {"TMPDIR": str(service.folder / "tmp")},
        ready,
        deadline=START_SECONDS,
    )


def _worker_name(pool: str) -> str:
    """Return the name of this machine's worker of a pool; those of other machines are named after their host."""
    return f"{pool}-1"


def _python(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def create_pools(client: SyncPrefectClient, limits: Mapping[str, int]) -> None:
    """Create the work pools that do not exist, with limits of runs at a time; existing ones stay as people set them."""
    template = ProcessWorker.get_default_base_job_template()
    existing = {pool.name for pool in client.read_work_pools()}
    for name in POOLS:
        if name not in existing:
            pool = WorkPoolCreate(
                name=name, type="process", base_job_template=template, concurrency_limit=limits.get(name)
            )
            # A slow server may create it and answer too late: the client asks again, and hears that it exists.
            with contextlib.suppress(ObjectAlreadyExists):
                client.create_work_pool(pool)


def mark_dead_runs(client: SyncPrefectClient) -> None:
    """Mark runs as crashed if their process died together with its worker, and have them run again.

    The automations for silent and for crashed runs do the same, but only after a while: a server that was itself
    started again holds events of runs back for 15 minutes, as long as it has not seen the ones before.
    """
    own = {_worker_name(pool) for pool in POOLS}
    begun = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING])
    for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=begun))):
        pid = (run.infrastructure_pid or "").rpartition(":")[2]
        # The process ids of workers on other machines mean nothing here.
        is_own = run.labels.get("prefect.worker.name") in own
        if is_own and pid.isdecimal() and not _is_prefect(int(pid)):
            client.set_flow_run_state(run.id, Crashed(message="Its process died with its worker."))
            print_status("dead run", run.name, "marked as crashed")
            if run.parent_task_run_id is None and run.state and run.state.is_running():
                _heal(client, run.id)


def _heal(client: SyncPrefectClient, run: UUID) -> None:
    """Have a crashed run run again, as the automation does; it does not matter if that does it, too."""
    with contextlib.suppress(ObjectNotFound):  # a project without it
        heal = client.read_deployment_by_name(HEAL)
        client.create_flow_run_from_deployment(heal.id, parameters={"run": str(run)})


def _is_prefect(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return any("prefect" in argument for argument in psutil.Process(pid).cmdline())
    return False


def wait_for_pools(client: SyncPrefectClient, pools: Sequence[str], seconds: float = START_SECONDS) -> None:
    """Wait until the server answers and has the work pools.

    Raises
    ------
    InclinetError
        When it does not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if {pool.name for pool in client.read_work_pools()}.issuperset(pools):
                return
        time.sleep(0.1)
    raise InclinetError(f"the Prefect server has no work pool {', '.join(pools)} after {seconds:g} s")


@contextlib.contextmanager
def deploying(service: Service) -> Iterator[Callable[[], None]]:
    """Apply the project's `prefect.yaml`, and keep what people have set, in a process that loads the flows at once.

    Yields what waits for the end of it and prints what was changed and kept; it raises an `InclinetError`, with the end
    of the log, when a file or the server refused it. Unless that was called, the process is stopped.
    """
    log = log_file(service.folder, "deploy")
    with (
        log.open("w") as errors,
        subprocess.Popen(
            _python("deployments.deploy", "--wait"),
            cwd=service.project,
            env=clean_environment(service.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield partial(_finish_deploying, service, process, log)
        finally:
            process.kill()


def _finish_deploying(service: Service, process: subprocess.Popen[str], log: Path) -> None:
    start = time.monotonic()
    lines, _ = process.communicate()
    if process.returncode != 0:
        raise InclinetError(f"{service.project / 'prefect.yaml'} was not deployed.\n{tail(log)}")
    print_status("deployments", "prefect.yaml", f"applied in {time.monotonic() - start:.1f} s")
    for line in lines.splitlines():
        print_status("", line, "")
