"""The whole service on one machine, without containers: `make up`, `make down`, `make demo`.

An object store (`rclone serve s3` on a folder), a Prefect server (SQLite), one process worker on each of the
work pools `cpu` and `gpu`, and every deployment of `prefect.yaml`. All listen on 127.0.0.1 and keep their
state in one folder: `store/`, `prefect/`, `logs/`, `ports.json`, `processes.json`, `credentials`, `env.sh`.
"""

import contextlib
import json
import secrets
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import boto3
import httpx
import psutil
import typer
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from deployments.processes import (
    CONSOLE,
    FOREIGN,
    Launch,
    Program,
    bypass_proxies,
    find,
    inherited,
    log_file,
    records,
    say,
    stop_programs,
    tail,
    write_private,
)
from inclinet.errors import InclinetError
from inclinet.networks.devices import gpus

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

__all__ = ["BUCKET", "POOLS", "WORKER_SETTINGS", "Service", "bucket_client", "down", "status", "up"]

HOST = "127.0.0.1"
BUCKET = "inclinet"
POOLS = ("cpu", "gpu")
PORTS = {"PREFECT_PORT": 4200, "STORE_PORT": 9000}
"""Ports of the first start, by the variables that `make up` takes."""

WORKER_SETTINGS = {
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "inclinet",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # Prefect allows no less
    # Delays double from 2 s: a server that is away for two minutes is waited for.
    "PREFECT_CLIENT_MAX_RETRIES": "6",
}
"""Prefect's settings of the workers and of the runs they start."""

FOLDER = Path(".service")
PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Service:
    """One service: the folder of its state, the project it deploys, and its ports on 127.0.0.1."""

    folder: Path
    project: Path
    prefect_port: int
    store_port: int

    @property
    def ui(self) -> str:
        """Address of the Prefect UI."""
        return f"http://{HOST}:{self.prefect_port}"

    @property
    def api(self) -> str:
        """Address of the Prefect API."""
        return f"{self.ui}/api"

    @property
    def endpoint(self) -> str:
        """Address of the object store."""
        return f"http://{HOST}:{self.store_port}"

    @property
    def prefect_environment(self) -> dict[str, str]:
        """Environment variables of whoever talks to the Prefect server."""
        return {
            "PREFECT_API_URL": self.api,
            "PREFECT_HOME": str(self.folder / "prefect"),
            "INCLINET_HOME": str(self.project),
        }

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables of whoever also reads and writes artifacts, the secret key among them."""
        access, secret = _credentials(self.folder)
        return self.prefect_environment | {
            "INCLINET_STORE": f"s3://{BUCKET}",
            "INCLINET_CACHE": str(self.folder / "cache"),
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": access,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


def up(
    folder: Path = FOLDER,
    project: Path = PROJECT,
    prefect_port: int | None = None,
    store_port: int | None = None,
) -> Service:
    """Start what does not run yet and apply `prefect.yaml`; what runs and answers is kept.

    Parameters
    ----------
    folder
        State folder, made if absent.
    project
        Folder that holds `prefect.yaml`; `INCLINET_HOME` in the workers' environment.
    prefect_port, store_port
        Ports on 127.0.0.1; by default those of the last time, at first 4200 and 9000.

    Returns
    -------
    Service
        The addresses, and the environment variables that a client needs.

    Raises
    ------
    InclinetError
        A port is taken, a program does not start, or `prefect.yaml` is missing or refused. What this call
        started is stopped again.
    """
    folder, project = Path(folder).resolve(), Path(project).resolve()
    if not (project / "prefect.yaml").is_file():
        raise InclinetError(f"{project} holds no prefect.yaml: name the project's folder with --project")
    bypass_proxies()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "logs").mkdir(exist_ok=True)
    service = Service(folder, project, *_settle_ports(folder, prefect_port, store_port))
    _write_env(service)
    launch = Launch(folder)
    try:
        _bring_up(service, launch)
    except BaseException:
        stop_programs(folder, launch.started)
        raise
    return service


def down(folder: Path = FOLDER) -> list[str]:
    """Stop the workers with the flow runs below them, then the server, then the store; data stay.

    Returns
    -------
    list of str
        Names of the programs that were running; empty when none was.
    """
    folder = Path(folder).resolve()
    return stop_programs(folder, records(folder))


def status(folder: Path = FOLDER) -> dict[str, psutil.Process | None]:
    """Return the process of every program that `up` started, None for one that no longer runs."""
    folder = Path(folder).resolve()
    return {name: find(folder, name) for name in records(folder)}


def bucket_client(service: Service, attempts: int = 6) -> BaseClient:
    """Return a boto3 client of the service's object store that gives up after a few seconds."""
    access, secret = _credentials(service.folder)
    return boto3.client(
        "s3",
        endpoint_url=service.endpoint,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(
            max_pool_connections=32,
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "total_max_attempts": attempts},
        ),
    )


def _bring_up(service: Service, launch: "Launch") -> None:
    store = _store(service)
    launch.start(store)
    launch.wait(store)
    _create_bucket(service)
    with _prefect_client(service) as client:
        server = _server(service, client)
        launch.start(server)
        # Before the API answers, workers and `prefect deploy` would start a server of their own.
        launch.wait(server)
        _create_pools(client)
        workers = [_worker(service, client, pool) for pool in POOLS]
        for worker in workers:
            launch.start(worker)
        _mark_dead_runs(client)
        _deploy(service)  # while the workers start
        _automate(client)
        for worker in workers:
            launch.wait(worker)


def _store(service: Service) -> Program:
    rclone = Path(sys.executable).parent / "rclone"
    if not rclone.is_file():
        raise InclinetError(f"{rclone} is missing: install the extra `service` of inclinet")
    data = service.folder / "store"
    data.mkdir(mode=0o700, exist_ok=True)
    access, secret = _credentials(service.folder)
    client = bucket_client(service, attempts=1)

    def ready(process: psutil.Process) -> bool:
        with contextlib.suppress(BotoCoreError, ClientError):
            client.list_buckets()
            return True
        return False

    address = f"{HOST}:{service.store_port}"
    return Program(
        "object-store",
        service.endpoint,
        # An empty --config keeps the user's own rclone settings out.
        [str(rclone), "serve", "s3", str(data), "--addr", address, "--config", ""],
        {"RCLONE_AUTH_KEY": f'"{access},{secret}"'},
        ready,
        deadline=30,
    )


def _server(service: Service, client: "SyncPrefectClient") -> Program:
    settings = {
        "PREFECT_SERVER_UI_API_URL": service.api,  # the UI looks at port 4200 otherwise
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    return Program(
        "prefect-server",
        service.ui,
        _prefect("server", "start", "--host", HOST, "--port", str(service.prefect_port), module="deployments.server"),
        service.prefect_environment | settings,
        lambda process: client.api_healthcheck() is None,
        deadline=90,
    )


def _worker(service: Service, client: "SyncPrefectClient", pool: str) -> Program:
    name = f"{pool}-1"

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
        _prefect("worker", "start", "--pool", pool, "--name", name, "--type", "process"),
        service.environment | WORKER_SETTINGS,
        ready,
        deadline=60,
    )


def _prefect(*arguments: str, module: str = "prefect") -> list[str]:
    return [sys.executable, "-m", module, *arguments]


@contextlib.contextmanager
def _prefect_client(service: Service) -> Iterator["SyncPrefectClient"]:
    """Give a client of the service's own server, whatever the user's Prefect profile says."""
    # Prefect takes a second to import, which `down` and `status` do not need.
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_REQUEST_TIMEOUT, PREFECT_API_URL, temporary_settings

    settings = {PREFECT_API_URL: service.api, PREFECT_API_REQUEST_TIMEOUT: 5}
    with temporary_settings(settings), get_client(sync_client=True) as client:
        yield client


def _create_bucket(service: Service) -> None:
    client = bucket_client(service)
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)


def _create_pools(client: "SyncPrefectClient") -> None:
    """Create the work pools that are absent; limits that a person has set since are kept."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    present = {pool.name for pool in client.read_work_pools()}
    for name in POOLS:
        if name not in present:
            limit = max(1, len(gpus())) if name == "gpu" else None
            pool = WorkPoolCreate(name=name, type="process", base_job_template=template, concurrency_limit=limit)
            client.create_work_pool(pool)


def _mark_dead_runs(client: "SyncPrefectClient") -> None:
    """Mark runs as crashed whose process died together with its worker, so that they hold no place in a pool.

    The automation for silent runs does so too, but only after a while, and for those that the server saw alive.
    """
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    begun = FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING])
    for run in client.read_flow_runs(flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=begun))):
        pid = (run.infrastructure_pid or "").rpartition(":")[2]
        # Runs of workers elsewhere have no number here, or a container's name.
        if pid.isdecimal() and not _is_prefect(int(pid)):
            client.set_flow_run_state(run.id, Crashed(message="Its process had died with its worker. Retry the run."))
            say("dead run", run.name, "marked as crashed")


def _is_prefect(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return any("prefect" in argument for argument in psutil.Process(pid).cmdline())
    return False


def _automate(client: "SyncPrefectClient") -> None:
    # It imports Prefect, which `down` and `status` do not need.
    from deployments.automations import apply_automations

    apply_automations(client)


def _deploy(service: Service) -> None:
    start = time.monotonic()
    with log_file(service.folder, "deploy").open("w") as log:
        result = subprocess.run(
            _prefect("deploy", "--all", "--no-prompt"),
            cwd=service.project,
            env=inherited(service.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode != 0:
        raise InclinetError(f"{service.project / 'prefect.yaml'} was not deployed.\n{tail(service.folder, 'deploy')}")
    say("deployments", "prefect.yaml", f"applied in {time.monotonic() - start:.1f} s")


def _settle_ports(folder: Path, prefect_port: int | None, store_port: int | None) -> tuple[int, int]:
    """Return (Prefect port, store port), both free or in use by this service, and remember them."""
    memory = folder / "ports.json"
    known = PORTS | (json.loads(memory.read_text()) if memory.exists() else {})
    wanted = {
        "PREFECT_PORT": prefect_port or known["PREFECT_PORT"],
        "STORE_PORT": store_port or known["STORE_PORT"],
    }
    if wanted["PREFECT_PORT"] == wanted["STORE_PORT"]:
        raise InclinetError(f"port {wanted['STORE_PORT']} is given twice: choose two ports, make up STORE_PORT=9100")
    running = [name for name, process in status(folder).items() if process is not None]
    if running and wanted != known:
        ports = " ".join(f"{name}={port}" for name, port in known.items())
        raise InclinetError(f"the service runs with {ports}: stop it with `make down` to change its ports")
    if "prefect-server" not in running:
        _check_free("PREFECT_PORT", wanted["PREFECT_PORT"])
    if "object-store" not in running:
        _check_free("STORE_PORT", wanted["STORE_PORT"])
    memory.write_text(json.dumps(wanted))
    return wanted["PREFECT_PORT"], wanted["STORE_PORT"]


def _check_free(variable: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise InclinetError(
                f"port {port} of {HOST} cannot be used ({error.strerror}): "
                f"choose another one, for example `make up {variable}={port + 100}`"
            ) from error


def _credentials(folder: Path) -> tuple[str, str]:
    """Return the store's (access key, secret key), made up at the first call."""
    path = folder / "credentials"
    if not path.exists():
        write_private(path, json.dumps([secrets.token_hex(10).upper(), secrets.token_hex(20)]))
    access, secret = json.loads(path.read_text())
    return access, secret


def _write_env(service: Service) -> None:
    exports = [f"export {name}={shlex.quote(value)}" for name, value in service.environment.items()]
    write_private(service.folder / "env.sh", "\n".join([f"unset {' '.join(FOREIGN)}", *exports, ""]))


app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Folder = Annotated[Path, typer.Option(help="State folder: data, logs, credentials.")]


@app.command("up")
def _up(
    prefect_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the Prefect server; first 4200, then as before."),
    ] = None,
    store_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the object store; first 9000, then as before."),
    ] = None,
    folder: Folder = FOLDER,
    project: Annotated[Path, typer.Option(help="Folder that holds prefect.yaml.")] = PROJECT,
) -> None:
    """Start what does not run yet, and apply prefect.yaml."""
    service = up(folder, project, prefect_port, store_port)
    CONSOLE.print(f"\nPrefect UI   {service.ui}", markup=False)
    CONSOLE.print(f"In a shell   source {shlex.quote(str(service.folder / 'env.sh'))}", markup=False)
    CONSOLE.print("To stop      make down", markup=False)


@app.command("down")
def _down(folder: Folder = FOLDER) -> None:
    """Stop everything; data stay."""
    if not down(folder):
        CONSOLE.print("nothing was running")


@app.command("status")
def _status(folder: Folder = FOLDER) -> None:
    """Show what runs, and where."""
    table = Table("process", "pid", "alive", "address")
    recorded = records(folder)
    for name, process in status(folder).items():
        alive = "no" if process is None else "yes"
        table.add_row(name, str(recorded[name]["pid"]), alive, recorded[name]["address"])
    CONSOLE.print(table if recorded else "nothing was started")


def main() -> None:
    """Run the command line; what the user can put right ends in one message and exit code 1."""
    try:
        app()
    except InclinetError as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]error:[/] {escape(str(error))}")
        sys.exit(1)


if __name__ == "__main__":
    main()
