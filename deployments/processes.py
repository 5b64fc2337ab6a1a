"""Programs that outlive the command that started them: start, record, find and stop them.

A program is identified by its process id and its start time, so that a reused id is never mistaken for it.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console

from inclinet.errors import InclinetError

__all__ = [
    "CONSOLE",
    "FOREIGN",
    "Launch",
    "Program",
    "becomes_ready",
    "bypass_proxies",
    "clean_environment",
    "find",
    "find_all",
    "log_file",
    "print_status",
    "records",
    "restore_sigint",
    "spawn",
    "stop",
    "stop_programs",
    "tail",
    "write_private",
]

CONSOLE = Console(highlight=False, soft_wrap=True)

FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3")
"""Variables of a user's own cloud account, which would override the settings of a local object store."""

_PATIENCE = 10  # s: a running process that does not answer for this long is restarted
_GRACE = 10  # s: time to end after a request to stop, before the process is killed


@dataclass(frozen=True)
class Program:
    """One program of the service: how to start it, and how to tell that it is ready."""

    name: str
    address: str
    command: list[str]
    environment: dict[str, str]
    ready: Callable[[psutil.Process], bool]
    deadline: float
    """Seconds from the start to the first answer; after that, the start has failed."""


class Launch:
    """Starts programs, waits until they are ready, and remembers which ones it started."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.started: dict[str, psutil.Process] = {}

    def start(self, program: Program) -> None:
        """Start a program, unless it already runs and answers."""
        process = find(self.folder, program.name)
        if process is not None and becomes_ready(program, process, _PATIENCE):
            print_status(program.name, program.address, f"already running, pid {process.pid}")
            return
        if process is not None:
            stop([process])
        process = spawn(program, log_file(self.folder, program.name))
        record = {"pid": process.pid, "created": process.create_time(), "address": program.address}
        _write_records(self.folder, records(self.folder) | {program.name: record})
        self.started[program.name] = process

    def wait(self, program: Program) -> None:
        """Wait until a program that was just started is ready.

        Raises
        ------
        InclinetError
            The program ended, or did not answer in time; with the end of its log.
        """
        process = self.started.get(program.name)
        if process is None:
            return
        if not becomes_ready(program, process, program.deadline):
            reason = f"no answer after {program.deadline:g} s" if _is_alive(process) else "its process ended"
            log = log_file(self.folder, program.name)
            raise InclinetError(f"{program.name} did not start: {reason}.\n{tail(log)}")
        print_status(program.name, program.address, f"ready in {time.time() - process.create_time():.1f} s")


def spawn(program: Program, log: Path) -> psutil.Process:
    """Start a program in a session of its own, its output appended to `log`."""
    with log.open("a") as stream:
        child = subprocess.Popen(
            program.command,
            cwd=log.parent,
            env=clean_environment(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that neither Ctrl-C nor the end of `make` reaches it
            preexec_fn=restore_sigint,
        )
    return psutil.Process(child.pid)


def restore_sigint() -> None:
    """Restore SIGINT, which background jobs of a shell ignore: workers would then ignore SIGTERM, too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def becomes_ready(program: Program, process: psutil.Process, seconds: float) -> bool:
    """Return whether the program is ready within `seconds`; False as soon as its process has ended."""
    deadline = time.monotonic() + seconds
    while _is_alive(process) and time.monotonic() < deadline:
        if program.ready(process):
            return True
        time.sleep(0.1)
    return False


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def find(folder: Path, name: str) -> psutil.Process | None:
    """Return the process of a recorded program, None if it has ended, even if its process id is in use again."""
    record = records(folder).get(name)
    if record is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(record["pid"])
        # Start times derive from the boot time, which the kernel gives in whole seconds.
        same = abs(process.create_time() - record["created"]) < 2
        return process if same and _is_alive(process) else None
    return None


def find_all(folder: Path) -> dict[str, psutil.Process | None]:
    """Return the process of every recorded program by name, None for those that have ended."""
    return {name: find(folder, name) for name in records(folder)}


def stop_programs(folder: Path, names: Iterable[str]) -> list[str]:
    """Stop the named programs, workers first and the store last, and remove their records.

    Returns
    -------
    list of str
        Names of those that were running.
    """
    names = list(names)
    workers = [name for name in names if name.startswith("worker-")]
    stopped: list[str] = []
    for group in (workers, ["prefect-server"], ["object-store"]):
        group = [name for name in group if name in names]
        running = {name: process for name in group if (process := find(folder, name)) is not None}
        start = time.monotonic()
        _stop_flow_runs(process for name, process in running.items() if name in workers)
        stop(running.values())
        for name, process in running.items():
            print_status(name, f"pid {process.pid}", f"stopped in {time.monotonic() - start:.1f} s")
        stopped += running
        if group:
            _write_records(folder, {name: record for name, record in records(folder).items() if name not in group})
    return stopped


def _stop_flow_runs(workers: Iterable[psutil.Process]) -> None:
    """Stop the flow runs while worker and server can still record it; otherwise they count as running for ever."""
    runs: list[psutil.Process] = []
    for worker in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            runs += worker.children()
    stop(runs)
    if runs:
        time.sleep(1)  # the worker reports to the server the runs that had not begun


def stop(processes: Iterable[psutil.Process]) -> None:
    """Ask the processes to end, then kill those that have not, and all of their children."""
    trees: list[psutil.Process] = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            trees += [process, *process.children(recursive=True)]
            process.terminate()
    _, alive = psutil.wait_procs(trees, timeout=_GRACE)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=_GRACE)


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable only by its owner."""
    draft = path.with_name(path.name + ".part")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def clean_environment(environment: dict[str, str]) -> dict[str, str]:
    """Return this process's environment, updated with `environment`, without settings that point elsewhere.

    Removed are the user's own cloud account, and another Prefect server with its database and key.
    """
    own = {n: v for n, v in os.environ.items() if n not in FOREIGN and not n.startswith("PREFECT_")}
    return own | environment


def bypass_proxies() -> None:
    """Make this process, and all that it starts, reach 127.0.0.1 directly whatever proxy is set."""
    for variable in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(variable, "").split(",") if host]
        os.environ[variable] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))


def records(folder: Path) -> dict[str, dict]:
    """Return the record of every program started, by name: `pid`, `created` (s since 1970) and `address`."""
    path = folder / "processes.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _write_records(folder: Path, records: dict[str, dict]) -> None:
    write_private(folder / "processes.json", json.dumps(records, indent=2))


def log_file(folder: Path, name: str) -> Path:
    """Return the path of a program's log."""
    return folder / "logs" / f"{name}.log"


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log, for an error message."""
    return "\n".join([f"The end of {log}:", *log.read_text(errors="replace").splitlines()[-lines:]])


def print_status(name: str, address: str, status: str) -> None:
    """Print one line of progress."""
    CONSOLE.print(f"{name:<15} {address:<24} {status}", markup=False)
