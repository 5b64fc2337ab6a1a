"""Which images to predict: finds them in files, folders, catalogues and at s3:// addresses."""

import glob
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from inclinet.data.catalog import Galaxy, read_galaxies
from inclinet.data.filenames import IMAGE_FORMATS, is_image
from inclinet.errors import InclinetError
from inclinet.prediction.catalogues import SUFFIXES, images_by_row, is_catalogue
from inclinet.prediction.folders import NO_TARGET, list_images
from inclinet.prediction.source import Source, in_store, source
from inclinet.storage.addresses import split_address
from inclinet.storage.store import FolderStore, Store

__all__ = ["Source", "expand", "find_sources", "in_store", "of_catalogue", "of_galaxies", "of_galaxy", "source"]

# First bytes of files of the formats; of TIFF and of JPEG 2000 there are two kinds.
_SIGNATURES = (
    *(b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"SIMPLE  =", b"II*\0", b"MM\0*", b"RIFF", b"BM", b"GIF8"),
    *(b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
)


def find_sources(
    images: str | Path | Source | Sequence[str | Path | Source],
    impath: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    *,
    recursive: bool = False,
    alone: bool | None = None,
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
    recursive : bool
        Search the folders in a folder, too, and those in them.
    alone : bool, optional
        Whether a path that does not exist is an error. Default: if it is the only one; among others, it has a source
        with a `problem`.

    Returns
    -------
    list of Source
        One for each image. A row of a catalogue that has no image, a file that is not an image, a link without a target
        and a folder that cannot be read have a source with a `problem`. Files in a folder that are not called like
        images are left out; a warning counts them.

    Raises
    ------
    InclinetError
        When a path does not exist, a folder holds no image, or a catalogue cannot be read.
    """
    given = [images] if isinstance(images, str | Path | Source) else images
    folder = expand(impath) if impath else None
    found: list[Source] = []
    for one in given:
        if isinstance(one, Source):
            found.append(one)
            continue
        paths = _expand(str(one))
        is_alone = len(given) == len(paths) == 1 if alone is None else alone and len(paths) == 1
        for path in paths:
            try:
                found += _find(path, folder, columns or {}, recursive)
            except _NoSuchPathError as error:
                if is_alone:
                    raise
                found.append(replace(source(FolderStore(Path()), path, path), problem=str(error)))
    return found


class _NoSuchPathError(InclinetError):
    """There is nothing at a path."""


def expand(path: str | Path) -> Path:
    """Return a path with the home folder for `~`; as it is where there is no such user."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def _expand(given: str) -> list[str]:
    """Return what a path with `~` or wildcards stands for; one that stands for nothing, as it is."""
    if not given or given.lower().startswith("s3:") or os.path.lexists(given):
        return [given]
    expanded = str(expand(given))
    found = sorted(glob.glob(expanded, recursive=True)) if glob.has_magic(expanded) else [expanded]  # noqa: PTH207
    return found or [given]


def _find(given: str, impath: Path | None, columns: Mapping[str, str], recursive: bool) -> list[Source]:
    if given.lower().startswith("s3:"):
        return _find_at_address(given, recursive)
    path = Path(given)
    try:
        if given and path.is_dir():
            return list_images(FolderStore(path), "", given, recursive=recursive)
        if path.is_symlink() and not path.exists():
            return [replace(source(FolderStore(path.parent), path.name, given), problem=NO_TARGET)]
        if not given or not path.is_file():
            raise _NoSuchPathError(f"{given or 'an empty path'}: no such image, folder or catalogue")
    except OSError as error:  # no permission, or a name that no file can have
        return [Source(given, FolderStore(Path()), "", problem=f"cannot be read ({error.strerror})")]
    if is_catalogue(path):
        return of_catalogue(path, impath, columns)
    # The path is not resolved: the name of a link, not of its target, tells the galaxy.
    found = source(FolderStore(path.parent), path.name, given)
    if _may_be_image(path):
        return [found]
    kinds = f"neither an image ({', '.join(IMAGE_FORMATS)}) nor a catalogue ({', '.join(SUFFIXES)}, .fits)"
    return [replace(found, problem=kinds)]


def _may_be_image(path: Path) -> bool:
    if is_image(path.name):
        return True
    try:
        with path.open("rb") as file:
            return file.read(16).startswith(_SIGNATURES)
    except OSError:  # the reason is found again, and said, when its turn comes
        return True


def _find_at_address(address: str, recursive: bool) -> list[Source]:
    store, key = split_address(address)
    if is_image(key) and not address.endswith("/"):
        return [source(store, key, address)]
    return list_images(store, key, address, recursive=recursive)


def of_catalogue(path: Path, impath: Path | None, columns: Mapping[str, str]) -> list[Source]:
    """Return the images of a catalogue's galaxies, as `of_galaxies` does."""
    folder = impath or next((f for f in (path.parent / "galaxies", path.parent) if f.is_dir()), path.parent)
    return of_galaxies(read_galaxies(path, columns=columns), folder, str(path))


def of_galaxies(galaxies: Sequence[Galaxy], folder: Path, shown: str) -> list[Source]:
    """Return the images of galaxies, row by row; a row without an image has a source with a problem.

    `folder` holds the images, and `shown` stands for the catalogue in errors.
    """
    if not galaxies:
        raise InclinetError(f"{shown}: the catalogue has no rows", setting="images")
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
        found += [of_galaxy(image, one) for image in images]
    return found


def of_galaxy(image: Source, galaxy: Galaxy) -> Source:
    """Return an image as that of a row of a catalogue."""
    pgc = galaxy.pgc if galaxy.pgc and galaxy.pgc > 0 else None if galaxy.name else image.pgc
    return replace(image, pgc=pgc, galaxy=galaxy.name or image.galaxy, row=galaxy.line, truth=galaxy.truth)


def _named_by_cell(given: str, folder: Store, shown: str) -> Source:
    """Return the image that a cell of a catalogue names: an address, or a path, by default within the folder."""
    if given.lower().startswith("s3:"):
        try:
            return source(*split_address(given), given)
        except InclinetError as error:
            return Source(given, folder, "", problem=str(error))
    path = expand(given)
    if path.is_absolute() or ".." in path.parts:
        return source(FolderStore(path.parent), path.name, given)
    return source(folder, path.as_posix(), f"{shown}/{path.as_posix()}")
