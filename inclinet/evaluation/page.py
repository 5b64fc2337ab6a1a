"""The report as one self-contained HTML page: tables, and figures embedded in it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

__all__ = ["Figure", "Table", "render_page"]

_TEMPLATE = Path(__file__).with_suffix(".html")


@dataclass(frozen=True)
class Table:
    """A table of the page; the row whose first cell is `main` is highlighted."""

    title: str
    rows: Sequence[Mapping[str, str]]
    note: str = ""
    main: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure of the page: its file (PNG or JPEG) and caption."""

    title: str
    path: Path
    caption: str

    @property
    def kind(self) -> str:
        """Subtype of its media type, `png` or `jpeg`."""
        return "png" if self.path.suffix == ".png" else "jpeg"

    @property
    def data(self) -> str:
        """Its content in Base64."""
        return base64.b64encode(self.path.read_bytes()).decode()


def render_page(title: str, lead: Sequence[str], parts: Sequence[Table | Figure]) -> str:
    """Return the HTML page: a title, a few paragraphs, then tables and figures in order. All text is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_TEMPLATE.read_text()).render(title=title, lead=lead, parts=parts)
