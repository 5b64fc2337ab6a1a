"""Disks that are nearly full: a run that finds one says so by an event, before it or another run fails of it."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from socket import gethostname

from prefect import get_run_logger
from prefect.events import emit_event

from inclinet.storage.cache import cache_folder

__all__ = ["NEARLY_FULL", "report_full_disks"]

NEARLY_FULL = "inclinet.disk.nearly-full"
"""Event of a disk that is more than 90 % full."""

_FULL = 0.9

_reported: set[str] = set()


def report_full_disks() -> None:
    """Emit an event for every disk of this machine that Inclinet writes to and that is more than 90 % full.

    Those are the disks of the temporary files, of the cache, and of a store in a folder. A process reports each once.
    """
    folders = {"temporary files": tempfile.gettempdir(), "cache": str(cache_folder())}
    store = os.environ.get("INCLINET_STORE", "")
    if store and "://" not in store:
        folders["artifact store"] = store
    for what, folder in folders.items():
        with suppress(OSError):
            _report(what, _existing(Path(folder)))


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _report(what: str, folder: Path) -> None:
    disk = shutil.disk_usage(folder)
    # Not `used / total`: a part of the disk may be reserved for root.
    full = disk.used / (disk.used + disk.free)
    if full <= _FULL or what in _reported:
        return
    _reported.add(what)
    machine = gethostname()
    text = f"the disk of the {what} on {machine} is {100 * full:.0f} % full ({disk.free / 1e9:.1f} GB free): {folder}"
    get_run_logger().warning("%s", text)
    emit_event(
        NEARLY_FULL,
        {"prefect.resource.id": f"inclinet.disk.{machine}.{what.replace(' ', '-')}", "prefect.resource.name": what},
        payload={"why": text},
    )
