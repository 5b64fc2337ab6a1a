"""Answers as tables to download, in the formats of `inclinet predict`."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pandas as pd

from inclinet.errors import InclinetError
from inclinet.prediction.descriptions import describe
from inclinet.prediction.tables import write_table
from inclinet.serve.answers import Cell, Version

__all__ = ["MEDIA_TYPES", "Format", "table_file"]

Format = Literal["csv", "ecsv", "fits", "vot", "json"]

MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv",
    "ecsv": "text/plain",
    "fits": "application/fits",
    "vot": "application/x-votable+xml",
    "json": "application/json",
}
"""The media type of each format."""


def table_file(rows: Sequence[Mapping[str, Cell]], kind: Format, version: Version) -> bytes:
    """Return the content of a table of answers.

    Parameters
    ----------
    rows : sequence of mapping
        The `row` of each answer.
    kind : str
        One of `MEDIA_TYPES`.
    version : Version
        For the header.

    Raises
    ------
    InclinetError
        When there is no row, or a column that no answer has.
    """
    table = pd.DataFrame(list(rows))
    if table.empty:
        raise InclinetError("there are no rows to write")
    if unknown := [name for name in table.columns if describe(str(name)) is None]:
        raise InclinetError(f"{unknown[0]!r} is no column of an answer")
    for name in ("pgc", "row", "n_images"):
        if name in table:
            table[name] = pd.to_numeric(table[name], errors="coerce").astype("Int64")
    about = {
        "version": version.version,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": "inclinet serve",
        "about": version.about,
    }
    with tempfile.TemporaryDirectory(prefix="inclinet-") as folder:
        return write_table(table, Path(folder) / f"inclinations.{kind}", about).read_bytes()
