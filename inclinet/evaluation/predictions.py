"""Tables of predictions: one row per image, one column per network, angles in degrees.

The columns are `pgc`, `filter` (c, g, r, i), `inc_m` (human inclination) and one for each network, named
`<model>_<subsample>`; where known also `inverted` (whether the image is dark on a bright sky) and each network's
spread over the orientations of the image, `<model>_<subsample>_spread`.
"""

import json
import logging
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from inclinet.data.bands import COLOUR_LETTER, is_band
from inclinet.data.columns import INVERTED, KEYS, network_columns, spread_column
from inclinet.data.galaxies import identify, parse_pgc
from inclinet.data.inclination import MIN_INCLINATION
from inclinet.data.tables import cells_of, read_table
from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file

__all__ = ["merge_predictions", "read_predictions", "tidy", "write_predictions"]

logger = logging.getLogger(__name__)

_TRUTH = {"true": True, "false": False, "1": True, "0": False}


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read a table of predictions.

    Parameters
    ----------
    path : str or Path
        CSV file; an unnamed index column and bands written as ``b'c'`` are accepted. Also a table that `inclinet
        predict` wrote for a catalogue with inclinations, in any of its formats: its rows with an answer and a
        `truth` of 45 deg or more are judged.

    Returns
    -------
    DataFrame
        One row per image: `pgc` int64, `filter` (``c``, ``g``, ``r`` or ``i``), `inc_m` human inclination
        (deg) and one column per network (deg); if present, also the spread of each network and `inverted` (bool).
        Other columns are left out.

    Raises
    ------
    InclinetError
        If the file cannot be read, a column is missing, or a row holds something other than numbers, an inclination
        outside 45 to 90 deg or an unknown band.
    """
    table = _read(Path(path))
    if "inclination" in table and KEYS[1] not in table:
        table = _of_predict(table, str(path))
    return tidy(table, str(path))


def _read(path: Path) -> pd.DataFrame:
    """Return the cells of a table, as text."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".json", ".jsonl", ".parquet"):
        return read_table(path)[0]
    try:
        if suffix == ".csv":
            return pd.read_csv(path, dtype=str, keep_default_na=False)
        if suffix == ".parquet":
            return cells_of(pd.read_parquet(path).items())
        text = path.read_text(encoding="utf-8")
        rows = (
            [json.loads(line) for line in text.splitlines()] if suffix == ".jsonl" else json.loads(text)["predictions"]
        )
        return cells_of(pd.DataFrame(rows, dtype=object).items())
    except (OSError, ValueError, TypeError, KeyError, ImportError) as error:
        raise InclinetError(f"{path}: cannot be read as a table of predictions ({error}).") from error


def _of_predict(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the rows of a table of `inclinet predict` that can be judged, in the columns of a table of predictions.

    Raises
    ------
    InclinetError
        When the table has no inclinations of a catalogue.
    """
    if "truth" not in table:
        raise InclinetError(f"{where}: no column 'truth'; predict the galaxies of a catalogue with inclinations")
    truth = pd.to_numeric(table["truth"], errors="coerce")
    judged = table[(truth >= MIN_INCLINATION) & (table["inclination"] != "")]
    if len(judged) < len(table):
        logger.warning(
            "%s: %d rows without answer or truth of 45 deg or more left out", where, len(table) - len(judged)
        )
    bands = judged["bands" if "bands" in judged else "band"].str.partition(";")[0].str.strip()
    names = judged["galaxy"].where(judged["pgc"] == "", judged["pgc"])
    numbers = [str(parse_pgc(name) or identify(name)) for name in names]
    return judged.assign(pgc=numbers, filter=bands, inc_m=judged["truth"])


def write_predictions(table: pd.DataFrame, path: str | Path, more: pd.DataFrame | None = None) -> Path:
    """Write a table of predictions with an unnamed index and the columns that `read_predictions` returns.

    Parameters
    ----------
    table : DataFrame
    path : str or Path
    more : DataFrame, optional
        Further columns, row for row.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InclinetError
        If `table` lacks a column or holds a bad row.
    """
    table = tidy(table, f"Table meant for {path}")
    if more is not None:
        table = table.join(more.reset_index(drop=True))
    with atomic_file(Path(path)) as temporary:
        table.to_csv(temporary)
    return Path(path)


def merge_predictions(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join tables of predictions of the same images side by side; each holds one network."""
    merged, *others = tables
    for table in others:
        on = [name for name in (*KEYS, INVERTED) if name in merged and name in table]
        merged = merged.merge(table, on=on, how="outer", validate="one_to_one")
    return merged


def tidy(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the known columns of `table` as numbers and band letters.

    `where` says in every error where the table is from.

    Raises
    ------
    InclinetError
        If a column is missing or a row is bad.
    """
    networks = network_columns(table)
    if missing := [name for name in KEYS if name not in table]:
        raise InclinetError(f"{where}: column {', '.join(missing)} is missing; the first line must name it.")
    if not networks:
        raise InclinetError(f"{where}: no column of a network, such as model4_0; predict with one first.")
    spreads = [name for name in map(spread_column, networks) if name in table]
    inverted = [INVERTED] if INVERTED in table else []
    table = table[KEYS + networks + inverted + spreads].reset_index(drop=True)
    letters = table["filter"].map(_letter)
    known = [one for one in letters.unique() if one == COLOUR_LETTER or (is_band(one) and one.lower() != "nan")]
    _refuse(table, "filter", ~letters.isin(known), where, "a band, such as g, W1 or c (colour)")
    numbers = {"filter": letters}
    if inverted:
        numbers[INVERTED] = table[INVERTED].map(lambda value: _TRUTH.get(str(value).strip().lower()))
        _refuse(table, INVERTED, numbers[INVERTED].isna(), where, "true or false")
    for name in ["pgc", "inc_m", *networks, *spreads]:
        column = pd.to_numeric(table[name], errors="coerce")
        _refuse(table, name, ~np.isfinite(column.to_numpy(dtype=float)), where, "a finite number")
        numbers[name] = column
    _refuse(table, "pgc", numbers["pgc"] % 1 != 0, where, "a whole number")
    _refuse(table, "inc_m", ~numbers["inc_m"].between(MIN_INCLINATION, 90), where, "in 45 to 90 deg")
    return table.assign(**numbers).astype({"pgc": "int64"} | dict.fromkeys(inverted, bool))


def _letter(band: object) -> str:
    """Return the letter of a band given as text, as bytes, or as the text of bytes (as in the published table)."""
    text = band.decode("latin-1") if isinstance(band, bytes) else str(band).strip()
    return text[2:-1] if re.fullmatch(r"b'.*'|b\".*\"", text) else text


def _refuse(table: pd.DataFrame, column: str, bad: ArrayLike, where: str, wanted: str) -> None:
    """Raise an error about the first bad row of a column, if there is one."""
    rows = np.flatnonzero(bad)
    if rows.size:
        row = int(rows[0])
        more = f" (and so in {rows.size - 1} more rows)" if rows.size > 1 else ""
        raise InclinetError(
            f"{where}: row {row} (pgc {table['pgc'].iloc[row]}), column {column}: "
            f"'{table[column].iloc[row]}' is not {wanted}{more}. Correct or remove the row."
        )
