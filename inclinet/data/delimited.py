"""Tables of text: which line names the columns, what separates them, and the rows, one of which may be damaged."""

import csv
import re
from collections.abc import Iterator, Sequence

import pandas as pd

from inclinet.errors import InclinetError

__all__ = ["read_delimited"]

_SEPARATORS = "|\t;,"
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_QUOTED = re.compile(r'"[^"]*"')
_LONGEST = 100  # lines of one row: a quote that is not closed by then is a stray one
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")


def read_delimited(text: str, name: str) -> tuple[pd.DataFrame, dict[int | str, str]]:
    """Read text whose columns are separated by `|`, tabs, `;` or `,`.

    The first line names the columns, after lines that are blank or start with `#`; where it holds numbers, the last of
    those does. A row may have lines in quotes. A quote that would swallow the rows below it is left out instead. Where
    `;` separates, decimal commas become points.

    Parameters
    ----------
    text : str
    name : str
        Stands for the file in errors.

    Returns
    -------
    table : DataFrame of str
        Stripped cells, indexed by line.
    ragged : dict of int or str to str
        What is wrong with each line that does not fit, by `line <n>`.

    Raises
    ------
    InclinetError
        When a column is named twice.
    """
    lines = _LINE.findall(text)
    head, start = _find_head(lines)
    bare = _QUOTED.sub("", head)
    separator = max(_SEPARATORS, key=bare.count) if any(map(bare.count, _SEPARATORS)) else "|"
    # In tables separated by |, such as HyperLEDA's, quotes are seconds of arc.
    is_quoted = separator not in bare or separator != "|" or '"' in head
    names, start = _read_names(head, lines, start, separator, is_quoted)
    repeated = sorted({column for column in names if column and names.count(column) > 1})
    if repeated:
        raise InclinetError(f"{name}: the catalogue names the column {repeated[0]!r} more than once")
    fitting: dict[int, list[str]] = {}
    ragged: dict[int | str, str] = {}
    for line, row in _rows(lines, start, separator, len(names), is_quoted):
        cells = [cell.strip() for cell in row]
        while len(cells) > len(names) and not cells[-1]:
            cells.pop()
        if len(cells) == len(names):
            fitting[line] = [_with_point(cell) for cell in cells] if separator == ";" else cells
        else:
            ragged[f"line {line}"] = f"has {len(cells)} cells, the first line {len(names)}"
    return pd.DataFrame.from_dict(fitting, orient="index", columns=names, dtype=str), ragged


def _find_head(lines: Sequence[str]) -> tuple[str, int]:
    """Return the line that names the columns, and the place of the one after it."""
    start = next((k for k, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    first = lines[start].rstrip("\r\n") if start < len(lines) else ""
    comment = next((line for line in reversed(lines[:start]) if line.strip()), "").lstrip("# \t").rstrip("\r\n")
    separator = max(_SEPARATORS, key=comment.count)
    is_row = any(_is_number(cell) for cell in first.split(separator))
    if is_row and 0 < comment.count(separator) == first.count(separator):
        return comment, start
    return first, start + 1


def _is_number(cell: str) -> bool:
    try:
        float(cell.strip().strip('"'))
    except ValueError:
        return False
    return True


def _read_names(head: str, lines: Sequence[str], start: int, separator: str, is_quoted: bool) -> tuple[list[str], int]:
    """Return the names of the columns, and the place of the line after them: they may have lines, too."""
    names = head.split(separator) if head else []
    if is_quoted and '"' in head:
        reader = csv.reader([head + "\n", *lines[start : start + _LONGEST]], delimiter=separator, strict=True)
        try:
            names = next(reader)
            start += reader.line_num - 1
        except csv.Error:
            names = [name.strip().strip('"') for name in names]
    return [" ".join(column.split()) for column in names], start


def _rows(
    lines: Sequence[str], place: int, separator: str, width: int, is_quoted: bool
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line, from 1, and the cells of each row from a place on; blank lines are none."""
    while place < len(lines):
        line, taken = lines[place].rstrip("\r\n"), 1
        if is_quoted and '"' in line:
            row, taken = _quoted_row(lines[place : place + _LONGEST], separator, width)
        else:
            row = line.split(separator)
        if line.strip() or separator in line:
            yield place + 1, row
        place += taken


def _quoted_row(lines: Sequence[str], separator: str, width: int) -> tuple[list[str], int]:
    """Return the cells of the row that starts with the first line, and the number of its lines."""
    try:
        reader = csv.reader(lines, delimiter=separator, strict=True)
        row, taken = next(reader), reader.line_num
        # If each line is a row as it stands, a stray quote in the first one meets another in the last one.
        if taken == 1 or (len(row) == width and any(line.count(separator) != width - 1 for line in lines[:taken])):
            return row, taken
    except csv.Error:
        pass
    alone = lines[0].rstrip("\r\n")
    row = alone.split(separator)
    if len(row) != width:
        row = next(csv.reader([alone], delimiter=separator), row) if len(alone) < csv.field_size_limit() else row
    return [cell.strip().strip('"') for cell in row], 1


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell
