"""Markdown tables and their numbers, for RESULTS.md."""

from collections.abc import Iterable

from measurements import Result


def print_row(cells: Iterable[object]) -> None:
    """Print a row of a Markdown table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def print_header(cells: list[str], left: int) -> None:
    """Print the header of a Markdown table whose first `left` columns are text."""
    print()
    print_row(cells)
    print("|" + "|".join(":--" if i < left else "--:" for i in range(len(cells))) + "|", flush=True)


def reason(result: Result) -> str:
    """Return why there is no result, shortened for a cell of a table."""
    return " ".join(result["error"].replace("|", "/").split())[:200]


def rate(images_per_second: float | None) -> str:
    """Return images per second with at least three digits."""
    if images_per_second is None:
        return "–"
    return f"{images_per_second:,.{0 if images_per_second >= 100 else 1}f}"


def share(part: float, whole: float) -> str:
    """Return a part as a percentage."""
    return f"{part / whole:.0%}"


def megabytes(value: int | None) -> str:
    """Return bytes as MB."""
    return "unknown on this system" if value is None else f"{value / 1e6:,.0f} MB"
