"""An empty database of the Prefect server, made once for each installation: `python -m deployments.database`.

At the first start of a service, the server takes an empty SQLite file through every change that Prefect's tables have
ever seen, which takes longer than all else. A copy of a file that has been through them saves that. A file of an older
Prefect only needs the changes since.
"""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from inclinet.storage.atomic import atomic_file

__all__ = ["empty_database", "make_empty_database", "provide_database"]


def empty_database() -> Path:
    """Return where this installation keeps its empty database."""
    return Path(sys.prefix, "share", "inclinet", f"prefect-{version('prefect')}.db")


def make_empty_database() -> Path:
    """Make the empty database unless it exists; returns its path."""
    path = empty_database()
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        migrated = Path(folder, "prefect.db")
        url = f"sqlite+aiosqlite:///{migrated}"
        subprocess.run(
            [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
            env={"PREFECT_HOME": folder, "PREFECT_SERVER_DATABASE_CONNECTION_URL": url},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        with atomic_file(path) as part, closing(sqlite3.connect(migrated)) as database:
            # Into one file: the last changes may still be in the log beside it.
            database.execute("VACUUM INTO ?", [str(part)])
    return path


def provide_database(path: Path) -> None:
    """Copy the empty database, if this installation has one, to where there is no database yet."""
    if path.exists() or not empty_database().exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with atomic_file(path) as part:
        shutil.copyfile(empty_database(), part)


if __name__ == "__main__":
    try:
        make_empty_database()
    except PackageNotFoundError:
        print("without Prefect there is no server, and nothing to make")
