"""The local cache: how large it may grow, and what goes when it is full."""

import os
from contextlib import suppress
from pathlib import Path

from inclinet.errors import InclinetError

__all__ = ["cache_limit", "make_room"]

_DEFAULT_GB = "20"


def cache_limit() -> int:
    """Return how many bytes the cache folder may hold: `INCLINET_CACHE_GB` in GiB, by default 20.

    Raises
    ------
    InclinetError
        When `INCLINET_CACHE_GB` is not a positive number.
    """
    value = os.environ.get("INCLINET_CACHE_GB", _DEFAULT_GB)
    with suppress(ValueError, OverflowError):
        if (limit := int(float(value) * 2**30)) > 0:
            return limit
    raise InclinetError(f"INCLINET_CACHE_GB is {value!r}: give a positive number of gigabytes, such as {_DEFAULT_GB}")


def make_room(folder: Path, needed: int, limit: int) -> None:
    """Remove files from a folder and its subfolders, least recently used first, until `needed` more bytes fit.

    Parameters
    ----------
    folder : Path
    needed : int
        Bytes about to be written.
    limit : int
        Bytes that the folder may hold then. Folders with hidden names, for files being written, do not count.
    """
    files = []
    for parent, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            with suppress(FileNotFoundError):  # removed by another process
                if not name.startswith("."):
                    stat = path.stat()
                    files.append((stat.st_mtime, stat.st_size, path))
    excess = needed + sum(size for _, size, _ in files) - limit
    for _, size, path in sorted(files):
        if excess <= 0:
            break
        path.unlink(missing_ok=True)
        excess -= size
