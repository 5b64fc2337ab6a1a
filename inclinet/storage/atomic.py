"""Atomic file writes, and temporary folders.

A file or folder is written under a temporary name beside its final one, and renamed when it is complete: other
processes never see half of it, and a kill leaves the old one as it was.
"""

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inclinet.errors import InclinetError

__all__ = ["atomic_file", "atomic_folder", "disk_space_errors", "temporary_folder", "write_text"]


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder; it replaces `path` when the block ends without an error.

    Raises
    ------
    InclinetError
        When the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk_space_errors(path.parent):
        handle, name = tempfile.mkstemp(prefix=".part-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        part = Path(name)
        try:
            yield part
            part.chmod(0o644)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write a text file (UTF-8) atomically; returns its path.

    Raises
    ------
    InclinetError
        When the disk is full.
    """
    with atomic_file(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder in the same folder; it replaces `path` when the block ends without an error.

    The old folder stays complete until then. No system call replaces a folder that holds files, so the old one is
    renamed just before the new one; if a kill hits between the two, the next call puts the old one back.

    Raises
    ------
    InclinetError
        When the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk_space_errors(path.parent):
        _recover_folder(path)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=path.parent))
        try:
            yield part
            part.chmod(0o755)
            _replace_folder(part, path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _replace_folder(new: Path, path: Path) -> None:
    """Rename a folder to `path`; one that already exists is removed once the new one has its name."""
    old = Path(tempfile.mkdtemp(prefix=f".old-{path.name}-", dir=path.parent))
    try:
        while True:
            try:
                new.replace(path)
                return
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                path.replace(old)
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _recover_folder(path: Path) -> None:
    """Clean up after a kill during `_replace_folder`: put the old folder back unless the new one has its name."""
    named_old = re.compile(rf"\.old-{re.escape(path.name)}-\w{{8}}")
    for old in [entry for entry in path.parent.iterdir() if named_old.fullmatch(entry.name)]:
        with suppress(FileNotFoundError):  # another process cleans up, too
            if not path.exists() and any(old.iterdir()):
                old.replace(path)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Give a temporary folder, removed when the block ends. `name` becomes a part of its name.

    Raises
    ------
    InclinetError
        When the disk is full.
    """
    parent = Path(tempfile.gettempdir())
    with disk_space_errors(parent), tempfile.TemporaryDirectory(prefix=f"inclinet-{name}-") as folder:
        yield Path(folder)


@contextmanager
def disk_space_errors(path: Path) -> Iterator[None]:
    """Turn the system's error for a full disk (or quota) into one that names `path`.

    Raises
    ------
    InclinetError
        When there is no space left, or the user's quota is used up.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InclinetError(
            f"{path}: no space left on that disk; free some and start again: finished work is kept"
        ) from error
