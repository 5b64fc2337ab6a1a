"""What the command `predict` looks for, shows and reports."""

import math
import shlex
import sys
from collections import Counter
from datetime import UTC, datetime
from statistics import median
from typing import Any

import pandas as pd

from inclinet.cli.app import console, name_reasons, show_table
from inclinet.data.bands import band_title
from inclinet.data.columns import network_columns
from inclinet.errors import InclinetError
from inclinet.prediction.flags import FLAGS
from inclinet.prediction.galaxies import title_of
from inclinet.prediction.remote import is_galaxy_name
from inclinet.prediction.source import printable
from inclinet.registry.choice import Choice

__all__ = ["SHOWN", "about", "explain_flags", "header_of", "named", "report_failures", "show_predictions"]

SHOWN = 40
"""Rows of predictions on screen."""

_NAMED = 3  # reasons why images were not predicted
_ROUNDING = 0.05  # deg
_CORRECTION = (
    "correction: added to the median of the networks, whose mean error on galaxies that they were not trained on is as "
    "much"
)


def named(images: list[str], at: str) -> list[str]:
    """Return names and position of the galaxies whose images are to be fetched.

    Raises
    ------
    InclinetError
        When there is nothing to predict at all.
    """
    if not images and not at:
        raise InclinetError("name images, folders, catalogues or galaxies, or give a position with --at", setting="at")
    return [one for one in images if is_galaxy_name(one)] + ([at] if at else [])


def header_of(choice: Choice) -> dict[str, str]:
    """Return what the header of a table says of where it comes from."""
    return {
        "version": choice.published.version,
        "store": choice.origin,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": printable(shlex.join(["inclinet", *sys.argv[1:]])),
        "about": choice.statement,
    }


def about(choice: Choice) -> dict[str, str]:
    """Return what the top of a gallery says of where its answers come from."""
    header = header_of(choice)
    facts = {
        "Version": choice.statement.removeprefix("version "),
        "Store": choice.origin if choice.store else "",
        "Date": f"{datetime.fromisoformat(header['date']):%Y-%m-%d %H:%M} UTC",
        "Command": header["command"],
    }
    return {name: text for name, text in facts.items() if text}


def report_failures(problems: list[str]) -> None:
    """Say how many images were not predicted, and why; `problems` holds one text per row, empty where predicted.

    Raises
    ------
    InclinetError
        When no image was predicted.
    """
    reasons = Counter(filter(None, problems))
    if not reasons:
        return
    why = name_reasons(reasons, _NAMED)
    if reasons.total() == len(problems):
        raise InclinetError(f"nothing was predicted: {why}")
    console.print(
        f"{reasons.total():,} of {len(problems):,} images not predicted: {why}", markup=False, highlight=False
    )


def explain_flags(flags: "pd.Series[str]") -> None:
    """Say what the flags in a column of a table of predictions mean."""
    seen = {flag for given in flags for flag in given.split("; ") if flag}
    for flag in sorted(seen):
        console.print(f"{flag}: {FLAGS[flag]}", style="dim", markup=False, highlight=False)


def show_predictions(table: pd.DataFrame, title: str) -> None:
    """Print the first rows of a table of predictions."""
    networks = network_columns(table)
    rows = [_row_on_screen(row, networks) for row in table.head(SHOWN).to_dict("records")]
    if not any(row["correction"] for row in rows):
        rows = [{name: text for name, text in row.items() if name != "correction"} for row in rows]
    if rows:
        show_table(rows, title, texts=["flag"])
    if any(row.get("correction") for row in rows):
        console.print(_CORRECTION, style="dim", markup=False, highlight=False)
    if len(table) > SHOWN:
        console.print(f"… and {len(table) - SHOWN:,} more rows; --out writes all")


def _row_on_screen(row: dict[Any, Any], networks: list[str]) -> dict[str, str]:
    shown = {
        **_what(row),
        "inclination": _angle(row["inclination"]),
        "error": _angle(row["error"]),
        "95 %": "–" if math.isnan(row["low95"]) else f"{row['low95']:.1f}\N{EN DASH}{row['high95']:.1f}",
    }
    shown["correction"] = _correction(row["inclination"], [row[name] for name in networks])
    if "truth" in row:
        shown["truth"] = _angle(row["truth"])
    return shown | {"flag": row["problem"] if math.isnan(row["inclination"]) else row["flag"]}


def _correction(inclination: float, answers: list[float]) -> str:
    """Return what the calibration added to the median answer of the networks, where that left the range of theirs."""
    if math.isnan(inclination) or min(answers) - _ROUNDING <= inclination <= max(answers) + _ROUNDING:
        return ""
    return f"{inclination - median(answers):+.1f}"


def _what(row: dict[Any, Any]) -> dict[str, str]:
    """Return what a row is about: an image, or a galaxy and the number of its images with an answer."""
    if "image" in row:
        image = row["image"].rpartition("/")[2]
        return {"galaxy": row["galaxy"] or "–", "image": image or "–", "band": band_title(row["band"])}
    return {"galaxy": title_of(row["galaxy"], row["images"]) or "–", "images": str(row["n_images"])}


def _angle(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}"
