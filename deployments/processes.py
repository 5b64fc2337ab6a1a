"""Programs that outlive the command that starts them: started, recorded, found again, stopped.

A program is known by its process id and the time it began, so that a recycled id is never taken for it.
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
    "bypass_proxies",
    "find",
    "inherited",
    "log_file",
    "records",
    "say",
    "stop_programs",
    "tail",
    "write_private",
]

CONSOLE = Console(highlight=False, soft_wrap=True)

# A user's own cloud settings that would win over the ones set here.
FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3")
# A process that is alive but silent for this long (s) is started anew.
_PATIENCE = 10
# What is stopped gets this long (s) to end by itself before it is killed.
_GRACE = 10


@dataclass(frozen=True)
class Program:
    """One program of the service: how it is started and how it shows that it is ready."""

    name: str
    address: str
    command: list[str]
    environment: dict[str, str]
    ready: Callable[[psutil.Process], bool]
    deadline: float
    """Seconds from the start to the first answer; more is a failure."""


class Launch:
    """Starts programs, waits for them, and remembers which ones it had to start."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.started: dict[str, psutil.Process] = {}

    def start(self, program: Program) -> None:
        """Keep the process that runs and answers, else start one."""
        process = find(self.folder, program.name)
        if process is not None and _answers(program, process, _PATIENCE):
            say(program.name, program.address, f"already running, pid {process.pid}")
            return
        if process is not None:
            _stop([process])
        process = _spawn(program, log_file(self.folder, program.name))
        record = {"pid": process.pid, "created": process.create_time(), "address": program.address}
        _write_records(self.folder, records(self.folder) | {program.name: record})
        self.started[program.name] = process

    def wait(self, program: Program) -> None:
        """Wait until a program just started answers."""
        process = self.started.get(program.name)
        if process is None:
            return
        if not _answers(program, process, program.deadline):
            end = f"is silent after {program.deadline} s" if _is_alive(process) else "has ended"
            raise InclinetError(f"{program.name} did not start: it {end}.\n{tail(self.folder, program.name)}")
        say(program.name, program.address, f"ready in {time.time() - process.create_time():.1f} s")


def _spawn(program: Program, log: Path) -> psutil.Process:
    with log.open("a") as stream:
        child = subprocess.Popen(
            program.command,
            cwd=log.parent,
            env=inherited(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # neither Ctrl-C nor the end of `make` reaches it
            preexec_fn=_heed_interrupts,
        )
    return psutil.Process(child.pid)


def _heed_interrupts() -> None:
    """Undo an ignored SIGINT, as a shell's background jobs inherit it: with it workers ignore SIGTERM too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _answers(program: Program, process: psutil.Process, seconds: float) -> bool:
    """Ask until the program is ready; False when the time is over or the process has ended."""
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
    """Return the recorded process of a program unless it has ended, also when its pid is in use again."""
    record = records(folder).get(name)
    if record is None:
        return None
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(record["pid"])
        # Creation times derive from the boot time, which the kernel states in whole seconds.
        same = abs(process.create_time() - record["created"]) < 2
        return process if same and _is_alive(process) else None
    return None


def stop_programs(folder: Path, names: Iterable[str]) -> list[str]:
    """Stop the named programs, workers first and the store last, and forget them; return those that ran."""
    names = list(names)
    workers = [name for name in names if name.startswith("worker-")]
    others = [[name] for name in ("prefect-server", "object-store") if name in names]
    stopped = []
    for group in [workers, *others] if workers else others:
        running = {name: process for name in group if (process := find(folder, name)) is not None}
        start = time.monotonic()
        if group is workers:
            _stop_flow_runs(running.values())
        _stop(running.values())
        for name, process in running.items():
            say(name, f"pid {process.pid}", f"stopped in {time.monotonic() - start:.1f} s")
        stopped += running
        _write_records(folder, {name: record for name, record in records(folder).items() if name not in group})
    return stopped


def _stop_flow_runs(workers: Iterable[psutil.Process]) -> None:
    """End the flow runs while worker and server can still note it; else they count as running for ever."""
    runs = []
    for worker in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            runs += worker.children()
    _stop(runs)
    if runs:
        time.sleep(1)  # the worker tells the server about runs that had not begun


def _stop(processes: Iterable[psutil.Process]) -> None:
    """Ask the processes to end, then kill what is left of them and of all that they had started."""
    trees = []
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
    """Write a file that its owner alone can read; never half of it under its name."""
    draft = path.with_name(path.name + ".part")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def inherited(environment: dict[str, str]) -> dict[str, str]:
    """Return this process's environment with `environment` over it, less settings that would lead elsewhere.

    Those are a user's own cloud, and another Prefect server, its database or its key.
    """
    mine = {n: v for n, v in os.environ.items() if n not in FOREIGN and not n.startswith("PREFECT_")}
    return mine | environment


def bypass_proxies() -> None:
    """Reach 127.0.0.1 directly, in this process and all that it starts, whatever proxy is set."""
    for variable in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in os.environ.get(variable, "").split(",") if host]
        os.environ[variable] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost"]))


def records(folder: Path) -> dict[str, dict]:
    """Return what is remembered of every program started: `pid`, `created` and `address`, by name."""
    path = folder / "processes.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _write_records(folder: Path, records: dict[str, dict]) -> None:
    write_private(folder / "processes.json", json.dumps(records, indent=2))


def log_file(folder: Path, name: str) -> Path:
    """Return the log of a program."""
    return folder / "logs" / f"{name}.log"


def tail(folder: Path, name: str, lines: int = 20) -> str:
    """Return the end of a program's log, for an error message."""
    path = log_file(folder, name)
    return "\n".join([f"The end of {path}:", *path.read_text(errors="replace").splitlines()[-lines:]])


def say(name: str, address: str, what: str) -> None:
    """Print a line of progress."""
    CONSOLE.print(f"{name:<15} {address:<24} {what}", markup=False)
