"""Which files are catalogues, and which images belong to the galaxies of one."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.data.catalog import Galaxy
from inclinet.data.galaxies import same_name
from inclinet.data.tables import find_columns, read_table
from inclinet.errors import InclinetError
from inclinet.storage.store import Entry

__all__ = ["SUFFIXES", "images_by_row", "is_catalogue", "join_columns", "read_joined"]

SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".ecsv", ".vot", ".votable", ".xml")
"""What the names of catalogues end in, before any `.gz`; FITS files may be catalogues, too."""

_FITS = (".fits", ".fit", ".fts")
_WHOLE, _LEADING_ZERO = re.compile(r"[+-]?\d+"), re.compile(r"0\d+")


def is_catalogue(path: Path) -> bool:
    """Return whether a file is a table: by the end of its name, without `.gz`; FITS by what it holds."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith(SUFFIXES) or (name.endswith(_FITS) and _holds_table(path))


def _holds_table(path: Path) -> bool:
    from astropy.io import fits

    try:
        with fits.open(path, lazy_load_hdus=True) as hdus:
            # Pictures come with tables of what they were made from, and TOPCAT writes a line of bytes before a table.
            has_picture = any(hdu.is_image and hdu.header.get("NAXIS", 0) > 1 for hdu in hdus)
            return not has_picture and any(isinstance(hdu, fits.BinTableHDU | fits.TableHDU) for hdu in hdus)
    except (OSError, ValueError, TypeError):
        return False


def images_by_row(entries: Iterable[Entry], galaxies: Sequence[Galaxy]) -> dict[int, list[Entry]]:
    """Return the images of each row of a catalogue, by line.

    An image belongs to the galaxy whose PGC number its name tells, else to the one whose name its own begins with; the
    longest such name counts.
    """
    lines: dict[int | str, list[int]] = defaultdict(list)
    for one in galaxies:
        if one.pgc and one.pgc > 0:
            lines[one.pgc].append(one.line)
        if one.name:
            lines[same_name(one.name)].append(one.line)
    found: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        key = next((key for key in _names_of(entry.key) if key in lines), None)
        for line in lines[key] if key is not None else []:
            found[line].append(entry)
    return found


def _names_of(key: str) -> list[int | str]:
    """Return what galaxies an image may show: the PGC number of its name, then the beginnings of its name."""
    name = key.rpartition("/")[2]
    parts = re.findall(r"[^\s_.-]+[\s_.-]*", name.rpartition(".")[0])
    beginnings: list[int | str] = [same_name("".join(parts[:n]).rstrip(". ")) for n in range(len(parts), 0, -1)]
    match = re.match(r"pgc[\s_]*0*(\d{1,9})(?!\d)", name, re.IGNORECASE)
    return [int(match[1]), *beginnings] if match else beginnings


def read_joined(given: Sequence[str], wanted: str) -> pd.DataFrame:
    """Return the columns of a catalogue that are to be carried into the result, indexed by line.

    Parameters
    ----------
    given : sequence of str
        What to predict; one of them, and only one, is a catalogue.
    wanted : str
        Names of columns, separated by commas, or `all`.

    Raises
    ------
    InclinetError
        When there is not exactly one catalogue, or it lacks a column.
    """
    catalogues = [path for path in map(Path, given) if path.is_file() and is_catalogue(path)]
    if len(catalogues) != 1:
        raise InclinetError(f"{len(catalogues)} catalogues are given; columns can be carried from one", setting="join")
    table, _ = read_table(catalogues[0])
    names = table.columns.tolist() if wanted == "all" else [name.strip() for name in wanted.split(",")]
    try:
        found = find_columns(table, {name: name for name in names if name}, str(catalogues[0]))
    except InclinetError as error:
        raise InclinetError(str(error), setting="join") from None
    return table[list(found.values())]


def join_columns(table: pd.DataFrame, joined: pd.DataFrame) -> pd.DataFrame:
    """Return predictions with columns of the catalogue, numbers where all cells of one are numbers.

    A column that is called like one of the predictions gets the ending `_catalog`.
    """
    typed: dict[str, pd.Series] = {}
    for column in map(str, joined.columns):
        name = column
        while name in table or name in typed or (name != column and name in joined):
            name += "_catalog"
        typed[name] = _as_numbers(joined[column])
    return table.join(pd.DataFrame(typed, joined.index), on="row")


def _as_numbers(cells: pd.Series) -> pd.Series:
    """Return a column as numbers, if all cells but the empty ones are numbers, else as it is.

    Whole numbers keep all their digits: they may be identifiers, as those with leading zeros are.
    """
    given = cells[cells != ""]
    if given.str.fullmatch(_LEADING_ZERO).any():
        return cells
    if len(given) and given.str.fullmatch(_WHOLE).all():
        try:
            return given.map(int).astype("Int64").reindex(cells.index)
        except OverflowError:
            return cells
    numbers = pd.to_numeric(cells.replace("", np.nan), errors="coerce")
    return numbers if (numbers.notna() | (cells == "")).all() else cells
