"""Keeps the logs of the service small: a log that grew too large is moved aside, and the programs write on.

The server does it, because it has the most to say when something is wrong: a database that is away for 15 s makes
megabytes of tracebacks.
"""

import shutil
import threading
import time
from itertools import pairwise
from pathlib import Path

__all__ = ["rotate", "start_rotating"]

_LARGEST = 10 * 2**20  # bytes; with _KEPT, as compose has it
_KEPT = 3  # older logs: `.1` is the newest
_SECONDS = 10.0


def rotate(log: Path, largest: int = _LARGEST) -> None:
    """Move the content of a log that is larger than `largest` bytes to `<log>.1`, after `.1` to `.2` and so on.

    The programs keep the log open and append to it, so it is copied and then emptied; lines that are written between
    the two are lost.
    """
    if not log.is_file() or log.stat().st_size <= largest:
        return
    older = [log, *(log.with_name(f"{log.name}.{n}") for n in range(1, _KEPT + 1))]
    for source, target in reversed(list(pairwise(older[1:]))):
        if source.exists():
            source.replace(target)
    shutil.copyfile(log, older[1])
    with log.open("r+b") as file:
        file.truncate()


def start_rotating(folder: Path) -> None:
    """Rotate the logs (`*.log`) of a folder from now on, in a thread that ends with the process."""

    def keep_small() -> None:
        while True:
            for log in folder.glob("*.log"):
                rotate(log)
            time.sleep(_SECONDS)

    threading.Thread(target=keep_small, daemon=True, name="logs").start()
