"""Object stores behind one small interface: here, local folders; in `inclinet.storage.bucket`, those with S3's."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file

__all__ = ["LINK_DAYS", "Entry", "FolderStore", "Store", "check_key", "folder_prefix"]

LINK_DAYS = 7
"""Days for which the links to files of a bucket open: as long as S3 allows."""

_TEMPORARY = (".part-", ".old-")  # names of files and folders that are being written, see `atomic`


@dataclass(frozen=True)
class Entry:
    """One object of a listing: its key, its size in bytes and a tag that changes when it is rewritten.

    `modified` is when that was (s since 1970). `fingerprint` tells contents apart, and is S3's ETag, an MD5 unless the
    store encrypts; empty if there is none.
    """

    key: str
    size: int
    tag: str
    modified: float = 0.0
    fingerprint: str = ""


class Store(Protocol):
    """What every store can do.

    Keys are relative, with `/` between folders, and never lead out of the store's prefix. A folder is a prefix of keys;
    an empty one is the root of the store.
    """

    uri: str

    def list(self, folder: str) -> Iterator[Entry]:
        """Yield the objects directly in a folder, in no particular order."""

    def walk(self, folder: str) -> Iterator[Entry]:
        """Yield the objects in a folder and in all folders below it, in no particular order."""

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the names of the folders directly in a folder, in no particular order."""

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file atomically; `FileNotFoundError` when it is missing."""

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object."""

    def read(self, key: str) -> bytes:
        """Return the content of a small object; `FileNotFoundError` when it is missing."""

    def read_with_fingerprint(self, key: str) -> tuple[bytes, str]:
        """Return the content and the fingerprint, as in `Entry`; `FileNotFoundError` when it is missing."""

    def write(self, key: str, content: bytes) -> None:
        """Write a small object."""

    def delete(self, key: str) -> None:
        """Remove an object if it exists."""

    def link(self, key: str) -> str | None:
        """Return an address at which browsers can read an object for `LINK_DAYS`, None if there is none."""


def check_key(key: str) -> str:
    """Return `key` if it stays within the store's prefix.

    Raises
    ------
    InclinetError
        When it is empty, absolute, or holds `..`, a backslash or a null character.
    """
    parts = PurePosixPath(key).parts
    if not parts or key.startswith("/") or ".." in parts or "\\" in key or "\0" in key:
        raise InclinetError(f"key {key!r} does not stay within the object store; give a relative one without '..'")
    return key


def folder_prefix(folder: str) -> str:
    """Return what the keys of the objects in a folder start with: its path and a slash, or nothing for the root."""
    return check_key(folder).rstrip("/") + "/" if folder else ""


@contextmanager
def _no_target() -> Iterator[None]:
    """Pass over a file that another process has removed, and over a link that leads to itself."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            raise


class FolderStore:
    """A store in a local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.uri = str(self.folder)

    def _path(self, key: str) -> Path:
        return self.folder / check_key(key)

    def _scan(self, prefix: str) -> Iterator[os.DirEntry]:
        folder = self.folder / prefix
        for entry in os.scandir(folder) if folder.is_dir() else ():
            if not entry.name.startswith(_TEMPORARY):
                yield entry

    def list(self, folder: str) -> Iterator[Entry]:
        """Yield the files directly in a folder."""
        prefix = folder_prefix(folder)
        for entry in self._scan(prefix):
            with _no_target():
                if entry.is_file():
                    stat = entry.stat()
                    yield Entry(f"{prefix}{entry.name}", stat.st_size, str(stat.st_mtime_ns), stat.st_mtime)

    def walk(self, folder: str) -> Iterator[Entry]:
        """Yield the files in a folder and in all folders below it; not again those that a link leads back to."""
        yield from self._walk(folder, frozenset())

    def _walk(self, folder: str, above: frozenset[str]) -> Iterator[Entry]:
        """Yield the files of `walk`, except in folders that this one is in: `above` holds them, links followed."""
        prefix = folder_prefix(folder)
        here = os.path.realpath(self.folder / prefix)
        if here in above:
            return
        yield from self.list(folder)
        for name in list(self.folders(folder)):
            yield from self._walk(f"{prefix}{name}", above | {here})

    def folders(self, folder: str) -> Iterator[str]:
        """Yield the names of the folders directly in a folder."""
        for entry in self._scan(folder_prefix(folder)):
            with _no_target():
                if entry.is_dir():
                    yield entry.name

    def get(self, key: str, path: Path) -> None:
        """Copy an object to a local file."""
        with atomic_file(path) as part:
            shutil.copyfile(self._path(key), part)

    def put(self, path: Path, key: str) -> None:
        """Copy a local file to an object."""
        with atomic_file(self._path(key)) as part:
            shutil.copyfile(path, part)

    def read(self, key: str) -> bytes:
        """Return an object's content."""
        return self._path(key).read_bytes()

    def read_with_fingerprint(self, key: str) -> tuple[bytes, str]:
        """Return an object's content; a folder tells no fingerprint."""
        return self.read(key), ""

    def write(self, key: str, content: bytes) -> None:
        """Write an object."""
        with atomic_file(self._path(key)) as part:
            part.write_bytes(content)

    def delete(self, key: str) -> None:
        """Remove an object, and the folders that it leaves empty."""
        path = self._path(key)
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty
            for parent in path.parents[: len(PurePosixPath(key).parts) - 1]:
                parent.rmdir()

    def link(self, key: str) -> None:
        """Return None: pages from elsewhere can't link to local files."""
