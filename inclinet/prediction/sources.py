"""Which images to predict: files, folders, catalogues and s3:// addresses, told apart and listed."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from inclinet.data.bands import FILTERS, stored_band
from inclinet.data.catalog import read_catalog
from inclinet.data.filenames import parse_cutout
from inclinet.data.images import MAX_BYTES, BadImageError
from inclinet.errors import InclinetError
from inclinet.storage.store import Entry, FolderStore, Store, open_store

__all__ = ["Source", "find_sources", "in_store", "source"]

_SUFFIXES = (".png", ".jpg", ".jpeg")
_CATALOGUES = (".csv", ".txt", ".dat")


@dataclass(frozen=True)
class Source:
    """One image to predict, in a store.

    Attributes
    ----------
    name : str
        What tables call it: its path or address as it was given.
    key : str
        Its key in `store`.
    pgc : int or None
        Its galaxy, if the file name says so.
    band : str or None
        `c`, `g`, `r` or `i`, if the file name says so.
    truth : float or None
        Inclination (deg) in the catalogue, if that is known.
    size : int
        Bytes, 0 if not known yet.
    """

    name: str
    store: Store
    key: str
    pgc: int | None = None
    band: str | None = None
    truth: float | None = None
    size: int = 0

    def open(self) -> BinaryIO:
        """Return the content of the image.

        Raises
        ------
        BadImageError
            When it is missing or far too large for a cutout.
        """
        if self.size > MAX_BYTES:
            raise BadImageError(f"{self.size} bytes is too large for a cutout")
        try:
            return io.BytesIO(self.store.read(self.key))
        except FileNotFoundError:
            raise BadImageError("no such file") from None
        except IsADirectoryError:
            raise BadImageError("a folder, not an image") from None
        except (PermissionError, InclinetError) as error:
            raise BadImageError(f"cannot be read ({error})") from None


def source(store: Store, key: str, name: str, size: int = 0) -> Source:
    """Return the source of one image; galaxy and band are read from its file name, if it says them."""
    parsed = parse_cutout(key.rpartition("/")[2])
    if parsed is None:
        return Source(name, store, key, size=size)
    return Source(name, store, key, parsed.pgc, FILTERS[stored_band(parsed.band)], size=size)


def in_store(entries: Iterable[Entry]) -> list[Entry]:
    """Return the images among the objects of a folder, by name; of two colour images of a galaxy the `.sdss.jpg`."""
    images = {entry.key: entry for entry in entries if entry.key.lower().endswith(_SUFFIXES)}
    return [
        entry
        for key, entry in sorted(images.items())
        if key.endswith(".sdss.jpg") or f"{key.removesuffix('.jpg')}.sdss.jpg" not in images
    ]


def _of_folder(store: Store, prefix: str, shown: str) -> list[Source]:
    found = in_store(store.list(prefix))
    if not found:
        raise InclinetError(f"{shown}: no image there; PNG and JPEG files are read")
    return [
        source(store, entry.key, f"{shown.rstrip('/')}/{entry.key.rpartition('/')[2]}", entry.size) for entry in found
    ]


def _of_catalogue(path: Path, impath: Path | None) -> list[Source]:
    """Return the images of a catalogue's galaxies, with their inclinations; face-on or rejected, they have none."""
    labels = read_catalog(path).labels
    folder = impath or next((f for f in (path.parent / "galaxies", path.parent) if f.is_dir()), path.parent)
    sources = [one for one in _of_local(folder, str(folder)) if one.pgc]
    chosen = [replace(one, truth=_truth(labels[one.pgc])) for one in sources if one.pgc in labels]
    if not chosen:
        raise InclinetError(f"{path}: none of its galaxies has an image in {folder} (option --impath)")
    return chosen


def _of_local(folder: Path, shown: str) -> list[Source]:
    folder = folder.resolve()
    return _of_folder(FolderStore(folder.parent), folder.name, shown)


def _truth(label: str) -> float | None:
    return None if label in ("F", "0") else float(label)


def _of_address(address: str) -> list[Source]:
    if address.endswith("/"):
        parent, _, name = address.rstrip("/").rpartition("/")
        return _of_folder(open_store(parent), name, address)
    parent, _, name = address.rpartition("/")
    store = open_store(parent)
    if name.lower().endswith(_SUFFIXES):
        return [source(store, name, address)]
    return _of_folder(store, name, address)


def _of_one(given: str, impath: Path | None) -> list[Source]:
    if given.startswith("s3://"):
        return _of_address(given)
    path = Path(given)
    if path.is_dir():
        return _of_local(path, given)
    if path.suffix.lower() in _CATALOGUES and path.is_file():
        return _of_catalogue(path, impath)
    if not path.is_file():
        raise InclinetError(f"{given}: no such image, folder or catalogue")
    # Not resolved: the name of a link, not of what it leads to, says the galaxy.
    return [source(FolderStore(path.parent), path.name, given)]


def find_sources(given: Sequence[str | Path], impath: Path | None = None) -> list[Source]:
    """Return the images to predict.

    Parameters
    ----------
    given : sequence of str or Path
        Each an image, a folder of images, a catalogue (text, columns split by `|`), or an address s3://bucket/key of
        an image or of a folder.
    impath : Path, optional
        Folder of the images of catalogues; by default `galaxies` beside the catalogue, else where it lies.

    Raises
    ------
    InclinetError
        When there is no such thing, or no image in it.
    """
    return [source for one in given for source in _of_one(str(one), impath)]
