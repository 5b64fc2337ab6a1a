"""Tables as people have them, read into cells of text: text with columns, ECSV, FITS and VOTable; plain or gzipped."""

import codecs
import gzip
import io
import re
import warnings
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.data.delimited import read_delimited
from inclinet.errors import InclinetError

__all__ = ["cells_of", "find_columns", "read_table"]

_MAX_BYTES = 512 * 2**20
_GZIP, _FITS, _ECSV = b"\x1f\x8b", b"SIMPLE  =", b"# %ECSV"
_ENCODING = re.compile(r"""(<\?xml[^>]*?)\s+encoding=["'][^"']*["']""")
_EXACT = 2.0**53  # floats hold all whole numbers below
_SEEN = 64  # bytes that tell UTF-16 without a byte order mark


def read_table(path: Path, name: str | None = None) -> tuple[pd.DataFrame, dict[int | str, str]]:
    """Read a table, whatever its file name ends in.

    Text is read as `inclinet.data.delimited.read_delimited` says. Text, ECSV and VOTable too, is UTF-8, UTF-16 or
    Latin-1. Of FITS and VOTable files, the first table is read.

    Parameters
    ----------
    path : Path
    name : str, optional
        Stands for the file in errors; by default its path.

    Returns
    -------
    table : DataFrame of str
        Stripped cells, empty where masked or NaN; indexed by the line of the file, or by the row of a FITS or VOTable,
        counted from 1.
    ragged : dict of int or str to str
        What is wrong with each line that does not fit, by `line <n>`.

    Raises
    ------
    InclinetError
        When the file cannot be read as a table, is too large, or names a column twice.
    """
    name = name or str(path)
    raw = _as_utf8(_read_bytes(path, name))
    try:
        if raw.startswith(_FITS):
            return _from_astropy(raw, "fits"), {}
        if raw.startswith(_ECSV):
            return _from_astropy(raw, "ascii.ecsv"), {}
        if raw.lstrip()[:1] == b"<" and b"VOTABLE" in raw[:2000].upper():
            return _from_astropy(raw, "votable"), {}
    except MemoryError:
        raise
    except Exception as error:  # astropy raises all kinds
        reason = str(error).partition("\n")[0][:200]
        raise InclinetError(f"{name}: the catalogue cannot be read ({reason})", setting="catalog") from None
    return read_delimited(_decode(raw), name)


def _read_bytes(path: Path, name: str) -> bytes:
    """Return the content of a file, unpacked if it is gzipped."""
    too_large = f"{name}: more than {_MAX_BYTES / 2**20:,.0f} MiB is too large for a catalogue"
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InclinetError(too_large)
        raw = path.read_bytes()
        if raw.startswith(_GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
                raw = file.read(_MAX_BYTES + 1)
            if len(raw) > _MAX_BYTES:
                raise InclinetError(too_large)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InclinetError(f"{name}: the catalogue cannot be read ({reason})") from None
    return raw


def _as_utf8(raw: bytes) -> bytes:
    """Return text that is UTF-16 as UTF-8; without a byte order mark, and of XML without the name of the encoding."""
    encoding = _utf16_of(raw)
    if encoding is None:
        return raw.removeprefix(codecs.BOM_UTF8)
    text = raw.decode(encoding, errors="replace")
    return _ENCODING.sub(r"\1", text, count=1).encode(errors="replace")


def _utf16_of(raw: bytes) -> str | None:
    """Return which UTF-16 a file holds, None if it is none: each second byte of Latin letters is zero."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    first, second = raw[:_SEEN:2], raw[1:_SEEN:2]
    if first and second and not any(second) and all(first):
        return "utf-16-le"
    return "utf-16-be" if first and second and not any(first) and all(second) else None


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _from_astropy(raw: bytes, kind: str) -> pd.DataFrame:
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about units and dialects, which do not matter here
        table = Table.read(io.BytesIO(raw), format=kind)
    return cells_of((name, table[name]) for name in table.colnames)


def cells_of(columns: Iterable[tuple[object, Iterable[object]]]) -> pd.DataFrame:
    """Return columns of any values, by name, as `read_table` returns a table: rows are counted from 1.

    Raises
    ------
    InclinetError
        When two columns have the same name.
    """
    cells: dict[str, list[str]] = {}
    for key, values in columns:
        name = " ".join(str(key).split())
        if name in cells:
            raise InclinetError(f"the table names the column {name!r} more than once", setting="catalog")
        cells[name] = [_cell(value) for value in values]
    length = max(map(len, cells.values()), default=0)
    return pd.DataFrame(cells, index=pd.RangeIndex(1, length + 1), dtype=str)


def _cell(value: object) -> str:
    """Return a cell as text: empty if it is masked, missing or not a number; whole floats with all their digits."""
    if value is None or value is pd.NA or value is pd.NaT or np.ma.is_masked(value):
        return ""
    if isinstance(value, float | np.floating):
        number = float(value)
        if np.isnan(number):
            return ""
        if number.is_integer() and abs(number) < _EXACT:
            return f"{number:.1f}"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    return str(value).strip()


def find_columns(table: pd.DataFrame, wanted: Mapping[str, str], name: str) -> dict[str, str]:
    """Return which column of a table has each meaning.

    Parameters
    ----------
    table : DataFrame
    wanted : mapping of str to str
        Column by meaning, as the user gave it; empty where the column is called like the meaning, in any case.
    name : str
        Stands for the file in errors.

    Raises
    ------
    InclinetError
        When the table lacks a column that the user named.
    """
    by_lower = {str(column).lower(): str(column) for column in reversed(table.columns)}
    found = {}
    for meaning, given in wanted.items():
        column = given if given and given in table.columns else by_lower.get((given or meaning).lower())
        if given and column is None:
            raise InclinetError(
                f"{name}: there is no column {given!r}; the catalogue has {', '.join(map(str, table.columns))[:300]}",
                setting="column",
            )
        if column is not None:
            found[meaning] = meaning if not given and meaning in table.columns else column
    return found
