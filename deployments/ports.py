"""Ports on this machine: free ones, and the two of the service."""

import json
import secrets
import socket
from pathlib import Path

from deployments.processes import find_all, write_private
from inclinet.errors import InclinetError

__all__ = ["HOST", "choose_ports", "free_port"]

HOST = "127.0.0.1"
_DEFAULTS = {"PREFECT_PORT": 4200, "STORE_PORT": 9000}
# Below the ports that Linux (from 32768) and other systems (from 49152) give to outgoing connections.
_CANDIDATES = range(20_000, 32_000)


def free_port(candidates: range = _CANDIDATES) -> int:
    """Return a port of 127.0.0.1 that nobody listens on.

    The search starts at a random place in `candidates`, so that two processes that ask at the same time get different
    ports. No outgoing connection takes the usual candidates before the caller does.

    Raises
    ------
    InclinetError
        No free port was found.
    """
    start = secrets.randbelow(len(candidates))
    for port in [*candidates[start:], *candidates[:start]]:
        if _error_of(port) is None:
            return port
    raise InclinetError(f"no free port from {candidates.start} to {candidates.stop - 1}")


def choose_ports(folder: Path, prefect_port: int | None, store_port: int | None) -> tuple[int, int]:
    """Return the ports of the Prefect server and of the object store, and remember them in `ports.json`.

    Ports that are not given are those of the last start; those of the first are 4200 and 9000.

    Raises
    ------
    InclinetError
        Both ports are the same, one is taken by another program, or the service runs with other ports.
    """
    memory = folder / "ports.json"
    known = _DEFAULTS | (json.loads(memory.read_text()) if memory.exists() else {})
    wanted = {
        "PREFECT_PORT": known["PREFECT_PORT"] if prefect_port is None else prefect_port,
        "STORE_PORT": known["STORE_PORT"] if store_port is None else store_port,
    }
    if wanted["PREFECT_PORT"] == wanted["STORE_PORT"]:
        raise InclinetError(f"port {wanted['STORE_PORT']} is given twice: choose two ports", setting="store_port")
    running = [name for name, process in find_all(folder).items() if process is not None]
    if running and wanted != known:
        ports = " ".join(f"{name}={port}" for name, port in known.items())
        raise InclinetError(f"the service runs with {ports}: stop it with `make down` to change its ports")
    if "prefect-server" not in running:
        _check_free("prefect_port", wanted["PREFECT_PORT"])
    if "object-store" not in running:
        _check_free("store_port", wanted["STORE_PORT"])
    write_private(memory, json.dumps(wanted))
    return wanted["PREFECT_PORT"], wanted["STORE_PORT"]


def _check_free(setting: str, port: int) -> None:
    if (error := _error_of(port)) is not None:
        raise InclinetError(
            f"port {port} of {HOST} cannot be used ({error}): choose another one, for example {free_port()}",
            setting=setting,
        )


def _error_of(port: int) -> str | None:
    """Return why a program cannot listen on a port, None if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.strerror or str(error)
    return None
