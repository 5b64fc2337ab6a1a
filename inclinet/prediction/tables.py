"""Write tables of inclinations in the formats that astronomers read."""

import json
import os
import re
import sys
import tempfile
import unicodedata
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import pandas as pd

from inclinet.errors import InclinetError
from inclinet.prediction.descriptions import describe
from inclinet.storage.atomic import atomic_file

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["FORMATS", "STANDARD_OUTPUT", "check_out", "check_place", "write_table"]

FORMATS = {
    ".csv": "CSV",
    ".ecsv": "ECSV",
    ".fits": "FITS",
    ".vot": "VOTable",
    ".xml": "VOTable",
    ".votable": "VOTable",
    ".parquet": "Parquet",
    ".json": "JSON",
    ".jsonl": "JSON lines",
}
"""Formats by file suffix."""

STANDARD_OUTPUT = Path("-")
"""Stands for the standard output."""

_NO_TEXT = ("FITS", "Parquet")
_LONGEST_NAME = 60  # characters of a column of FITS
_NO_NAME = re.compile(r"\W+", re.ASCII)
# Characters that no line of a FITS header, and no XML, may have.
_UNPRINTABLE, _NO_XML = re.compile(r"[^ -~]"), re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def check_out(path: Path, kind: str = "", *, overwrite: bool = False) -> None:
    """Check that a table can be written to a file, or to the standard output, before the work.

    Parameters
    ----------
    path : Path
    kind : str
        As for `write_table`.
    overwrite : bool

    Raises
    ------
    InclinetError
        When the format is not one of `FORMATS`, or no text and meant for the standard output; the file exists and is
        not to be overwritten, its folder does not exist or cannot be written to, or the format needs a package that is
        not installed.
    """
    found = _format_of(path, kind)
    if path == STANDARD_OUTPUT:
        if found in _NO_TEXT:
            raise InclinetError(f"{found} is no text for the standard output: name a file", setting="out")
        return
    check_place(path, "out", overwrite=overwrite)
    if found == "Parquet":
        _check_parquet()


def check_place(path: Path, setting: str, *, overwrite: bool = False) -> None:
    """Check that a file can be written, before the work.

    Raises
    ------
    InclinetError
        When the file exists and is not to be overwritten, or its folder does not exist or cannot be written to; it
        names `setting`.
    """
    if path.is_dir():
        raise InclinetError(f"{path}: is a folder; name a file", setting=setting)
    if path.exists() and not overwrite:
        raise InclinetError(f"{path}: exists already; give --overwrite, or another name", setting=setting)
    if not path.parent.is_dir():
        raise InclinetError(f"{path.parent}: no such folder to write {path.name} to", setting=setting)
    if not os.access(path.parent, os.W_OK):
        raise InclinetError(f"{path.parent}: this folder cannot be written to", setting=setting)


def _format_of(path: Path, kind: str) -> str:
    """Return the format of a table: that of `kind`, else of the suffix of its file, CSV for the standard output."""
    if kind:
        try:
            return FORMATS[f".{kind.lower().removeprefix('.')}"]
        except KeyError:
            known = ", ".join(suffix.removeprefix(".") for suffix in FORMATS)
            raise InclinetError(f"{kind!r}: unknown format of a table; give {known}", setting="format") from None
    if path == STANDARD_OUTPUT:
        return FORMATS[".csv"]
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        raise InclinetError(
            f"{path}: unknown format of a table; end the file name in {', '.join(FORMATS)}", setting="out"
        ) from None


def _check_parquet() -> None:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InclinetError(
            "Parquet needs the package pyarrow: pip install 'inclinet[parquet]'", setting="out"
        ) from None


def write_table(table: pd.DataFrame, path: Path, about: Mapping[str, str], kind: str = "") -> Path:
    """Write a table of inclinations; returns `path`.

    ECSV, FITS, VOTable and Parquet hold units and descriptions of the columns, FITS and VOTable their UCDs too (in the
    keywords TCOMMn and TUCDn of FITS).

    Parameters
    ----------
    table : DataFrame
        As `inclinet.prediction.predictor.Predictor.predict` returns it.
    path : Path
        Its suffix chooses the format: one of `FORMATS`. On `STANDARD_OUTPUT`, it is CSV.
    about : mapping of str to str
        Where the table comes from, for the header. CSV and JSON lines have none; their rows name the version.
    kind : str
        The format, whatever the suffix: one of `FORMATS`, without the point.

    Raises
    ------
    InclinetError
        When the format is not one of `FORMATS`, or a package for it is not installed.
    """
    found = _format_of(path, kind)
    if path == STANDARD_OUTPUT:
        with tempfile.TemporaryDirectory(prefix="inclinet-") as folder:
            part = Path(folder) / "table"
            _write(table, part, found, about)
            _print(part.read_bytes())
        return path
    with atomic_file(path) as part:
        _write(table, part, found, about)
    return path


def _print(content: bytes) -> None:
    """Write to the standard output, until its reader has enough."""
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Else Python itself would try again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(table: pd.DataFrame, path: Path, kind: str, about: Mapping[str, str]) -> None:
    if kind == "CSV":
        table.to_csv(path, index=False)
    elif kind == "JSON":
        path.write_text(json.dumps({"about": dict(about), "predictions": _records(table)}, indent=1))
    elif kind == "JSON lines":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in _records(table)))
    elif kind == "Parquet":
        _write_parquet(table, path, about)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about columns of a catalogue whose names some programs do not like
            _write_astropy(table, path, kind, about)


def _records(table: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows for JSON, which knows no NaN and no infinity; numbers keep all their digits."""
    finite = table.replace([np.inf, -np.inf], np.nan).astype(object)
    return finite.where(finite.notna(), None).to_dict("records")  # type: ignore[return-value]


def _write_parquet(table: pd.DataFrame, path: Path, about: Mapping[str, str]) -> None:
    _check_parquet()
    import pyarrow
    import pyarrow.parquet

    arrow = pyarrow.Table.from_pandas(table, preserve_index=False)
    fields = []
    for field in arrow.schema:
        known = describe(field.name)
        notes = {"description": known.text, "unit": known.unit, "ucd": known.ucd} if known else {}
        fields.append(field.with_metadata({key: value for key, value in notes.items() if value}))
    schema = pyarrow.schema(fields, metadata={**(arrow.schema.metadata or {}), **dict(about)})
    pyarrow.parquet.write_table(arrow.cast(schema), path)


def _write_astropy(table: pd.DataFrame, path: Path, kind: str, about: Mapping[str, str]) -> None:
    if kind == "FITS":
        converted = _to_astropy(_escaped(table))
        converted.meta.update({_escape(key).upper()[:8]: _escape(value) for key, value in about.items()})
        for number, name in enumerate(converted.colnames, 1):
            converted[name].description = None  # astropy would write it in a language of its own
            if known := describe(name):
                converted.meta.update({f"TCOMM{number}": known.text, f"TUCD{number}": known.ucd})
        converted.write(path, format="fits", overwrite=True)
        return
    converted = _to_astropy(table)
    if kind == "ECSV":
        converted.meta.update(about)
        converted.write(path, format="ascii.ecsv", overwrite=True)
        return
    converted.meta["description"] = _NO_XML.sub("\ufffd", "; ".join(f"{key}: {value}" for key, value in about.items()))
    with path.open("wb") as file:
        _write_votable(converted, file)


def _write_votable(table: "Table", file: BinaryIO) -> None:
    from astropy.io.votable import from_table

    for name in table.colnames:
        if table[name].dtype.kind == "U":  # else a column of single letters would have no room for empty cells
            table[name] = [value if np.ma.is_masked(value) else _NO_XML.sub("\ufffd", value) for value in table[name]]
            table[name] = table[name].astype(object)
    votable = from_table(table)
    for field in votable.get_first_table().fields:
        known = describe(field.name)
        if known and known.ucd:
            field.ucd = known.ucd
    votable.to_xml(file)


def _to_astropy(table: pd.DataFrame) -> "Table":
    """Return the table as astropy's, with units and descriptions of the columns."""
    from astropy.table import Table

    converted = Table.from_pandas(table)
    for name in converted.colnames:
        column = converted[name]
        if known := describe(name):
            column.unit, column.description = known.unit or None, known.text
        if np.ma.isMaskedArray(column) and column.dtype.kind == "i":
            # astropy's own, 999999, is a PGC number.
            column.fill_value = np.iinfo(column.dtype).min
    return converted


def _escaped(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with texts in ASCII, and names of letters, digits and underscores, as FITS needs them."""
    texts = table.select_dtypes(exclude="number").columns
    cells = {name: ["" if pd.isna(value) else _escape(str(value)) for value in table[name]] for name in texts}
    names: dict[str, str] = {}
    for name in map(str, table.columns):
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        plain = short = _NO_NAME.sub("_", plain).strip("_")[:_LONGEST_NAME] or "column"
        while plain in names.values() or (plain != name and plain in table):
            plain = f"{short}_{len(names)}"
        names[name] = plain
    return table.assign(**cells).rename(columns=names)


def _escape(text: str) -> str:
    ascii_text = text.encode("ascii", "backslashreplace").decode()
    return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", ascii_text)
