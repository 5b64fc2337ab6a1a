"""The table of a folder of cutouts: what each was fetched from, and why the others were not."""

import csv
import hashlib
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError, field_validator

from inclinet.records import Record
from inclinet.storage.atomic import write_text

__all__ = ["CutoutRow", "digest", "now", "read_rows", "rows_text", "write_rows"]


class CutoutRow(Record):
    """A row of `cutouts.csv`: one galaxy in one band.

    Attributes
    ----------
    name : str
        Of the galaxy, as the catalogue has it.
    ra, dec : float or None
        Centre, deg, ICRS.
    survey, band : str
    d25, pa : float or None
        Diameter (arcmin) and position angle (deg) of the galaxy, as the catalogue or SIMBAD has them.
    pixel_scale : float or None
        Arcsec per pixel of the file.
    width : float or None
        Width of the picture, arcmin.
    turned_by : float or None
        Degrees, counterclockwise, from north up to the major axis level; None if it was not turned.
    date : str
        When it was fetched, UTC, ISO 8601.
    sha256, file : str
        Of the picture; empty if there is none.
    problem : str
        Why there is none.
    """

    name: str
    ra: float | None = None
    dec: float | None = None
    survey: str
    band: str
    d25: float | None = None
    pa: float | None = None
    pixel_scale: float | None = None
    width: float | None = None
    turned_by: float | None = None
    date: str = ""
    sha256: str = ""
    file: str = ""
    problem: str = ""

    @field_validator("ra", "dec", "d25", "pa", "pixel_scale", "width", "turned_by", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value

    def asks_the_same(self, other: "CutoutRow") -> bool:
        """Return whether both rows are the answer to the same question, whatever it is."""
        answer = {"date", "sha256", "file", "problem"}
        return self.model_dump(exclude=answer) == other.model_dump(exclude=answer)


def now() -> str:
    """Return the time as the tables have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def digest(content: bytes) -> str:
    """Return the SHA-256 of a picture's file."""
    return hashlib.sha256(content).hexdigest()


def rows_text(rows: Iterable[CutoutRow], header: bool = True) -> str:
    """Return rows as the text of a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(CutoutRow.model_fields), lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(row.model_dump() for row in rows)
    return text.getvalue()


def write_rows(rows: Iterable[CutoutRow], path: Path) -> None:
    """Write the table atomically."""
    write_text(path, rows_text(rows))


def read_rows(text: str) -> list[CutoutRow]:
    """Return the rows in the text of a table; lines that are none, as a kill may leave, are left out."""
    rows = []
    for cells in csv.DictReader(text.splitlines()):
        try:
            rows.append(CutoutRow.model_validate(cells))
        except ValidationError:
            continue
    return rows
