"""Markdown pages with their pictures inlined, for places that show Markdown and have no folder for files."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from inclinet.figures.inline import data_address

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PAGE_BYTES", "assemble", "escape", "figure", "picture", "table", "thumbnail"]

PAGE_BYTES = 300_000
"""Largest page: it is kept in a database, and read as a whole."""

_COLOURS = 64  # of a figure: a third of the bytes, and no difference to see
_DPI = 120
_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\|<>*`[]~"} | {"\n": " "})


def escape(text: str) -> str:
    """Return a text that Markdown shows as it is, in tables, too."""
    return text.translate(_SPECIAL)


def table(rows: Sequence[Mapping[str, str]], numbers: Iterable[str] = ()) -> str:
    """Return a table; its header is the keys of the first row, and its cells are Markdown.

    The columns `numbers` are aligned to the right.
    """
    names, right = list(rows[0]), set(numbers)
    lines = [names, ["--:" if name in right else ":--" for name in names], *(row.values() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def figure(drawn: "Figure", alt: str) -> str:
    """Return a Matplotlib figure as a picture; `alt` says what it shows."""
    file = io.BytesIO()
    drawn.savefig(file, format="png", dpi=_DPI, facecolor="white")
    return picture(file.getvalue(), alt)


def picture(content: bytes, alt: str) -> str:
    """Return a figure, the content of a PNG or JPEG file, as a picture."""
    with Image.open(io.BytesIO(content)) as image:
        return _picture(image.convert("RGB").quantize(_COLOURS), "PNG", alt, optimize=True)


def thumbnail(pixels: np.ndarray, side: int, alt: str) -> str:
    """Return a small picture, `side` pixels a side, of an image: uint8 (height, width[, 3])."""
    image = Image.fromarray(pixels).convert("RGB").resize((side, side), Image.Resampling.LANCZOS)
    return _picture(image, "JPEG", alt, quality=85)


def _picture(image: Image.Image, kind: str, alt: str, **how: object) -> str:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return f"![{escape(alt)}]({data_address(file.getvalue(), kind.lower())})"


def assemble(parts: Iterable[str], most: int = PAGE_BYTES) -> str:
    """Return a page of the parts, in their order; those that would make it larger than `most` bytes are left out."""
    page = ""
    for part in filter(None, parts):
        longer = f"{page}\n\n{part}" if page else part
        if len(longer.encode()) < most:
            page = longer
    return page
