"""Which images to predict: finds them in files, folders, catalogues and at s3:// addresses."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from inclinet.data.bands import FILTERS, stored_band
from inclinet.data.catalog import Galaxy, read_galaxies
from inclinet.data.filenames import parse_cutout
from inclinet.data.images import MAX_BYTES, BadImageError
from inclinet.errors import InclinetError
from inclinet.prediction.catalogues import SUFFIXES, images_by_row, is_catalogue
from inclinet.storage.store import Entry, FolderStore, Store, split_address

__all__ = ["Source", "find_sources", "in_store", "source"]

_IMAGES = (".png", ".jpg", ".jpeg")
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")  # first bytes of PNG and JPEG files


@dataclass(frozen=True)
class Source:
    """One image to predict, in a store.

    Attributes
    ----------
    name : str
        Its name in tables: the path or address as the user gave it; empty if there is no image.
    key : str
        Its key in `store`.
    pgc : int or None
        PGC number of its galaxy, if known.
    galaxy : str
        Name of its galaxy, if known.
    row : int or None
        Line of the catalogue that it is predicted for, if there is a catalogue.
    band : str or None
        `c`, `g`, `r` or `i`, if the file name says so.
    truth : float or None
        Inclination (deg) in the catalogue, if known.
    size : int
        Bytes, 0 if not known yet.
    problem : str
        Why there is nothing to predict; empty if there is.
    """

    name: str
    store: Store
    key: str
    pgc: int | None = None
    galaxy: str = ""
    row: int | None = None
    band: str | None = None
    truth: float | None = None
    size: int = 0
    problem: str = ""

    def open(self) -> BinaryIO:
        """Return the content of the image.

        Raises
        ------
        BadImageError
            When it is missing, not an image, or far too large for a cutout.
        """
        if self.problem:
            raise BadImageError(self.problem)
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
    """Return the source of one image, with the galaxy and the band that its file name tells."""
    parsed = parse_cutout(key.rpartition("/")[2])
    if parsed is None:
        return Source(name, store, key, size=size)
    band = FILTERS[stored_band(parsed.band)]
    return Source(name, store, key, parsed.pgc, f"PGC {parsed.pgc}", band=band, size=size)


def in_store(entries: Iterable[Entry]) -> list[Entry]:
    """Return the images among the objects of a folder, sorted by key.

    Where a galaxy has two colour images, only the `.sdss.jpg` is returned.
    """
    images = {entry.key: entry for entry in entries if entry.key.lower().endswith(_IMAGES)}
    return [
        entry
        for key, entry in sorted(images.items())
        if key.endswith(".sdss.jpg") or f"{key.removesuffix('.jpg')}.sdss.jpg" not in images
    ]


def find_sources(
    images: str | Path | Source | Sequence[str | Path | Source],
    impath: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> list[Source]:
    """Find the images to predict.

    Parameters
    ----------
    images : str, Path, Source or sequence of them
        Image, folder of images, catalogue (a table that `inclinet.data.tables.read_table` reads), s3:// address of an
        image, a folder or a bucket, or a source found before.
    impath : str or Path, optional
        Folder with the images of a catalogue's galaxies. Default: `galaxies` beside the catalogue if there is such a
        folder, else the catalogue's own folder.
    columns : mapping of str to str, optional
        Columns of a catalogue that are called otherwise, as for `inclinet.data.catalog.read_catalog`.

    Returns
    -------
    list of Source
        One for each image. A row of a catalogue that has no image, and a file that is not an image, have a source with
        a `problem`.

    Raises
    ------
    InclinetError
        When a path does not exist, a folder holds no image, or a catalogue cannot be read.
    """
    given = [images] if isinstance(images, str | Path | Source) else images
    folder = Path(impath) if impath else None
    return [
        found
        for one in given
        for found in ([one] if isinstance(one, Source) else _find(str(one), folder, columns or {}))
    ]


def _find(given: str, impath: Path | None, columns: Mapping[str, str]) -> list[Source]:
    if given.lower().startswith("s3:"):
        return _find_at_address(given)
    path = Path(given)
    if path.is_dir():
        return _list_images(FolderStore(path), "", given)
    if not path.is_file():
        raise InclinetError(f"{given}: no such image, folder or catalogue")
    if is_catalogue(path):
        return _find_of_catalogue(path, impath, columns)
    # The path is not resolved: the name of a link, not of its target, tells the galaxy.
    found = source(FolderStore(path.parent), path.name, given)
    if _may_be_image(path):
        return [found]
    return [replace(found, problem=f"neither an image (PNG or JPEG) nor a catalogue ({', '.join(SUFFIXES)}, .fits)")]


def _may_be_image(path: Path) -> bool:
    if path.suffix.lower() in _IMAGES:
        return True
    with path.open("rb") as file:
        return file.read(8).startswith(_SIGNATURES)


def _find_at_address(address: str) -> list[Source]:
    store, key = split_address(address)
    if key.lower().endswith(_IMAGES) and not address.endswith("/"):
        return [source(store, key, address)]
    return _list_images(store, key, address)


def _list_images(store: Store, prefix: str, shown: str, setting: str | None = None) -> list[Source]:
    """Return the images in a folder of a store, which the user knows as `shown` and sets by `setting`."""
    entries = in_store(store.list(prefix))
    if not entries:
        raise InclinetError(f"{shown}: no PNG or JPEG image in this folder", setting=setting)
    names = [f"{shown.rstrip('/')}/{entry.key.rpartition('/')[2]}" for entry in entries]
    return [source(store, entry.key, name, entry.size) for entry, name in zip(entries, names, strict=True)]


def _find_of_catalogue(path: Path, impath: Path | None, columns: Mapping[str, str]) -> list[Source]:
    """Return the images of a catalogue's galaxies, row by row; a row without an image has a source with a problem."""
    galaxies = read_galaxies(path, columns=columns)
    if not galaxies:
        raise InclinetError(f"{path}: the catalogue has no rows", setting="images")
    folder = impath or next((f for f in (path.parent / "galaxies", path.parent) if f.is_dir()), path.parent)
    if not folder.is_dir():
        raise InclinetError(f"{folder}: no such folder of images", setting="impath")
    store = FolderStore(folder)
    looked_up = [one for one in galaxies if not one.image]
    named = images_by_row(in_store(store.list("")), looked_up) if looked_up else {}
    found = []
    for one in galaxies:
        if one.image:
            images = [_named_by_cell(one.image, store, str(folder))]
        else:
            images = [source(store, e.key, f"{folder}/{e.key}", e.size) for e in named.get(one.line, [])]
        images = images or [Source("", store, "", problem=one.problem or f"no image in {folder}")]
        found += [_of_galaxy(image, one) for image in images]
    return found


def _of_galaxy(image: Source, galaxy: Galaxy) -> Source:
    pgc = galaxy.pgc if galaxy.pgc and galaxy.pgc > 0 else None if galaxy.name else image.pgc
    return replace(image, pgc=pgc, galaxy=galaxy.name or image.galaxy, row=galaxy.line, truth=galaxy.truth)


def _named_by_cell(given: str, folder: Store, shown: str) -> Source:
    """Return the image that a cell of a catalogue names: an address, or a path, by default within the folder."""
    if given.lower().startswith("s3:"):
        return source(*split_address(given), given)
    path = Path(given).expanduser()
    if path.is_absolute() or ".." in path.parts:
        return source(FolderStore(path.parent), path.name, given)
    return source(folder, path.as_posix(), f"{shown}/{path.as_posix()}")
