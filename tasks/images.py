"""Where the images of a sample are: found by their names in one folder, or named by a column of the catalogue."""

import posixpath
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from inclinet.data.images import choose_images
from inclinet.errors import InclinetError
from inclinet.settings import Sample
from inclinet.storage.artifacts import Reference
from inclinet.storage.store import Entry, FolderStore, Store
from tasks.catalogue import read_catalogue
from tasks.common import artifacts, locate

__all__ = ["Found", "find_images", "locate_image"]

_BUCKET = re.compile("s3://[^/]*", re.IGNORECASE)
_PARALLEL = 16


@dataclass(frozen=True)
class Found:
    """The images of one band.

    Attributes
    ----------
    chosen : dict of int to str
        Name of the image of each galaxy, by PGC number: its file name, or what the catalogue calls it.
    stored : dict of str to (Store, Entry)
        Where the images are, by name.
    problems : dict of int to str
        Why galaxies have no image though the catalogue names one, by PGC number.
    """

    chosen: dict[int, str]
    stored: dict[str, tuple[Store, Entry]]
    problems: dict[int, str]


def find_images(sample: Sample, band: str, catalogue: Reference) -> Found:
    """Find the images of one band.

    Raises
    ------
    InclinetError
        When there is none at all.
    """
    return _find_by_column(sample, band, catalogue) if sample.image_column else _find_by_name(sample, band)


def locate_image(sample: Sample, name: str) -> tuple[Store, str]:
    """Return store and key of an image: in the folder of the images, or where a path or an address says.

    Raises
    ------
    InclinetError
        When the name is an address that cannot be one of an image.
    """
    store, prefix = locate(sample.images, artifacts().store)
    if not sample.image_column:
        return store, f"{prefix}/{name}".lstrip("/")
    if bucket := _BUCKET.match(name):
        # The bucket alone: the store of each is opened once, not that of each image.
        return locate(bucket[0], store)[0], name[bucket.end() :].strip("/")
    if ":" in name.partition("/")[0]:
        raise InclinetError(f"{name}: give a path or an s3:// address")
    path = str(Path(name).expanduser())
    if path.startswith("/"):
        return FolderStore(Path("/")), posixpath.normpath(path).lstrip("/")
    return store, posixpath.normpath(f"{prefix}/{path}").lstrip("/")


def _find_by_name(sample: Sample, band: str) -> Found:
    store, prefix = locate(sample.images, artifacts().store)
    listed = list(store.list(prefix))
    entries = {entry.key.rpartition("/")[2]: entry for entry in listed}
    chosen = choose_images(entries, sample.imroot, band)
    if not chosen:
        raise InclinetError(
            f"{sample.images}: no image such as pgc<ID>_{sample.imroot}_{band} among {len(listed)} files in "
            f"{store.uri}; put them there, or change `images`, `imroot` or `bands`",
            setting="images",
        )
    return Found(chosen, {name: (store, entries[name]) for name in chosen.values()}, {})


def _find_by_column(sample: Sample, band: str, catalogue: Reference) -> Found:
    chosen = read_catalogue(catalogue, sample.image_column.replace("{band}", band)).images
    places: dict[str, tuple[Store, str]] = {}
    reasons: dict[str, str] = {}
    for name in set(chosen.values()):
        try:
            places[name] = locate_image(sample, name)
        except InclinetError as error:
            reasons[name] = str(error)
    listed = _list_folders(places.values())
    stored: dict[str, tuple[Store, Entry]] = {}
    for name, (store, key) in places.items():
        entries = listed[store.uri, posixpath.dirname(key)]
        if isinstance(entries, str):
            reasons[name] = f"{name}: {entries}"
        elif key in entries:
            stored[name] = store, entries[key]
        else:
            reasons[name] = f"{name}: no such file"
    if not stored:
        example = next(iter(sorted(reasons.values())), "the column is empty")
        raise InclinetError(
            f"none of the {len(chosen)} images in band {band} of the catalogue was found; for example: {example}",
            setting="image_column",
        )
    problems = {pgc: reasons[name] for pgc, name in chosen.items() if name in reasons}
    return Found(dict(sorted(chosen.items())), stored, problems)


def _list_folders(places: Iterable[tuple[Store, str]]) -> dict[tuple[str, str], dict[str, Entry] | str]:
    """Return the files of the folders that hold images, by store and folder, and then by key; or why there are none."""
    folders = {(store.uri, posixpath.dirname(key)): store for store, key in places}

    def files(folder: tuple[str, str]) -> dict[str, Entry] | str:
        try:
            return {entry.key: entry for entry in folders[folder].list(folder[1])}
        except (OSError, InclinetError) as error:
            return f"cannot be read ({error})"

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return dict(zip(folders, pool.map(files, folders), strict=True))
