"""The bands: every way in which each is spelled, and whether an image is bright on a dark sky or the reverse."""

from dataclasses import dataclass

import numpy as np

__all__ = ["BANDS", "COLOUR", "FILTERS", "band_title", "is_negative", "positive", "sky", "stored_band"]


@dataclass(frozen=True)
class _Band:
    """One band: how input files and settings spell it, stored files, arrays and tables, and people."""

    name: str
    stored: str
    letter: str
    title: str


_SPELLINGS = (*(_Band(gray, gray, gray, gray) for gray in "gri"), _Band("gri", "RGB", "c", "colour"))

BANDS = tuple(band.name for band in _SPELLINGS)
"""The bands as input files and settings spell them."""

COLOUR = "gri"
"""The band of the colour images."""

FILTERS = {band.stored: band.letter for band in sorted(_SPELLINGS, key=lambda band: band.name != COLOUR)}
"""One letter for each stored band, as in the `filter` arrays of stored batches; colour first."""


def stored_band(band: str) -> str:
    """Return how a band is spelled from the prep stage on: `gri` becomes `RGB`."""
    return next((one.stored for one in _SPELLINGS if one.name == band), band)


def band_title(band: str) -> str:
    """Return the word shown to people for a band in any spelling: `colour` for `gri`, `RGB` and `c`."""
    return next((one.title for one in _SPELLINGS if band in (one.name, one.stored, one.letter)), band)


def sky(images: np.ndarray) -> np.ndarray:
    """Return the median of each image's border in each channel, float (…, 3), of images (…, size, size, 3)."""
    edges = [images[..., 0, :, :], images[..., -1, :, :], images[..., 1:-1, 0, :], images[..., 1:-1, -1, :]]
    return np.median(np.concatenate(edges, axis=-2), axis=-2)


def is_negative(sky_level: np.ndarray) -> np.ndarray:
    """Return whether images are dark on a bright sky, from their sky's level, (…, channels)."""
    return np.mean(sky_level, axis=-1) > 127


def positive(images: np.ndarray) -> np.ndarray:
    """Return images (N, size, size, 3) bright on a dark sky, inverting those that are not."""
    return np.where(is_negative(sky(images))[:, None, None, None], 255 - images, images)
