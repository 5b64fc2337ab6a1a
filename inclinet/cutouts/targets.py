"""The galaxies of a catalogue that cutouts are made of: what each is called, where it is, how large, how turned."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from astropy import units
from astropy.coordinates import Angle, SkyCoord

from inclinet.cutouts.filenames import stem_of
from inclinet.cutouts.settings import MEANINGS
from inclinet.data.galaxies import NAME_COLUMNS
from inclinet.data.tables import find_columns, read_table
from inclinet.errors import InclinetError

__all__ = [
    "Target",
    "pa_of",
    "parse_position",
    "parse_size",
    "place_name",
    "position_of",
    "read_catalogue",
    "read_targets",
    "size_of",
]

_LARGEST = 600.0  # arcmin; M 31 has 190
# Columns, in any case, in the order in which they are asked.
_PGC = ("pgc", "pgc_id", "pgcno")
_POSITION = (
    ("ra", "dec"),
    ("ra", "de"),
    ("ra_deg", "dec_deg"),
    ("raj2000", "dej2000"),
    ("_raj2000", "_dej2000"),
    ("raj2000", "decj2000"),
)
_HYPERLEDA = ("al2000", "de2000")  # right ascension in hours
_SIZE = ("d25", "logd25", "d26", "sma", "galdim_majaxis")
_PA = ("pa", "posang", "galdim_angle")
_RIGHT_ASCENSION = {_HYPERLEDA[0], *(ra for ra, _ in _POSITION)}
_READ = {*_PGC, *NAME_COLUMNS, *_HYPERLEDA, *_SIZE, *_PA, *(column for pair in _POSITION for column in pair)}


@dataclass(frozen=True)
class Target:
    """A galaxy to make cutouts of.

    Attributes
    ----------
    name : str
        As the catalogue has it, for people and servers; with `PGC` before a PGC number.
    stem : str
        First part of the names of its files; empty if it can have none.
    ra, dec : float or None
        Degrees, ICRS; None if the name is to be looked up.
    size : float or None
        Diameter D25, arcmin; None if unknown.
    pa : float or None
        Position angle of the major axis, deg from north through east; None if unknown.
    problem : str
        What is wrong with its row, empty if nothing is.
    is_named : bool
        Whether `name` is one that servers may know, and not just its position.
    """

    name: str
    stem: str
    ra: float | None = None
    dec: float | None = None
    size: float | None = None
    pa: float | None = None
    problem: str = ""
    is_named: bool = True


def parse_size(text: str) -> float:
    """Return an angular diameter in arcmin: ``8.1arcmin``, ``486 arcsec``, ``0.135deg``; a bare number is in arcmin.

    Raises
    ------
    InclinetError
        When it is no angle, or out of bounds.
    """
    try:
        quantity = units.Quantity(text)
        size = float((quantity * units.arcmin if quantity.unit.is_unity() else quantity).to_value(units.arcmin))
    except (TypeError, ValueError, units.UnitsError):
        raise InclinetError(f"size {text!r} is no angle; give one like 8.1arcmin", setting="size") from None
    if not 0 < size <= _LARGEST:
        raise InclinetError(f"size {text!r} is not between 0 and {_LARGEST:g} arcmin", setting="size")
    return size


def parse_position(ra: str, dec: str) -> tuple[float, float]:
    """Return a position in degrees.

    Plain numbers are degrees. Right ascensions in parts, such as ``09 22 02.6``, ``9:22:02.6`` or ``9h22m``, are hours.

    Raises
    ------
    ValueError
        When it is no position.
    """
    try:
        right, up = float(ra), float(dec)
    except ValueError:
        try:
            in_degrees = "d" in ra or "°" in ra
            right = float(Angle(ra, units.deg if in_degrees else units.hourangle).deg)
            up = float(Angle(dec, units.deg).deg)
        except Exception:  # astropy raises several kinds, some of them its parser's own
            raise ValueError(f"{ra!r}, {dec!r} is no position") from None
    if not (0 <= right <= 360 and -90 <= up <= 90):
        raise ValueError(f"{ra!r}, {dec!r} is no position: ra is from 0 to 360 deg, dec from -90 to 90")
    return right, up


def read_catalogue(
    path: Path, name: str | None = None, *, columns: Mapping[str, str] | None = None, size: float | None = None
) -> list[Target]:
    """Return a target for every row of a catalogue, a file that `inclinet.data.tables.read_table` reads.

    Parameters
    ----------
    path : Path
    name : str, optional
        Stands for the file in errors; by default its path.
    columns : mapping of str to str, optional
        Columns that are called otherwise, by one of `MEANINGS`.
    size : float, optional
        Diameter of every galaxy in arcmin, in place of the catalogue's.

    Raises
    ------
    InclinetError
        When it cannot be read, or has no column that names or places a galaxy.
    """
    columns = columns or {}
    unknown = [meaning for meaning in columns if meaning not in MEANINGS]
    if unknown:
        raise InclinetError(
            f"{unknown[0]!r} is nothing that a column can mean; give {', '.join(MEANINGS)}", setting="column"
        )
    table, ragged = read_table(path, name)
    given = {meaning: table[column] for meaning, column in find_columns(table, columns, name or str(path)).items()}
    replaced = [column for column in table.columns if str(column).casefold() in given]
    table = table.drop(columns=replaced).assign(**given)
    found = dict(zip(table.index.tolist(), read_targets(table, size), strict=True))
    for key, reason in ragged.items():
        line = int(str(key).removeprefix("line "))
        found[line] = Target(str(key), "", problem=f"{key} of the catalogue {reason}")
    return [found[line] for line in sorted(found)]


def read_targets(table: pd.DataFrame, size: float | None = None) -> list[Target]:
    """Return a target for every row of a catalogue, in its order.

    Columns are found in any case. A galaxy is called by `pgc`, else by a column like `name`; its position is in `ra`
    and `dec` (or the like), or looked up by its name. Its size is in `d25` or `d26` (arcmin), `logd25` (log10 of 0.1
    arcmin, as in HyperLEDA), or `SMA` (semi-major axis, arcmin, as in the SGA); its position angle in `pa`.

    Parameters
    ----------
    table : DataFrame
        Cells of any type; empty and masked ones are unknown.
    size : float, optional
        Diameter of every galaxy in arcmin, in place of the catalogue's.

    Raises
    ------
    InclinetError
        When the catalogue has no column that names or places a galaxy.
    """
    table = table.rename(columns=lambda column: str(column).strip().casefold())
    table = table.loc[:, ~table.columns.duplicated()]
    if not {*_PGC, *NAME_COLUMNS, *_RIGHT_ASCENSION} & set(table.columns):
        raise InclinetError(
            "the catalogue has neither a column pgc or name nor ra and dec "
            f"(found: {', '.join(map(str, table.columns))[:200] or 'nothing'})",
            setting="catalog",
        )
    cells = table.loc[:, table.columns.isin(_READ)].map(_text)
    targets: list[Target] = []
    seen: dict[str, int] = {}
    for line, row in enumerate(cells.to_dict("records"), 1):
        target = _target({str(name): text for name, text in row.items()}, size)
        if not target.problem and target.stem in seen:
            problem = f"repeats the galaxy of row {seen[target.stem]}"
            target = Target(target.name, target.stem, target.ra, target.dec, problem=problem)
        seen.setdefault(target.stem, line)
        targets.append(target)
    return targets


def _text(cell: object) -> str:
    """Return a cell as stripped text, empty if it is unknown."""
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "replace").strip()
    if cell is None or bool(pd.isna(cell)):  # type: ignore[call-overload]
        return ""
    text = str(cell).strip()
    return "" if text.casefold() in ("nan", "--", "null") else text


def _first(row: dict[str, str], columns: Sequence[str]) -> str:
    """Return the first text that is not empty."""
    return next((row[column] for column in columns if row.get(column)), "")


def _target(row: dict[str, str], size: float | None) -> Target:
    pgc, name = _first(row, _PGC), _first(row, NAME_COLUMNS)
    stem = stem_of(pgc, name)
    called = f"PGC {stem.removeprefix('pgc')}" if pgc and stem.startswith("pgc") else name
    try:
        place = _position(row)
    except ValueError as error:
        return Target(called or pgc, stem, problem=str(error))
    if not stem and pgc:
        return Target(pgc, "", problem=f"{pgc!r} is no PGC number")
    if not stem and not place:
        return Target("", "", problem="neither a name nor a position")
    if not stem and place:
        called = stem = place_name(*place)
        return Target(called, stem, *place, size or size_of(row), pa_of(row), is_named=False)
    ra, dec = place or (None, None)
    return Target(called, stem, ra, dec, size or size_of(row), pa_of(row))


def _position(row: dict[str, str]) -> tuple[float, float] | None:
    """Return the position (deg), None if the row has none; `ValueError` if it has a wrong one."""
    for ra, dec in _POSITION:
        if row.get(ra) and row.get(dec):
            return parse_position(row[ra], row[dec])
    hours, degrees = (row.get(column) for column in _HYPERLEDA)
    if hours and degrees:
        return parse_position(str(15 * number) if (number := _number(hours)) is not None else hours, degrees)
    return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def size_of(row: dict[str, str]) -> float | None:
    """Return the diameter (arcmin) in a row of texts by lower-case column, None if it is unknown; 0 stands for that."""
    logd25, semi = _number(row.get("logd25")), _number(row.get("sma"))
    sizes = [
        _number(row.get("d25")),
        None if logd25 is None or logd25 > 5 else 0.1 * 10**logd25,
        _number(row.get("d26")),
        None if semi is None else 2 * semi,
        _number(row.get("galdim_majaxis")),
    ]
    return next((size for size in sizes if size is not None and 0 < size <= _LARGEST), None)


def pa_of(row: dict[str, str]) -> float | None:
    """Return the position angle in [0, 180) deg in such a row, None if it is unknown, as numbers like 999 are."""
    pa = next((number for column in _PA if (number := _number(row.get(column))) is not None), None)
    return pa % 180 if pa is not None and -180 <= pa <= 360 else None


def place_name(ra: float, dec: float) -> str:
    """Return what a galaxy without a name is called by its position (deg), as in survey catalogues."""
    return f"J{ra:.5f}{dec:+.5f}"


def position_of(coordinates: SkyCoord) -> tuple[float, float]:
    """Return the ICRS position of coordinates in any frame, deg."""
    icrs = coordinates.icrs
    return float(icrs.ra.deg), float(icrs.dec.deg)
