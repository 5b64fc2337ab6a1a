"""The bands: how each is spelled in names, arrays and texts; and whether an image is bright on a dark sky."""

from dataclasses import dataclass

import numpy as np

__all__ = [
    "BANDS",
    "COLOUR",
    "COLOUR_LETTER",
    "FILTERS",
    "GRAY_BANDS",
    "band_title",
    "is_colour",
    "is_negative",
    "positive",
    "sky",
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
"""The bands as input files and settings spell them."""

GRAY_BANDS = tuple(band.name for band in _GRAY)
"""The grayscale bands, which are spelled the same everywhere."""

COLOUR = _COLOUR.name
"""The colour band as input files and settings spell it."""

COLOUR_LETTER = _COLOUR.letter
"""The colour band as arrays and tables spell it."""

FILTERS = {band.stored: band.letter for band in (_COLOUR, *_GRAY)}
"""The letter of each stored band, as in the `filter` arrays of stored batches; colour first."""


def stored_band(band: str) -> str:
    """Return how a band of the settings is spelled from the prep stage on: `gri` becomes `RGB`."""
    return _COLOUR.stored if band == _COLOUR.name else band


def is_colour(band: str) -> bool:
    """Return whether a band, in any spelling, is colour."""
    return band in (_COLOUR.name, _COLOUR.stored, _COLOUR.letter, _COLOUR.title)


def band_title(band: str) -> str:
    """Return the word shown to people for a band in any spelling: `colour` for `gri`, `RGB` and `c`."""
    return _COLOUR.title if is_colour(band) else band


def sky(images: np.ndarray) -> np.ndarray:
    """Return the sky level of images: the median of each one's border, by channel.

    Parameters
    ----------
    images : ndarray of integers, shape (…, size, size, 3)

    Returns
    -------
    ndarray of float, shape (…, 3)
    """
    edges = [images[..., 0, :, :], images[..., -1, :, :], images[..., 1:-1, 0, :], images[..., 1:-1, -1, :]]
    return np.median(np.concatenate(edges, axis=-2), axis=-2)


def is_negative(sky_level: np.ndarray) -> np.ndarray:
    """Return whether images are dark on a bright sky, bool (…), from their sky level (…, channels)."""
    return np.mean(sky_level, axis=-1) > 127


def positive(images: np.ndarray) -> np.ndarray:
    """Return images, uint8 (N, size, size, 3), bright on a dark sky; those that are not are inverted."""
    return np.where(is_negative(sky(images))[:, None, None, None], 255 - images, images)
