"""Uploaded files as sources of predictions: images by their names, or the rows of a catalogue."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from inclinet.data.catalog import Galaxy, read_galaxies
from inclinet.errors import InclinetError
from inclinet.prediction.catalogues import images_by_row
from inclinet.prediction.source import Source, source
from inclinet.prediction.sources import of_galaxy
from inclinet.serve.uploads import Upload, find_problem
from inclinet.storage.store import Entry, FolderStore

__all__ = ["catalogue_file", "find_uploaded"]

_MOST_ROWS = 5000
_MOST_BYTES, _LONGEST_LINE = 4 * 2**20, 16_384
_NO_TEXT = (b"\x1f\x8b", b"SIMPLE  =", b"# %ECSV", b"<")  # gzip, FITS, ECSV, VOTable
_NOWHERE = FolderStore(Path())  # the sources hold their content


def find_uploaded(uploads: Sequence[Upload], max_pixels: int) -> list[Source]:
    """Return a source for each image, or with a catalogue for each of its rows.

    Images belong to the rows whose galaxies or files they are named after. No path in a catalogue is opened.

    Raises
    ------
    InclinetError
        When there are several catalogues, or the one cannot be read or has too many rows.
    """
    catalogues = [one for one in uploads if one.is_catalogue]
    images = {one.name: _source(one, max_pixels) for one in uploads if not one.is_catalogue}
    if not catalogues:
        return list(images.values())
    if len(catalogues) > 1:
        raise InclinetError(f"{len(catalogues)} catalogues ({', '.join(one.name for one in catalogues)}): give one")
    galaxies = _read(catalogues[0])
    if not 0 < len(galaxies) <= _MOST_ROWS:
        raise InclinetError(f"{catalogues[0].name}: {len(galaxies):,} rows; give 1 to {_MOST_ROWS:,}")
    entries = [Entry(name, len(one.content or b""), "") for name, one in images.items()]
    named = images_by_row(entries, [one for one in galaxies if not one.image])
    found = []
    for galaxy in galaxies:
        names = [entry.key for entry in named.get(galaxy.line, [])]
        if galaxy.image:
            names = [name for name in images if name == PurePosixPath(galaxy.image.replace("\\", "/")).name]
        missing = Source("", _NOWHERE, "", problem=galaxy.problem or "no image of it was uploaded")
        found += [of_galaxy(images[name], galaxy) for name in names] or [of_galaxy(missing, galaxy)]
    return found


def _source(upload: Upload, max_pixels: int) -> Source:
    content, problem = find_problem(upload.content, max_pixels)
    return replace(source(_NOWHERE, upload.name, upload.name), content=content, problem=problem)


def _read(catalogue: Upload) -> list[Galaxy]:
    with catalogue_file(catalogue) as path:
        return read_galaxies(path)


@contextmanager
def catalogue_file(catalogue: Upload) -> Iterator[Path]:
    """Give the path of an uploaded catalogue, which is gone afterwards; errors in the block name the upload instead.

    Raises
    ------
    InclinetError
        When it is no text, or too large.
    """
    _check_text(catalogue)
    with tempfile.TemporaryDirectory(prefix="inclinet-") as folder:
        path = Path(folder) / "catalogue"
        path.write_bytes(catalogue.content)
        try:
            yield path
        except InclinetError as error:
            raise InclinetError(str(error).replace(str(path), catalogue.name)) from None


def _check_text(catalogue: Upload) -> None:
    """Refuse tables that are no text, whatever their name: they unpack to any size, or name files and addresses."""
    content = catalogue.content
    if content.lstrip().startswith(_NO_TEXT):
        raise InclinetError(f"{catalogue.name}: give the catalogue as text, with columns split by commas, tabs or '|'")
    if len(content) > _MOST_BYTES:
        raise InclinetError(f"{catalogue.name}: more than {_MOST_BYTES >> 20} MiB is too large for a catalogue here")
    lines = content.splitlines()
    if max(map(len, lines), default=0) > _LONGEST_LINE:
        raise InclinetError(f"{catalogue.name}: has a line of more than {_LONGEST_LINE:,} characters")
    # Reading them would take seconds.
    if len(lines) > 2 * _MOST_ROWS:
        raise InclinetError(f"{catalogue.name}: {len(lines):,} lines; give {_MOST_ROWS:,} rows at most")
