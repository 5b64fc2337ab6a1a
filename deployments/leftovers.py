"""What killed runs leave in the temporary folder of the service."""

import shutil
import time
from pathlib import Path

__all__ = ["remove_leftovers"]

_ABANDONED = 24 * 3600  # s without a change


def remove_leftovers(folder: Path) -> None:
    """Remove the files and folders in a folder to which nothing has been written for a day.

    To be called when no run is being executed: one that lasts longer still needs its files.
    """
    for entry in list(folder.iterdir()):
        newest = max(path.lstat().st_mtime for path in (entry, *entry.rglob("*")))
        if newest > time.time() - _ABANDONED:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
