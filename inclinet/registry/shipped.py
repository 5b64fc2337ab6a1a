"""The version that ships with the package: it predicts where no store is named.

Its folder `inclinet/shipped` looks like that of a version in a store, with no more than predicting needs: exported
networks, calibration, novelty and model card. Its `bundle.json` describes these files as the store's does.
"""

import shutil
from importlib.metadata import version as installed_version
from importlib.resources import files
from pathlib import Path

from inclinet.errors import InclinetError
from inclinet.evaluation.filenames import CALIBRATION_FILE, NOVELTY_FILE
from inclinet.networks.filenames import EXPORTED
from inclinet.records import read_record
from inclinet.registry.copies import fetch_version
from inclinet.registry.versions import CARD_FILE, VERSION_FILE, PublishedVersion, VersionFile
from inclinet.storage.atomic import atomic_folder, write_text
from inclinet.storage.digests import sha256
from inclinet.storage.store import Store

__all__ = ["MAX_FILE", "NONE_SHIPPED", "SHIPPED", "install", "read_shipped", "shipped_by", "shipped_folder"]

SHIPPED = "shipped"
"""What the shipped version is called on the command line and in settings; its own name works, too."""

MAX_FILE = 5_000_000
"""Largest file (bytes) of a version that ships: package indexes and version control are no place for more."""


NONE_SHIPPED = "this installation of inclinet ships no version"
"""What is said where there is no shipped version."""


def shipped_folder() -> Path:
    """Return the folder of the shipped version, whether there is one or not."""
    return Path(str(files("inclinet") / "shipped"))


def shipped_by() -> str:
    """Return what ships the version, such as `inclinet 0.2.0`."""
    return f"inclinet {installed_version('inclinet')}"


def read_shipped() -> PublishedVersion | None:
    """Return the shipped version, None if this installation ships none.

    Raises
    ------
    InclinetError
        When its description is damaged.
    """
    return read_record(PublishedVersion, shipped_folder() / VERSION_FILE)


def install(store: Store, version: PublishedVersion, folder: Path | None = None, notes: str = "") -> Path:
    """Make a version of a store the one that ships, in place of the one before; returns its folder.

    Parameters
    ----------
    store : Store
    version : PublishedVersion
    folder : Path, optional
        Default: `shipped_folder`.
    notes : str
        Text (Markdown) to add to the model card: data and their credit, commands, further tests.

    Raises
    ------
    InclinetError
        When a network is not exported, a file that ships is missing, damaged in the store, or too large.
    """
    folder = folder or shipped_folder()
    if late := [name for name in version.networks if not name.endswith(EXPORTED)]:
        raise InclinetError(f"version {version.version}: {', '.join(late)} is not exported; publish the networks again")
    needed = [*version.networks, CALIBRATION_FILE, NOVELTY_FILE, CARD_FILE]
    if missing := [name for name in needed if name not in version.files]:
        raise InclinetError(f"version {version.version} has no {' and no '.join(missing)}: it cannot ship")
    for name in needed:
        if (size := version.files[name].size) >= MAX_FILE:
            raise InclinetError(
                f"version {version.version}: {name} has {size:,} bytes; less than {MAX_FILE:,} can ship"
            )
    source = fetch_version(store, version, names=needed)
    with atomic_folder(folder) as part:
        for name in needed:
            shutil.copyfile(source / name, part / name)
        shipped_files = {name: version.files[name] for name in needed}
        if notes:
            card = part / CARD_FILE
            card.write_text(f"{card.read_text().rstrip()}\n\n{notes.strip()}\n")
            shipped_files[CARD_FILE] = VersionFile(size=card.stat().st_size, sha256=sha256(card))
        shipped = version.model_copy(update={"files": shipped_files})
        write_text(part / VERSION_FILE, f"{shipped.model_dump_json(indent=1)}\n")
    return folder
