"""The bands: how each is spelled in names, arrays and texts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from inclinet.settings import Band

__all__ = [
    "BANDS",
    "COLOUR",
    "COLOUR_LETTER",
    "GRAY_BANDS",
    "band_letter",
    "band_title",
    "is_band",
    "is_colour",
    "order_bands",
    "stored_band",
]


@dataclass(frozen=True)
class _Band:
    """The spellings of one band."""

    name: str
    """In input files and settings."""
    stored: str
    """In the names of files from the prep stage on."""
    letter: str
    """In arrays and tables."""
    title: str
    """For people."""


_GRAY = tuple(_Band(band, band, band, band) for band in ("g", "r", "i"))
_COLOUR = _Band("gri", "RGB", "c", "colour")

BANDS = tuple(band.name for band in (*_GRAY, _COLOUR))
"""The usual bands as input files and settings spell them; any other name may be one, see `is_band`."""

GRAY_BANDS = tuple(band.name for band in _GRAY)
"""The usual grayscale bands, which like all others are spelled the same everywhere."""

COLOUR = _COLOUR.name
"""The colour band as input files and settings spell it."""

COLOUR_LETTER = _COLOUR.letter
"""The colour band as arrays and tables spell it."""

_USUAL = {band.letter: place for place, band in enumerate((_COLOUR, *_GRAY))}
_COMPOSITES = re.compile("[ugrizyUBVRIJHKY]{3,6}")
_COLOURS = (_COLOUR.name, _COLOUR.stored, _COLOUR.letter)
_WORDS = ("rgb", "color", "colour")
_BAND: TypeAdapter[str] = TypeAdapter(Band)


def is_band(name: str) -> bool:
    """Return whether a name can be that of a band in input files and settings: `g`, `W1`, `gri` and `grz` can."""
    try:
        _BAND.validate_python(name)
    except ValidationError:
        return False
    return True


def stored_band(band: str) -> str:
    """Return how a band of the settings is spelled from the prep stage on: `gri` becomes `RGB`, others stay."""
    return _COLOUR.stored if band == _COLOUR.name else band


def band_letter(band: str) -> str:
    """Return how arrays and tables spell a band given in any spelling: `c` for `gri` and `RGB`, others as they are."""
    return _COLOUR.letter if band in _COLOURS else band


def order_bands(bands: Iterable[str]) -> list[str]:
    """Return bands, all as stored or all as arrays spell them, in the one order: `gri`, g, r, i, then by name."""
    return sorted(bands, key=lambda band: (_USUAL.get(band_letter(band), len(_USUAL)), band))


def is_colour(band: str) -> bool:
    """Return whether a band, in any spelling, is colour: `gri`, and three or more filters in a row such as `grz`."""
    if band in _COLOURS or band.lower() in _WORDS:
        return True
    return _COMPOSITES.fullmatch(band) is not None and len(set(band)) == len(band)


def band_title(band: str) -> str:
    """Return what people read for a band in any spelling: `colour` for `gri`, `RGB` and `c`, `colour grz` for `grz`."""
    if band in (*_COLOURS, *_WORDS):
        return _COLOUR.title
    return f"{_COLOUR.title} {band}" if is_colour(band) else band
