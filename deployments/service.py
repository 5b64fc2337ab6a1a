"""The whole service on one machine, without containers: `make up`, `make status`, `make down`.

It consists of an object store (rclone on a folder), a Prefect server (on SQLite), a process worker for each of the
work pools `cpu` and `gpu`, and every deployment of `prefect.yaml`. All of them listen only on 127.0.0.1 and keep
their state in one folder: `store/`, `prefect/`, `ui/`, `logs/`, `tmp/`, `ports.json`, `workers.json`, `processes.json`,
and, readable only by their owner, `credentials` of the store, `auth-string` of the Prefect API, and `env.sh` with both.
"""

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import psutil
import typer
from botocore.client import BaseClient
from rich import box
from rich.table import Table

from deployments.auth import AUTH_FILE, choose_auth_string
from deployments.leftovers import remove_leftovers
from deployments.object_store import create_bucket
from deployments.ports import choose_ports
from deployments.processes import (
    CONSOLE,
    FOREIGN,
    Launch,
    bypass_proxies,
    find,
    find_all,
    print_status,
    records,
    stop_programs,
    write_private,
)
from deployments.settings import BUCKET, FOLDER, POOLS, PROJECT, Service
from deployments.terminal import PrefectPort, StorePort, run_commands
from inclinet.errors import InclinetError
from inclinet.networks.devices import runs_at_once

__all__ = ["BUCKET", "POOLS", "Service", "bucket_client", "down", "status", "up"]


def up(
    folder: Path = FOLDER,
    project: Path = PROJECT,
    prefect_port: int | None = None,
    store_port: int | None = None,
    workers: Sequence[str] | None = None,
) -> Service:
    """Start what is not running and apply `prefect.yaml`; programs that run and answer are left alone.

    Parameters
    ----------
    folder
        State folder, created if necessary.
    project
        Folder that holds `prefect.yaml`; `INCLINET_HOME` in the workers' environment.
    prefect_port, store_port
        Ports on 127.0.0.1; by default those of the last start, at first 4200 and 9000.
    workers
        Work pools that get a worker on this machine; by default those of the last start, at first all. The workers of
        the others are stopped.

    Returns
    -------
    Service
        The addresses, and the environment variables that a client needs.

    Raises
    ------
    InclinetError
        A port is taken, the auth string cannot be used, a program does not start, or `prefect.yaml` is missing or
        refused. Whatever this call started is stopped again.
    """
    folder, project = Path(folder).resolve(), Path(project).resolve()
    if not (project / "prefect.yaml").is_file():
        raise InclinetError(f"{project} holds no prefect.yaml: name the folder of the project", setting="project")
    bypass_proxies()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("logs", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    if not any(find_all(folder).values()):
        remove_leftovers(folder / "tmp")
    pools = _choose_pools(folder, workers)
    service = Service(folder, project, *choose_ports(folder, prefect_port, store_port))
    choose_auth_string(folder)
    _write_env(service)
    launch = Launch(folder)
    try:
        _bring_up(service, launch, pools)
    except BaseException:
        stop_programs(folder, launch.started)
        raise
    return service


def down(folder: Path = FOLDER) -> list[str]:
    """Stop the workers and their flow runs, then the server, then the store; the data stay.

    Returns
    -------
    list of str
        Names of the programs that were running; empty if none was.
    """
    folder = Path(folder).resolve()
    return stop_programs(folder, records(folder))


def status(folder: Path = FOLDER) -> dict[str, psutil.Process | None]:
    """Return the process of every program that `up` started, None for those that no longer run."""
    return find_all(Path(folder).resolve())


def bucket_client(service: Service) -> BaseClient:
    """Return a boto3 client of the service's object store."""
    return service.store.client()


def _choose_pools(folder: Path, workers: Sequence[str] | None) -> list[str]:
    """Return the work pools that get a worker on this machine, and remember them in `workers.json`."""
    memory = folder / "workers.json"
    if workers is None:
        workers = json.loads(memory.read_text()) if memory.exists() else POOLS
    if unknown := [pool for pool in workers if pool not in POOLS]:
        raise InclinetError(f"no work pool {unknown[0]!r}: choose from {', '.join(POOLS)}, or none", setting="workers")
    write_private(memory, json.dumps(list(workers)))
    return list(workers)


def _bring_up(service: Service, launch: Launch, pools: Sequence[str]) -> None:
    # Prefect takes a second to import, and `down` and `status` do not need it.
    from deployments import prefect_server
    from deployments.automations import apply_automations

    service.store.folder.mkdir(mode=0o700, exist_ok=True)
    store = service.store.program()
    launch.start(store)
    with (
        prefect_server.prefect_client(service, timeout=5) as client,
        prefect_server.deploying(service) as finish_deploying,
    ):
        server = prefect_server.server_program(service, client)
        workers = [prefect_server.worker_program(service, client, pool) for pool in pools]
        launch.start(server)
        # They load Prefect while the server starts; whether one that runs is well, the server will know.
        for worker in workers:
            if find(service.folder, worker.name) is None:
                launch.start(worker)
        launch.wait(store)
        create_bucket(service.store.client(), BUCKET)
        launch.wait(server)
        prefect_server.create_pools(client, limits={"gpu": runs_at_once()})
        stop_programs(service.folder, [f"worker-{pool}" for pool in POOLS if pool not in pools])
        finish_deploying()
        for line in apply_automations(client):
            print_status("", line, "")
        for worker in workers:
            if worker.name not in launch.started:
                launch.start(worker)
            launch.wait(worker)
        prefect_server.mark_dead_runs(client)


def _write_env(service: Service) -> None:
    exports = [f"export {name}={shlex.quote(value)}" for name, value in service.environment.items()]
    write_private(service.folder / "env.sh", "\n".join([f"unset {' '.join(FOREIGN)}", *exports, ""]))


app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
Folder = Annotated[Path, typer.Option(help="State folder: data, logs, credentials.")]


@app.command("up")
def _up(
    prefect_port: PrefectPort = None,
    store_port: StorePort = None,
    workers: Annotated[
        str | None, typer.Option(help="Work pools with a worker on this machine, separated by commas, or none.")
    ] = None,
    folder: Folder = FOLDER,
    project: Annotated[Path, typer.Option(help="Folder that holds prefect.yaml.")] = PROJECT,
) -> None:
    """Start what is not running, and apply prefect.yaml."""
    pools = None if workers is None else [name for name in re.split(r"[\s,]+", workers) if name not in ("", "none")]
    service = up(folder, project, prefect_port, store_port, pools)
    CONSOLE.print(f"\nPrefect UI   {service.ui}", markup=False)
    CONSOLE.print(f"Its login    {service.folder / AUTH_FILE}", markup=False)
    CONSOLE.print(f"In a shell   source {shlex.quote(str(service.folder / 'env.sh'))}", markup=False)
    CONSOLE.print("To stop      make down", markup=False)


@app.command("down")
def _down(folder: Folder = FOLDER) -> None:
    """Stop everything; the data stay."""
    if not down(folder):
        CONSOLE.print("nothing was running")


@app.command("status")
def _status(folder: Folder = FOLDER) -> None:
    """Show which programs run, and where; the runs, the queue, and the version in use."""
    recorded, processes = records(folder), status(folder)
    if not recorded:
        CONSOLE.print("nothing has been started")
        return
    table = Table("process", "pid", "running", "address", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, process in processes.items():
        table.add_row(name, str(recorded[name]["pid"]), "no" if process is None else "yes", recorded[name]["address"])
    CONSOLE.print(table)
    # Prefect takes a second to import.
    from deployments.overview import show_runs, show_version
    from deployments.prefect_server import prefect_client

    if processes.get("prefect-server"):
        service = Service(folder.resolve(), PROJECT, *choose_ports(folder.resolve(), None, None))
        with prefect_client(service, timeout=5) as client:
            show_runs(client)
    show_version(folder.resolve() / "store")


if __name__ == "__main__":
    run_commands(app)
