"""Write tables of inclinations as CSV, JSON, FITS or VOTable."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["FORMATS", "check_format", "write_table"]

FORMATS = {".csv": "CSV", ".json": "JSON", ".fits": "FITS", ".vot": "VOTable", ".xml": "VOTable"}
"""Formats by file suffix."""

_ANGLE = re.compile(r"inclination|error|truth|position_angle|(?:low|high)\d\d|\w+_\d+")


def check_format(path: Path) -> str:
    """Return the format that a file's suffix stands for.

    Raises
    ------
    InclinetError
        When the suffix is not one of `FORMATS`.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise InclinetError(
            f"{path}: unknown format of a table; end the file name in {', '.join(FORMATS)}", setting="out"
        ) from None


def write_table(table: pd.DataFrame, path: Path, about: Mapping[str, str]) -> Path:
    """Write a table of inclinations; returns `path`. In FITS and VOTable, columns of angles have the unit deg.

    Parameters
    ----------
    table : DataFrame
        As `inclinet.prediction.predictor.Predictor.predict` returns it.
    path : Path
        Its suffix chooses the format: one of `FORMATS`.
    about : mapping of str to str
        Where the table comes from: written to JSON, to the header of FITS, and to VOTable as the description of the
        table. CSV has no place for it.

    Raises
    ------
    InclinetError
        When the suffix is not one of `FORMATS`.
    """
    kind = check_format(path)
    with atomic_file(path) as part:
        if kind == "CSV":
            table.to_csv(part, index=False)
        elif kind == "JSON":
            rows = json.loads(table.to_json(orient="records"))
            part.write_text(json.dumps({"about": dict(about), "predictions": rows}, indent=1))
        else:
            _to_astropy(table, about, kind == "FITS").write(part, format=kind.lower(), overwrite=True)
    return path


def _to_astropy(table: pd.DataFrame, about: Mapping[str, str], ascii_only: bool) -> "Table":
    """Return the table as astropy's, with units; if `ascii_only`, as FITS needs, other characters are escaped."""
    from astropy.table import Table

    if ascii_only:
        texts = table.select_dtypes(exclude="number").columns
        table = table.assign(**{name: table[name].map(_escape) for name in texts})
        about = {_escape(key).upper()[:8]: _escape(value) for key, value in about.items()}
    converted = Table.from_pandas(table)
    for name in converted.colnames:
        if _ANGLE.fullmatch(name):
            converted[name].unit = "deg"
    converted.meta.update(about if ascii_only else {"description": "; ".join(f"{k}: {v}" for k, v in about.items())})
    return converted


def _escape(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
