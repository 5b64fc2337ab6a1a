"""The galaxy catalogue and the labels it gives."""

import csv
import io
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.errors import InclinetError

__all__ = ["SIMULATED_PGC", "Catalog", "numeric_label", "read_catalog"]

logger = logging.getLogger(__name__)

SIMULATED_PGC = 9_000_001
"""Galaxies with this PGC number or a larger one are simulated; the real catalogue ends below 7 million."""

_PGC = re.compile(r"0*[1-9][0-9]{0,8}")
_MAX_BYTES = 512 * 2**20
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
    """

    table: pd.DataFrame
    skipped: dict[int | str, str]

    @property
    def labels(self) -> dict[int, str]:
        """Label of each galaxy by PGC number."""
        return dict(zip(self.table.index.tolist(), self.table["label"], strict=True))


def numeric_label(label: str) -> int:
    """Return a label as a number: `0` → 0, `F` → 1, else the inclination in degrees."""
    return 1 if label == "F" else int(label)


def _decode(path: Path, name: str) -> str:
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise InclinetError(f"{name}: {size / 2**20:,.0f} MiB is too large for a catalogue")
        raw = path.read_bytes()
    except OSError as error:
        raise InclinetError(f"{name}: the catalogue cannot be read ({error.strerror or error})") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _read_table(path: Path, name: str) -> tuple[pd.DataFrame, dict[int | str, str]]:
    """Return the table, indexed by line number, and the reason for every line that does not fit into it.

    `name` stands for the file in errors.
    """
    text = _decode(path, name)
    first = text.split("\n", 1)[0]
    names = [column.strip() for column in first.split("|")]
    missing = [column for column in ("pgc", "inc") if column not in names]
    if missing:
        raise InclinetError(
            f"{name}: the catalogue has no column {' and no column '.join(map(repr, missing))}; "
            "its first line must name the columns, separated by '|' "
            f"(found: {', '.join(names)[:200] or 'nothing'})"
        )
    repeated = sorted({column for column in names if column and names.count(column) > 1})
    if repeated:
        raise InclinetError(f"{name}: the catalogue names the column {repeated[0]!r} more than once")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter="|", quoting=csv.QUOTE_NONE))[1:]
    except csv.Error as error:
        raise InclinetError(f"{name}: the catalogue cannot be read as text separated by '|' ({error})") from None
    ragged = {line: row for line, row in enumerate(rows, 2) if len(row) != len(names) and "".join(row).strip()}
    fitting = {line: row for line, row in enumerate(rows, 2) if len(row) == len(names)}
    table = pd.DataFrame.from_dict(fitting, orient="index", columns=names, dtype=str)
    table = table.apply(lambda column: column.str.strip())
    absent = [column for column in _OPTIONAL if column not in table]
    if absent:
        logger.warning("%s: no column %s; treated as empty", name, ", ".join(absent))
    skipped: dict[int | str, str] = {
        f"line {n}": f"has {len(row)} cells, the first line {len(names)}" for n, row in ragged.items()
    }
    return table.assign(**dict.fromkeys(absent, "")), skipped


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


def read_catalog(path: Path, name: str | None = None, *, labels_required: bool = True) -> Catalog:
    """Read a catalogue: text with columns separated by `|`, and their names in the first line.

    Rows without a usable PGC number or inclination are skipped with a reason. Rows that repeat a galaxy
    with the same label become one; a galaxy whose rows contradict each other is skipped.

    Parameters
    ----------
    path : Path
    name : str, optional
        Stands for the file in errors; by default its path.
    labels_required : bool
        Whether a catalogue without any label is an error.

    Raises
    ------
    InclinetError
        When the file cannot be read, lacks `pgc` or `inc`, or gives no label at all.
    """
    table, skipped = _read_table(path, name or str(path))
    rows: dict[int, tuple[int, str]] = {}
    contradicting: dict[int, str] = {}
    cells = zip(*(table[name] for name in ("pgc", "inc", *_OPTIONAL)), strict=True)
    for line, (cell, *rest) in zip(table.index.tolist(), cells, strict=True):
        if not _PGC.fullmatch(cell):
            skipped[f"line {line}"] = f"PGC number {cell!r} is not a positive whole number"
            continue
        pgc = int(cell)
        label, reason = _label(*rest)
        if label is None:
            skipped[pgc] = f"{reason} (line {line})"
        elif rows.setdefault(pgc, (line, label))[1] != label:
            contradicting[pgc] = f"has the labels {rows[pgc][1]} and {label} (lines {rows[pgc][0]} and {line})"
    for pgc, reason in contradicting.items():
        del rows[pgc]
        skipped[pgc] = reason
    if not rows and labels_required:
        example = next((f"; for example {key}: {reason}" for key, reason in skipped.items()), "; it has no rows")
        raise InclinetError(f"{name or path}: no galaxy of the catalogue has a label{example}")
    kept, labels = [line for line, _ in rows.values()], [label for _, label in rows.values()]
    labelled = table.loc[kept].drop(columns="pgc").assign(label=labels)
    return Catalog(
        labelled.set_index(pd.Index(list(rows), name="pgc")),
        {key: reason for key, reason in skipped.items() if key not in rows},
    )
