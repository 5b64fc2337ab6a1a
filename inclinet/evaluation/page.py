"""The report as one HTML page that needs nothing beside it: tables, and figures within the page."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

__all__ = ["Figure", "Table", "render_page"]

_TEMPLATE = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class Table:
    """A table of the page; the row whose first cell is `main` stands out."""

    title: str
    rows: Sequence[Mapping[str, str]]
    note: str = ""
    main: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the page: the file, and what it shows."""

    title: str
    path: Path
    caption: str

    @property
    def kind(self) -> str:
        """Its format, as browsers call it."""
        return "png" if self.path.suffix == ".png" else "jpeg"

    @property
    def data(self) -> str:
        """Its content in base 64."""
        return base64.b64encode(self.path.read_bytes()).decode()


def render_page(title: str, lead: Sequence[str], parts: Sequence[Table | Figure]) -> str:
    """Return the page: a title, a few lines, then tables and figures in order; all text is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_TEMPLATE.read_text()).render(title=title, lead=lead, parts=parts)
