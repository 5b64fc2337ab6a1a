"""`make worker`: a worker of the service on another machine than the one that it runs on.

The service's addresses and keys come from the environment, or from a copy of the `env.sh` that `make up` writes.
"""

import os
import shlex
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import httpx
import typer

from deployments.processes import CONSOLE, bypass_proxies, clean_environment, restore_sigint
from deployments.settings import FOLDER, PROJECT, WORKER_SETTINGS, limit_options
from deployments.terminal import run_commands
from inclinet.errors import InclinetError
from inclinet.storage.addresses import open_named_store

__all__ = ["read_environment", "worker_command"]

_OF_A_MACHINE = ("INCLINET_HOME", "INCLINET_CACHE", "INCLINET_LOCKS", "PREFECT_HOME", "TMPDIR")
"""Variables that hold folders of the machine on which they were set."""


def read_environment(path: Path) -> dict[str, str]:
    """Return the variables that a shell script such as `env.sh` exports, without folders of the machine it is from.

    Raises
    ------
    InclinetError
        When the file is missing, or exports nothing.
    """
    if not path.is_file():
        raise InclinetError(
            f"{path}: no such file; copy .service/env.sh from the machine with the service", setting="env_file"
        )
    exported: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if line.startswith("export "):
            exported |= dict(word.split("=", 1) for word in shlex.split(line)[1:] if "=" in word)
    if not exported:
        raise InclinetError(f"{path}: exports no variable; copy .service/env.sh again", setting="env_file")
    return {name: value for name, value in exported.items() if name not in _OF_A_MACHINE}


def worker_command(pool: str) -> list[str]:
    """Return the command that serves a work pool, with one run at a time for each GPU if it is the pool `gpu`."""
    name = f"{pool}-{socket.gethostname()}"
    arguments = ["--pool", pool, "--name", name, "--type", "process", *limit_options(pool)]
    return [sys.executable, "-m", "prefect", "worker", "start", *arguments]


def _complete(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the worker: with the settings of all workers, and this machine's folders."""
    folder = FOLDER.resolve()
    folders = {"PREFECT_HOME": str(folder / "prefect"), "INCLINET_CACHE": str(folder / "cache")}
    return {**WORKER_SETTINGS, **folders, **environment, "INCLINET_HOME": str(PROJECT)}


def _check_server(pool: str) -> None:
    """Check that the Prefect server answers and has the work pool: a worker would make its own of either.

    Raises
    ------
    InclinetError
        When it does not.
    """
    # Only now, because Prefect reads the environment when it is imported.
    from prefect.client.orchestration import get_client
    from prefect.settings import get_current_settings

    settings = get_current_settings().api
    if settings.url is None:
        raise InclinetError("PREFECT_API_URL is not set: name the service's env.sh", setting="env_file")
    try:
        with get_client(sync_client=True) as client:
            pools = [found.name for found in client.read_work_pools()]
    except httpx.HTTPStatusError as error:
        if error.response.status_code != httpx.codes.UNAUTHORIZED:
            raise
        raise InclinetError(f"{settings.url} asks for its auth string: set PREFECT_API_AUTH_STRING") from error
    except httpx.HTTPError as error:
        raise InclinetError(f"{settings.url} does not answer ({error}): is the tunnel to the service open?") from error
    if pool not in pools:
        raise InclinetError(f"{settings.url} has no work pool {pool!r}, only {', '.join(pools)}", setting="pool")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def _worker(
    pool: Annotated[str, typer.Option(help="Work pool to serve.")] = "gpu",
    env_file: Annotated[Path | None, typer.Option(help="Copy of the service's env.sh; else the environment.")] = None,
) -> None:
    """Serve a work pool of the service from this machine, until it is interrupted."""
    bypass_proxies()
    given = read_environment(env_file) if env_file else {}
    os.environ |= given
    _check_server(pool)
    store = open_named_store(None)
    next(iter(store.list("registry")), None)
    command = worker_command(pool)
    CONSOLE.print(f"{' '.join(command[3:])}, store {store.uri}", markup=False)
    sys.stdout.flush()
    environment = _complete(clean_environment(given) if given else os.environ)
    restore_sigint()
    os.execve(command[0], command, environment)  # noqa: S606 - no shell


if __name__ == "__main__":
    run_commands(app)
