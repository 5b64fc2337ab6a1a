"""The local cache: files fetched from a store, kept below a limit by removing those not used for longest."""

import errno
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from inclinet.errors import InclinetError
from inclinet.storage.atomic import disk_space_errors
from inclinet.storage.digests import sha256

__all__ = ["cache_folder", "cache_limit", "fetch_through_cache", "make_room"]

logger = logging.getLogger(__name__)

_DEFAULT_GB = "20"
_ATTEMPTS = 5
_ABANDONED = 86_400.0  # s
_WRITTEN = (".get-", ".part-")  # names of files and folders that are being written, here and in `atomic`


def cache_folder() -> Path:
    """Return the folder of local copies: `INCLINET_CACHE`, by default one of this user among the temporary files."""
    user = f"-{os.getuid()}" if hasattr(os, "getuid") else ""  # on Windows, each user has such a folder
    default = Path(tempfile.gettempdir()) / f"inclinet-cache{user}"
    return Path(os.environ.get("INCLINET_CACHE", default))


def cache_limit() -> int:
    """Return how many bytes the cache folder may hold: `INCLINET_CACHE_GB` in units of 2**30 bytes, by default 20.

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


def fetch_through_cache(folder: Path, limit: int, digest: str, download: Callable[[Path], None], path: Path) -> None:
    """Bring a file to `path` from the cache, after downloading it into the cache if it is not there.

    Parameters
    ----------
    folder : Path
        The cache.
    limit : int
        Bytes that it may hold.
    digest : str
        SHA-256 of the file, and its name in the cache; checked on every call.
    download : callable
        Writes the file to the path that it is given, and raises if that does not have the right SHA-256.
    path : Path
        Becomes a hard link to the file in the cache where it can be, so that it outlives its removal from there.

    Raises
    ------
    InclinetError
        When the disk is full.
    OSError
        When the cache loses or damages files faster than they are read.
    """
    cached = folder / digest
    path.unlink(missing_ok=True)
    for _ in range(_ATTEMPTS):
        try:
            os.utime(cached)
            _link(cached, path)
        except FileNotFoundError:  # never downloaded, or just removed by another process
            _download(folder, limit, download, cached)
            continue
        if sha256(path) == digest:
            return
        logger.warning("%s is damaged; fetching it again", cached)
        path.unlink()
        cached.unlink(missing_ok=True)
    raise OSError(f"{folder}: files are removed or damaged faster than they are read; raise INCLINET_CACHE_GB")


def _link(source: Path, target: Path) -> None:
    """Link a file, or copy it to another file system."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(source, target)


def _download(folder: Path, limit: int, download: Callable[[Path], None], cached: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with disk_space_errors(folder), tempfile.TemporaryDirectory(prefix=".get-", dir=folder) as temporary:
        path = Path(temporary) / "file"
        download(path)
        path.chmod(0o444)
        make_room(folder, 0, limit)  # the new file counts already
        path.replace(cached)


def make_room(folder: Path, needed: int, limit: int) -> None:
    """Remove files from a folder and its subfolders, those not used for longest first, until more bytes fit.

    Files with hidden names (``.…``), and those in folders with such names, are being written: they count, and stay.
    Those of Inclinet (``.get-…``, ``.part-…``) that have not been written to for a day were left by a process that was
    killed; they are removed first.

    Parameters
    ----------
    folder : Path
    needed : int
        Bytes about to be written.
    limit : int
        Bytes that the folder may hold with them. A file larger than this still gets the folder to itself.
    """
    total, files = needed, []
    for parent, _, names in os.walk(folder):
        for path in (Path(parent, name) for name in names):
            with suppress(FileNotFoundError):  # removed by another process
                status = path.lstat()
                parts = path.relative_to(folder).parts
                if not any(part.startswith(".") for part in parts):
                    files.append((status.st_mtime_ns, status.st_size, path))
                elif any(part.startswith(_WRITTEN) for part in parts) and status.st_mtime < time.time() - _ABANDONED:
                    path.unlink()
                    _remove_empty(path.parent, folder)
                    continue
                total += status.st_size
    for _, size, path in sorted(files):
        if total <= limit:
            break
        path.unlink(missing_ok=True)
        total -= size


def _remove_empty(folder: Path, root: Path) -> None:
    """Remove the folder of an abandoned file, if nothing else is in it."""
    if folder != root:
        with suppress(OSError):
            folder.rmdir()
