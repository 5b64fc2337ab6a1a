"""Tables of predictions: one row an image, one column a network, angles in degrees.

Columns `pgc`, `filter` (c, g, r, i), `inc_m` (human inclination) and one for each network, named
`<model>_<subsample>`.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from inclinet.errors import InclinetError
from inclinet.files import whole_file
from inclinet.naming import FILTERS
from inclinet.scaling import MIN_INCLINATION

__all__ = ["KEYS", "merge_predictions", "model_of", "network_columns", "read_predictions", "tidy", "write_predictions"]

KEYS = ["pgc", "filter", "inc_m"]
"""Columns that say which image a row is."""

_NETWORK = re.compile(r"(?P<model>[A-Za-z]\w*)_\d+")


def network_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of `table` that hold a network's predictions: `<model>_<subsample>`."""
    return [name for name in table if _NETWORK.fullmatch(str(name)) and name not in KEYS]


def model_of(network: str) -> str:
    """Return the model of a network's column: `model4` of `model4_0`."""
    return _NETWORK.fullmatch(network)["model"]


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read a table of predictions.

    Parameters
    ----------
    path : str or Path
        CSV file; an unnamed index column and bands written as ``b'c'`` are accepted.

    Returns
    -------
    DataFrame
        One row per image: `pgc` int64, `filter` (``c``, ``g``, ``r`` or ``i``), `inc_m` human inclination
        (deg) and one column per network (deg). Other columns are left out.

    Raises
    ------
    InclinetError
        If the file cannot be read, a column is missing, or a row holds something else than numbers, an
        inclination outside 45 to 90 deg or an unknown band.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InclinetError(f"{path}: cannot be read as a CSV table of predictions ({error}).") from error
    return tidy(table, str(path))


def write_predictions(table: pd.DataFrame, path: str | Path) -> Path:
    """Write a table of predictions in the columns that `read_predictions` returns, after an unnamed index.

    Raises
    ------
    InclinetError
        If `table` lacks a column or holds a bad row.
    """
    table = tidy(table, f"Table meant for {path}")
    with whole_file(Path(path)) as temporary:
        table.to_csv(temporary)
    return Path(path)


def merge_predictions(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join tables of predictions of the same images, one network each, side by side."""
    merged, *others = tables
    for table in others:
        merged = merged.merge(table, on=KEYS, how="outer", validate="one_to_one")
    return merged


def tidy(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the known columns of `table` as numbers and band letters; `where` begins every error."""
    networks = network_columns(table)
    if missing := [name for name in KEYS if name not in table]:
        raise InclinetError(f"{where}: column {', '.join(missing)} is missing; write it into the first line.")
    if not networks:
        raise InclinetError(f"{where}: no column of a network, such as model4_0; predict with one first.")
    table = table[KEYS + networks].reset_index(drop=True)
    letters = table["filter"].map(_letter)
    _refuse(table, "filter", ~letters.isin(list(FILTERS.values())), where, "a band: c, g, r or i")
    numbers = {"filter": letters}
    for name in ["pgc", "inc_m", *networks]:
        column = pd.to_numeric(table[name], errors="coerce")
        _refuse(table, name, ~np.isfinite(column.to_numpy(dtype=float)), where, "a finite number")
        numbers[name] = column
    _refuse(table, "pgc", numbers["pgc"] % 1 != 0, where, "a whole number")
    _refuse(table, "inc_m", ~numbers["inc_m"].between(MIN_INCLINATION, 90), where, "in 45 to 90 deg")
    return table.assign(**numbers).astype({"pgc": "int64"})


def _letter(band: object) -> str:
    """Return the letter of a band that may be bytes, or the text of bytes as the published table has it."""
    text = band.decode("latin-1") if isinstance(band, bytes) else str(band).strip()
    return text[2:-1] if re.fullmatch(r"b'.*'|b\".*\"", text) else text


def _refuse(table: pd.DataFrame, column: str, bad: ArrayLike, where: str, wanted: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size:
        row = int(rows[0])
        more = f", and so in {rows.size - 1} more rows" if rows.size > 1 else ""
        raise InclinetError(
            f"{where}: row {row} (pgc {table['pgc'].iloc[row]}), column {column}: "
            f"'{table[column].iloc[row]}' is not {wanted}{more}. Correct the row or take it out."
        )
