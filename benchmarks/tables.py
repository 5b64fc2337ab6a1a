"""Markdown tables and the numbers in them, for RESULTS.md."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import psutil
from measurements import Result

from inclinet.evaluation.bootstrap import confidence_intervals
from inclinet.evaluation.metrics import compute_metrics


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


def processor_time(process: psutil.Process) -> float:
    """Return the processor time of a process so far, s."""
    times = process.cpu_times()
    return times.user + times.system


def share(part: float, whole: float) -> str:
    """Return a part as a percentage."""
    return f"{part / whole:.0%}"


def megabytes(value: int | None) -> str:
    """Return bytes as MB."""
    return "unknown on this system" if value is None else f"{value / 1e6:,.0f} MB"


def error_cells(prediction: pd.Series, truth: pd.Series, pgcs: pd.Series) -> list[str]:
    """Return the RMS with its 95 % interval, the MAE and the bias (deg) of predictions."""
    metrics = compute_metrics(prediction, truth)
    intervals = confidence_intervals({"rms": prediction - truth}, truth, pgcs)
    low, high = intervals["rms"]["rms"] or (np.nan, np.nan)
    return [f"{metrics['rms']:.2f} ({low:.2f}–{high:.2f})", f"{metrics['mae']:.2f}", f"{metrics['bias']:+.2f}"]
