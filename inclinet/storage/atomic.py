"""Files that are whole or not there."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inclinet.errors import InclinetError

__all__ = ["atomic_file", "atomic_folder", "cache_folder", "disk_space_errors", "temporary_folder", "write_text"]


def cache_folder() -> Path:
    """Return the folder of local copies: `INCLINET_CACHE`, else one of this user among the temporary files."""
    default = Path(tempfile.gettempdir()) / f"inclinet-cache-{os.getuid()}"
    return Path(os.environ.get("INCLINET_CACHE", default))


@contextmanager
def disk_space_errors(path: Path) -> Iterator[None]:
    """Do what writes at `path`; a full disk is an error that names it.

    Raises
    ------
    InclinetError
        When there is no space left, or no more of it allowed.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InclinetError(
            f"{path}: no space left on that disk; free some and start again, what is done is kept"
        ) from error


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Give a folder for what is on its way, removed when the block ends."""
    with (
        disk_space_errors(Path(tempfile.gettempdir())),
        tempfile.TemporaryDirectory(prefix=f"inclinet-{name}-") as folder,
    ):
        yield Path(folder)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, renamed to `path` when the block ends well.

    Whatever happens inside, no half-written file ever stands under the final name.
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


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which takes the place of `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk_space_errors(path.parent):
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=path.parent))
        try:
            yield part
            part.chmod(0o755)
            if path.exists():
                shutil.rmtree(path)
            part.replace(path)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def write_text(path: Path, text: str) -> Path:
    """Write a text file whole."""
    with atomic_file(path) as part:
        part.write_text(text)
    return path
