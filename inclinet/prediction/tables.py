"""Tables of inclinations in the formats that astronomers read: CSV, JSON, FITS, VOTable."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file

__all__ = ["FORMATS", "check_format", "write_table"]

FORMATS = {".csv": "CSV", ".json": "JSON", ".fits": "FITS", ".vot": "VOTable", ".xml": "VOTable"}
"""Formats by the suffix of the file."""

_ANGLE = re.compile(r"inclination|error|truth|(?:low|high)\d\d|\w+_\d+")


def check_format(path: Path) -> str:
    """Return the format that the suffix of a file asks for.

    Raises
    ------
    InclinetError
        When there is no such format.
    """
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise InclinetError(f"{path}: no table is written in that format; end it in {', '.join(FORMATS)}") from None


def write_table(table: pd.DataFrame, path: Path, about: Mapping[str, str]) -> Path:
    """Write a table of inclinations; angles in deg, which FITS and VOTable say of their columns.

    Parameters
    ----------
    table : DataFrame
        As `inclinet.prediction.predictor.Predictor.predict` returns.
    path : Path
        Its suffix is the format: one of `FORMATS`.
    about : mapping of str to str
        What is said of the table, in JSON and FITS.

    Raises
    ------
    InclinetError
        When there is no such format.
    """
    kind = check_format(path)
    with atomic_file(path) as part:
        if kind == "CSV":
            table.to_csv(part, index=False)
        elif kind == "JSON":
            rows = json.loads(table.to_json(orient="records"))
            part.write_text(json.dumps({"about": dict(about), "predictions": rows}, indent=1))
        else:
            _astropy(table, about, kind == "FITS").write(part, format=kind.lower(), overwrite=True)
    return path


def _astropy(table: pd.DataFrame, about: Mapping[str, str], ascii_only: bool) -> object:
    """Return the table as astropy's, with units; what ASCII does not hold is escaped, if FITS is to hold it."""
    from astropy.table import Table

    if ascii_only:
        texts = table.select_dtypes(exclude="number").columns
        table = table.assign(**{name: table[name].map(_escape) for name in texts})
        about = {_escape(key).upper()[:8]: _escape(value) for key, value in about.items()}
    converted = Table.from_pandas(table)
    for name in converted.colnames:
        if _ANGLE.fullmatch(name):
            converted[name].unit = "deg"
    converted.meta.update(about)
    return converted


def _escape(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()
