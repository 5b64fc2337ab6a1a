"""One image to predict, in a store."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from inclinet.data.filenames import is_image, parse_cutout, split_band
from inclinet.data.images import MAX_BYTES, BadImageError
from inclinet.errors import InclinetError
from inclinet.storage.store import Entry, Store

__all__ = ["Source", "in_store", "printable", "source"]


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
        `c` (colour) or the name of a filter, if the file name says so.
    truth : float or None
        Inclination (deg) in the catalogue, if known.
    size : int
        Bytes, 0 if not known yet.
    problem : str
        Why there is nothing to predict; empty if there is.
    content : bytes or None
        Content of the image, if it is in no store.
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
    content: bytes | None = None

    def open(self) -> BinaryIO:
        """Return the content of the image.

        Raises
        ------
        BadImageError
            When it is missing, not an image, or far too large for a cutout.
        """
        if self.problem:
            raise BadImageError(self.problem)
        if self.content is not None:
            return io.BytesIO(self.content)
        if self.size > MAX_BYTES:
            raise BadImageError(f"{self.size} bytes is too large for a cutout")
        try:
            return io.BytesIO(self.store.read(self.key))
        except FileNotFoundError:
            raise BadImageError("no such file") from None
        except IsADirectoryError:
            raise BadImageError("a folder, not an image") from None
        except (OSError, ValueError, InclinetError) as error:
            raise BadImageError(f"cannot be read ({error})") from None


def printable(text: str) -> str:
    """Return a text that any table can hold: names of files need not be UTF-8, and what is not becomes an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def source(store: Store, key: str, name: str, size: int = 0) -> Source:
    """Return the source of one image, with the galaxy and the band that its file name tells."""
    file = key.rpartition("/")[2]
    parsed = parse_cutout(file)
    if parsed is None:
        return Source(name, store, key, band=split_band(file)[1] or None, size=size)
    return Source(name, store, key, parsed.pgc, f"PGC {parsed.pgc}", band=parsed.filter or None, size=size)


def in_store(entries: Iterable[Entry]) -> list[Entry]:
    """Return the images among the objects of a folder, sorted by key.

    Where a galaxy has two colour images, only the `.sdss.jpg` is returned.
    """
    images = sorted((entry for entry in entries if is_image(entry.key)), key=lambda entry: entry.key)
    names = {entry.key.lower() for entry in images}
    return [entry for entry in images if f"{entry.key.lower().removesuffix('.jpg')}.sdss.jpg" not in names]
