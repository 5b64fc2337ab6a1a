"""Self-contained HTML pages: facts, then sections with figures, tables and pictures of galaxies.

A page needs no network and no script, reads on a phone, and prints.
"""

import io
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from PIL import Image

from inclinet.figures.inline import data_address

__all__ = ["Card", "Figure", "Section", "render_page"]

_TEMPLATE = Path(__file__).with_suffix(".html")
_QUALITY = 90  # of the pictures of galaxies


@dataclass(frozen=True)
class Figure:
    """A figure of the page: its file (PNG or JPEG), what it shows, and its caption."""

    title: str
    path: Path
    caption: str = ""

    @property
    def address(self) -> str:
        """The figure as a data address."""
        return data_address(self.path.read_bytes(), "png" if self.path.suffix == ".png" else "jpeg")


@dataclass(frozen=True)
class Card:
    """A galaxy of the page: its picture, and what is said of it.

    Attributes
    ----------
    title : str
    image : ndarray of uint8, shape (height, width[, 3]), or None
    lines : sequence of str
    flag : str
        Why its answer is to be doubted; empty if it is not.
    links : mapping of str to str
        Addresses by their texts.
    """

    title: str
    image: np.ndarray | None
    lines: Sequence[str]
    flag: str = ""
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The picture as a data address."""
        assert self.image is not None
        file = io.BytesIO()
        Image.fromarray(self.image).save(file, "JPEG", quality=_QUALITY)
        return data_address(file.getvalue(), "jpeg")


@dataclass(frozen=True)
class Section:
    """A part of the page: notes, figures beside each other, a table, cards; each only if there are any.

    The row of the table whose first cell is `main` is highlighted, and its columns in `texts` are wrapped; `small`
    cards are half as wide.
    """

    title: str
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    table: Sequence[Mapping[str, str]] = ()
    main: str = ""
    texts: Collection[str] = ()
    cards: Sequence[Card] = ()
    small: bool = False

    @property
    def anchor(self) -> str:
        """The name by which links find it."""
        return re.sub(r"\W+", "-", self.title.casefold()).strip("-")


def render_page(
    title: str,
    verdict: str,
    facts: Mapping[str, str],
    sections: Sequence[Section],
    *,
    warning: bool = False,
    notes: Sequence[str] = (),
) -> str:
    """Return the HTML page; all text is escaped.

    Parameters
    ----------
    title : str
    verdict : str
        What the page says, in a few sentences; shown first.
    facts : mapping of str to str
        What the page is about.
    sections : sequence of Section
    warning : bool
        Whether the verdict is to be shown as a warning.
    notes : sequence of str
        Paragraphs below the facts.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text())
    return template.render(title=title, verdict=verdict, facts=facts, sections=sections, warning=warning, notes=notes)
