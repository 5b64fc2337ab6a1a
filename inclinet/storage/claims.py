"""Claims on folders: only one process at a time works in a folder, whichever machine it is on.

A claim is a file beside the folder, renewed while its process lives. It is no lock of the file system, because those of
clusters often have none, or only within a node.
"""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from inclinet.errors import InclinetError
from inclinet.records import Record

__all__ = ["Claim", "Owner", "claim_file", "claim_folder", "this_process"]

logger = logging.getLogger(__name__)

_RENEWAL = 20.0  # s between the signs of life of a process
_SILENCE = 90.0  # s without one after which its claim has lapsed
_POLL = 1.0  # s


class Owner(Record):
    """The process that has claimed a folder."""

    host: str
    pid: int
    started: float
    """Start of the process (s since 1970): process ids are used again."""
    job: str
    """Job of the scheduler, empty outside one."""
    token: str

    def __str__(self) -> str:
        job = f", job {self.job}" if self.job else ""
        return f"process {self.pid} on {self.host}{job}"


@dataclass(frozen=True)
class _Seen:
    """What a claim's file said at one moment; `owner` is None while it is being written, or when it is damaged."""

    owner: Owner | None
    renewed: int  # ns


class Claim:
    """A claim on a folder that is renewed in a thread. `claim_folder` makes it."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self._path, self._owner = path, owner
        self._ended = threading.Event()
        self._taken_by: Owner | None = None
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Check that no other process has taken over.

        Raises
        ------
        InclinetError
            When one has, because this process was suspended for longer than a claim lasts.
        """
        if self._taken_by:
            raise InclinetError(
                f"{self._path}: {self._taken_by} has taken over, because this process gave no sign of life for "
                f"{_SILENCE:.0f} s; the work goes on there"
            )

    def release(self) -> None:
        """Give the folder free."""
        self._ended.set()
        self._thread.join()
        seen = _look(self._path)
        if seen and seen.owner == self._owner:
            self._path.unlink(missing_ok=True)

    def _renew(self) -> None:
        while not self._ended.wait(_RENEWAL):
            with suppress(OSError):  # the file system is away: so it is for others
                seen = _look(self._path)
                if seen and seen.owner and seen.owner != self._owner:
                    self._taken_by = seen.owner
                    return
                os.utime(self._path)


@contextmanager
def claim_folder(folder: Path, silence: float = _SILENCE) -> Iterator[Claim]:
    """Claim a folder until the block ends.

    The claim of a process that has ended counts no more: at once on the same machine, after `silence` seconds on
    another one.

    Parameters
    ----------
    folder : Path
        Need not exist.
    silence : float
        How long to watch a claim from another machine for a sign of life (seconds).

    Raises
    ------
    InclinetError
        When another process works in the folder; it names process, machine and job.
    """
    path, owner = claim_file(folder), this_process()
    path.parent.mkdir(parents=True, exist_ok=True)
    while not _create(path, owner):
        seen = _look(path)
        if seen is None:
            continue
        if _is_alive(path, seen, silence):
            raise InclinetError(
                f"{folder}: {seen.owner or 'another process'} works in this folder: wait until it has ended, or write "
                "to another folder"
            )
        if _take_over(path, seen, owner, silence):
            break
    claim = Claim(path, owner)
    try:
        yield claim
    finally:
        claim.release()


def claim_file(folder: Path) -> Path:
    """Return the path of the file that claims a folder."""
    return folder.with_name(f"{folder.name}.claim")


def this_process() -> Owner:
    """Return this process as the owner of a claim."""
    import psutil  # of the extra `train`

    names = "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"
    job = "_".join(filter(None, map(os.environ.get, names))) or os.environ.get("SLURM_JOB_ID", "")
    process = psutil.Process()
    return Owner(
        host=socket.gethostname(),
        pid=process.pid,
        started=process.create_time(),
        job=job,
        token=secrets.token_hex(8),
    )


def _create(path: Path, owner: Owner) -> bool:
    """Create the file of a claim; returns False if there is one."""
    with suppress(FileExistsError), path.open("x", encoding="utf-8") as file:
        file.write(owner.model_dump_json())
        return True
    return False


def _look(path: Path) -> _Seen | None:
    """Return what the file of a claim says, None if there is none."""
    # Opened anew each time: only then does NFS ask the server.
    with suppress(FileNotFoundError), path.open(encoding="utf-8") as file:
        renewed, text = os.fstat(file.fileno()).st_mtime_ns, file.read()
        with suppress(ValidationError):
            return _Seen(Owner.model_validate_json(text), renewed)
        return _Seen(None, renewed)
    return None


def _is_alive(path: Path, seen: _Seen, silence: float) -> bool:
    """Return whether the owner of a claim lives: by its process on this machine, else by a sign of life."""
    if seen.owner and seen.owner.host == socket.gethostname():
        return _runs_here(seen.owner)
    logger.warning("%s: watching for up to %.0f s whether %s still works there", path, silence, seen.owner)
    deadline = time.monotonic() + silence
    while time.monotonic() < deadline:
        time.sleep(min(_POLL, silence))
        now = _look(path)
        if now != seen:
            return now is not None
    return False


def _runs_here(owner: Owner) -> bool:
    import psutil

    with suppress(psutil.NoSuchProcess):
        return abs(psutil.Process(owner.pid).create_time() - owner.started) < 2
    return False


def _take_over(path: Path, seen: _Seen, owner: Owner, silence: float) -> bool:
    """Put a claim in the place of a lapsed one; returns False if another process was faster.

    One process at a time may, so that the claim which another has put there meanwhile is never overwritten.
    """
    turn = path.with_name(f".{path.name}.turn")
    if not _create(turn, owner):
        _end_turn_of_the_dead(turn, silence)
        return False
    try:
        if _look(path) != seen:
            return False
        ours = path.with_name(f".{path.name}-{owner.token}")
        ours.write_text(owner.model_dump_json(), encoding="utf-8")
        ours.replace(path)
        return True
    finally:
        turn.unlink(missing_ok=True)


def _end_turn_of_the_dead(turn: Path, silence: float) -> None:
    """Wait for the turn of another process, which takes milliseconds; end it if that process has died in it."""
    seen = _look(turn)
    if seen and not _is_alive(turn, seen, silence) and _look(turn) == seen:
        turn.unlink(missing_ok=True)
