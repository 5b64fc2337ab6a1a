"""A page of galaxies beside their answers, those with flags first."""

import math
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from inclinet.data.bands import COLOUR_LETTER
from inclinet.data.images import BadImageError, open_image, square
from inclinet.errors import InclinetError
from inclinet.figures.page import Card, Section, render_page
from inclinet.prediction.flags import FLAGS
from inclinet.prediction.galaxies import title_of
from inclinet.prediction.source import Source, printable
from inclinet.prediction.tables import check_place
from inclinet.storage.atomic import write_text

__all__ = ["check_gallery", "summarize", "write_gallery"]

_SIDE = 168  # pixels of a picture
_MOST = 500  # galaxies of a section: a page of 10 MB
_FLAGGED, _OTHERS, _MISSING = "Flagged", "Without flags", "Not predicted"


def check_gallery(path: Path, *, overwrite: bool = False) -> None:
    """Check that a page can be written to a file, before the work.

    Raises
    ------
    InclinetError
        When its name does not end in .html, or `check_place` refuses it.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InclinetError(f"{path}: the name of a page must end in .html", setting="gallery")
    check_place(path, "gallery", overwrite=overwrite)


def summarize(table: pd.DataFrame) -> str:
    """Return how many galaxies (or images) there are, and how many are flagged or not predicted, in words."""
    groups = _group(table)
    unit = "image" if "image" in table else "galaxy"
    units = unit if len(table) == 1 else {"image": "images", "galaxy": "galaxies"}[unit]
    parts = [f"{len(groups[_FLAGGED]):,} flagged", f"{len(groups[_MISSING]):,} not predicted"]
    return f"{len(table):,} {units}, {' and '.join(parts)}"


def write_gallery(
    table: pd.DataFrame, sources: Iterable[Source], path: Path, about: Mapping[str, str], *, warning: bool = False
) -> Path:
    """Write a page with the pictures of galaxies beside their answers, those with flags first; returns `path`.

    Parameters
    ----------
    table : DataFrame
        As `inclinet.prediction.predictor.Predictor.predict` returns it, by galaxy or by image.
    sources : iterable of Source
        The images that were predicted. Of a galaxy with several, the one in colour is shown.
    path : Path
    about : mapping of str to str
        Where the answers come from, for the top of the page.
    warning : bool
        Whether the answers are not for science.
    """
    known = {printable(one.name): one for one in sources}
    sections = []
    for title, rows in _group(table).items():
        if rows.empty:
            continue
        notes = _explain(rows) if title == _FLAGGED else []
        if len(rows) > _MOST:
            notes.append(f"The first {_MOST} of {len(rows):,}.")
        shown = rows.head(_MOST).to_dict("records")
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            pictures = list(pool.map(lambda row: _picture(row, known), shown))
        cards = [_card(row, picture) for row, picture in zip(shown, pictures, strict=True)]
        sections.append(Section(f"{title}: {len(rows):,}", notes, cards=cards))
    page = render_page("Inclinations of galaxies", f"{summarize(table)}.", about, sections, warning=warning)
    return write_text(path, page)


def _group(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the rows with flags, without flags, and without an answer."""
    missing, flagged = table["inclination"].isna(), table["flag"] != ""
    return {_FLAGGED: table[flagged & ~missing], _OTHERS: table[~flagged & ~missing], _MISSING: table[missing]}


def _explain(rows: pd.DataFrame) -> list[str]:
    """Return what the flags of rows mean, one line for each."""
    flags = {flag for flags in rows["flag"] for flag in flags.split("; ")}
    return [f"{flag}: {FLAGS[flag]}." for flag in sorted(flags)]


def _picture(row: Mapping, known: Mapping[str, Source]) -> np.ndarray | None:
    """Return the picture of a row, uint8 (side, side[, 3]), None if it has none."""
    named = [row["image"]] if "image" in row else row["images"].split("; ")
    images = [known[name] for name in named if name in known]
    for image in sorted(images, key=lambda image: image.band != COLOUR_LETTER):
        try:
            opened = square(open_image(image.open(), None, at_least=2 * _SIDE))
        except BadImageError:
            continue
        return np.asarray(opened.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC))
    return None


def _card(row: Mapping, picture: np.ndarray | None) -> Card:
    title = title_of(row["galaxy"], row["image" if "image" in row else "images"]) or "\N{EN DASH}"
    if math.isnan(row["inclination"]):
        return Card(title, picture, [], row["problem"])
    lines = [f"{row['inclination']:.1f}°"]
    if not math.isnan(row["error"]):
        lines = [f"{row['inclination']:.1f} ± {row['error']:.1f}°", f"95 %: {row['low95']:.1f}–{row['high95']:.1f}°"]
    if "truth" in row and not math.isnan(row["truth"]):
        lines.append(f"catalogue: {row['truth']:.0f}°")
    return Card(title, picture, lines, row["flag"])
