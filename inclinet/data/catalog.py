"""The galaxy catalogue and the labels it gives."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.data.galaxies import MEANINGS, NAME_COLUMNS, galaxy_title, identify, parse_pgc, same_name
from inclinet.data.inclination import MIN_INCLINATION, numeric_label
from inclinet.data.tables import find_columns, read_table
from inclinet.errors import InclinetError

__all__ = ["Catalog", "Galaxy", "find_galaxies", "read_catalog", "read_galaxies"]

logger = logging.getLogger(__name__)

_OPTIONAL = ("inc_flg", "fon", "inc_note")


@dataclass(frozen=True)
class Catalog:
    """A checked catalogue.

    Attributes
    ----------
    table : DataFrame
        One row per galaxy, indexed by PGC number (int); all cells are stripped strings. The column `label`
        holds `F` (face-on), `0` (rejected) or the integer inclination in degrees.
    skipped : dict of int or str to str
        Reason for every row that gives no label, by PGC number (or by `line <n>` if that is unreadable).
    names : dict of int to str
        What the catalogue calls each galaxy.
    """

    table: pd.DataFrame
    skipped: dict[int | str, str]
    names: dict[int, str] = field(default_factory=dict)

    @property
    def images(self) -> dict[int, str]:
        """File or address of the image of each galaxy, if the catalogue has such a column."""
        if "image" not in self.table:
            return {}
        cells = zip(self.table.index.tolist(), self.table["image"], strict=True)
        return {pgc: cell for pgc, cell in cells if cell}

    @property
    def errors(self) -> dict[int, float]:
        """Error (deg) of the inclination of each galaxy that takes part in regression, where `inc_e` is above 0."""
        if "inc_e" not in self.table:
            return {}
        errors = pd.to_numeric(self.table["inc_e"], errors="coerce")
        regressed = self.table["label"].map(numeric_label) >= MIN_INCLINATION
        kept = errors[regressed & np.isfinite(errors) & (errors > 0)]
        return dict(zip(kept.index.tolist(), kept.tolist(), strict=True))

    @property
    def labels(self) -> dict[int, str]:
        """Label of each galaxy by PGC number."""
        return dict(zip(self.table.index.tolist(), self.table["label"], strict=True))


@dataclass(frozen=True)
class Galaxy:
    """One row of a catalogue.

    Attributes
    ----------
    line : int
    pgc : int or None
        The number that stands for the galaxy, as `inclinet.data.galaxies.identify` says.
    name : str
        What the catalogue calls it; empty if it does not.
    truth : float or None
        Inclination (deg), not rounded, if the catalogue gives a usable one.
    image : str
        File or address of its image, empty if the catalogue has no such column.
    problem : str
        What is wrong with the row.
    """

    line: int
    pgc: int | None
    name: str
    truth: float | None
    image: str
    problem: str


def _label(inc: str, inc_flg: str, fon: str, inc_note: str) -> tuple[str | None, str]:
    """Return the label, None if there is none, and then the reason."""
    flag = pd.to_numeric(inc_flg or "0", errors="coerce")
    if not np.isfinite(flag):
        return None, f"inc_flg {inc_flg!r} is not a number"
    if flag > 0:
        return ("F" if fon == "F" or "face_on" in inc_note else "0"), ""
    if not inc:
        return None, "no inclination in the catalogue"
    inclination = pd.to_numeric(inc, errors="coerce")
    if not np.isfinite(inclination) or not 0 <= inclination <= 90:
        return None, f"inclination {inc!r} is not a number of degrees from 0 to 90"
    return str(int(np.floor(inclination + 0.5))), ""


def read_catalog(path: Path, name: str | None = None, *, columns: Mapping[str, str] | None = None) -> Catalog:
    """Read the labels of a catalogue, a table that `inclinet.data.tables.read_table` reads.

    Rows without a usable name or inclination are skipped with a reason. Rows that repeat a galaxy
    with the same label become one; a galaxy whose rows contradict each other is skipped.

    Parameters
    ----------
    path : Path
    name : str, optional
        Stands for the file in errors; by default its path.
    columns : mapping of str to str, optional
        Columns that are called otherwise, such as `{"pgc": "PGCNO"}`.

    Raises
    ------
    InclinetError
        When the file cannot be read, lacks a name of the galaxies or `inc`, or gives no label at all.
    """
    shown = name or str(path)
    table, ragged = _read(path, shown, columns or {})
    skipped = dict(ragged)
    if "inc" not in table:
        raise InclinetError(f"{shown}: the catalogue has no column 'inc'{_found(table)}", setting="catalog")
    absent = [column for column in _OPTIONAL if column not in table]
    if absent:
        logger.warning("%s: no column %s; treated as empty", shown, ", ".join(absent))
    table = table.assign(**dict.fromkeys(absent, ""))
    rows: dict[int, tuple[int, str]] = {}
    called: dict[int, str] = {}
    contradicting: dict[int, str] = {}
    cells = zip(*(table[column] for column in ("inc", *_OPTIONAL)), strict=True)
    for (line, pgc, galaxy), given in zip(_identify(table), cells, strict=True):
        if pgc is None:
            skipped[f"line {line}"] = _unnamed(table, line)
            continue
        label, reason = _label(*given)
        if same_name(called.setdefault(pgc, galaxy)) != same_name(galaxy) and pgc < 0:
            skipped[f"line {line}"] = f"{galaxy!r} and {called[pgc]!r} share a number; rename one of them"
        elif label is None:
            skipped[pgc] = f"{reason} (line {line})"
        elif rows.setdefault(pgc, (line, label))[1] != label:
            contradicting[pgc] = f"has the labels {rows[pgc][1]} and {label} (lines {rows[pgc][0]} and {line})"
    for pgc, reason in contradicting.items():
        del rows[pgc]
        skipped[pgc] = reason
    if not rows:
        example = next((f"; for example {key}: {reason}" for key, reason in skipped.items()), "; it has no rows")
        raise InclinetError(f"{shown}: no galaxy of the catalogue has a label{example}")
    kept, labels = [line for line, _ in rows.values()], [label for _, label in rows.values()]
    labelled = table.loc[kept].drop(columns="pgc", errors="ignore").assign(label=labels)
    return Catalog(
        labelled.set_index(pd.Index(list(rows), name="pgc")),
        {key: reason for key, reason in skipped.items() if key not in rows},
        {pgc: called[pgc] for pgc in rows},
    )


def read_galaxies(path: Path, *, columns: Mapping[str, str] | None = None) -> list[Galaxy]:
    """Return the galaxies of a catalogue that need not have labels, one for every row, whatever is wrong with it.

    Raises
    ------
    InclinetError
        When the file cannot be read, or no column names the galaxies.
    """
    table, ragged = _read(path, str(path), columns or {})
    return [*_galaxies(table, ragged)]


def find_galaxies(
    cells: pd.DataFrame, name: str = "the table", *, columns: Mapping[str, str] | None = None
) -> list[Galaxy]:
    """Return the galaxies of a table that `inclinet.data.tables.cells_of` made, as `read_galaxies` does of a file."""
    return [*_galaxies(_with_meanings(cells, name, columns or {}), {})]


def _galaxies(table: pd.DataFrame, ragged: Mapping[int | str, str]) -> Iterator[Galaxy]:
    """Yield the galaxy of every row, by line."""
    blank = pd.Series("", table.index)
    cells = [table.get(column, blank) for column in ("inc", *_OPTIONAL)]
    images = table.get("image", blank)
    found = {
        line: Galaxy(line, pgc, name, _truth(*given), image, "" if name or image else _unnamed(table, line))
        for (line, pgc, name), given, image in zip(_identify(table), zip(*cells, strict=True), images, strict=True)
    }
    for key, reason in ragged.items():
        line = int(str(key).removeprefix("line "))
        found[line] = Galaxy(line, None, "", None, "", f"{key} of the catalogue {reason}")
    yield from (found[line] for line in sorted(found))


def _read(path: Path, shown: str, columns: Mapping[str, str]) -> tuple[pd.DataFrame, dict[int | str, str]]:
    """Return the table with a column for every meaning that is found, and why lines do not fit into it."""
    table, ragged = read_table(path, shown)
    return _with_meanings(table, shown, columns), ragged


def _with_meanings(table: pd.DataFrame, shown: str, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return a table with a column for every meaning that is found."""
    unknown = [meaning for meaning in columns if meaning not in MEANINGS]
    if unknown:
        raise InclinetError(
            f"{unknown[0]!r} is nothing that a column can mean; give {', '.join(MEANINGS)}", setting="column"
        )
    found = find_columns(table, {meaning: columns.get(meaning, "") for meaning in MEANINGS}, shown)
    # Where there are PGC numbers, columns such as `id` may count rows.
    names = find_columns(table, dict.fromkeys(NAME_COLUMNS[: 3 if "pgc" in found else None], ""), shown)
    if names and "galaxy" not in found:
        found["galaxy"] = next(iter(names.values()))
    if not {"pgc", "galaxy"} & found.keys():
        raise InclinetError(
            f"{shown}: no column 'pgc' or 'name'; name the one that names the galaxies with --column pgc=... or "
            f"--column galaxy=...{_found(table)}",
            setting="catalog",
        )
    return table.assign(**{meaning: table[column] for meaning, column in found.items()})


def _found(table: pd.DataFrame) -> str:
    return f" (found: {', '.join(map(str, table.columns))[:200] or 'nothing'})"


def _identify(table: pd.DataFrame) -> Iterator[tuple[int, int | None, str]]:
    """Yield line, number and name of each row's galaxy; None and an empty name where it has none."""
    blank = pd.Series("", table.index)
    cells = zip(table.index.tolist(), table.get("pgc", blank), table.get("galaxy", blank), strict=True)
    for line, number, name in cells:
        pgc = parse_pgc(number)
        if pgc is None and name:
            pgc = identify(name)
        yield line, pgc, galaxy_title(pgc, name)


def _unnamed(table: pd.DataFrame, line: int) -> str:
    cell = table["pgc"].get(line, "") if "pgc" in table else ""
    return f"PGC number {cell!r} is not a positive whole number" if cell else "the galaxy has no name"


def _truth(inc: str, inc_flg: str, fon: str, inc_note: str) -> float | None:
    """Return the inclination (deg) as the catalogue gives it, None if it gives no usable one."""
    label, _ = _label(inc, inc_flg, fon, inc_note)
    return None if label in (None, "F", "0") else float(inc)
