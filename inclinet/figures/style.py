"""The look of every figure.

Figures are made with `matplotlib.figure.Figure` and styled piece by piece. Matplotlib's global state is never used, so
that several threads can draw at once. It is imported when the first figure is made: it takes half a second, and what
imports this module may draw nothing.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from inclinet.errors import InclinetError
from inclinet.storage.atomic import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GRAY",
    "GREEN",
    "INK",
    "LABEL",
    "LEGEND",
    "ORANGE",
    "PALE",
    "PURPLE",
    "SKY_BLUE",
    "TITLE",
    "VERMILLION",
    "WIDTH",
    "dress",
    "new_figure",
    "save",
]

# Colours that colour-blind people can tell apart (Okabe & Ito 2008, "Color Universal Design").
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY_BLUE = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9"
INK, GRAY, PALE = "#222222", "#7F7F7F", "#E3E3E3"

TITLE: dict[str, Any] = {"fontsize": 12, "color": INK, "loc": "left", "pad": 9}
LABEL: dict[str, Any] = {"fontsize": 11, "color": INK}
LEGEND: dict[str, Any] = {"fontsize": 9.5, "frameon": False, "labelcolor": INK}

WIDTH = 5.6
"""Width (inches) of a figure on a page: two stand side by side on a wide screen, and letters are legible on a phone."""

_DPI = 150
_SUFFIXES = (".png", ".jpg", ".jpeg")


def new_figure(width: float, height: float) -> "Figure":
    """Return an empty figure; width and height are in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def save(figure: "Figure", path: str | Path) -> Path:
    """Save a figure as PNG or JPEG, by the suffix of `path`; returns `path`.

    Raises
    ------
    InclinetError
        If `path` has another suffix.
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise InclinetError(f"{path}: the name of a figure must end in {', '.join(_SUFFIXES)}")
    with atomic_file(path) as temporary:
        # JPEG halves the resolution of colour by default, and thin coloured lines fade.
        jpeg = {} if path.suffix.lower() == ".png" else {"quality": 92, "subsampling": 0}
        figure.savefig(temporary, dpi=_DPI, facecolor="white", pil_kwargs=jpeg)
    return path


def dress(axes: "Axes", x: str, y: str) -> None:
    """Label axes, and give them the look of every figure."""
    axes.set_xlabel(x, **LABEL)
    axes.set_ylabel(y, **LABEL)
    axes.tick_params(labelsize=10, color=GRAY, labelcolor=INK)
    axes.grid(color=PALE, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRAY)
