"""The bands: how each is spelled where, and whether an image is bright on a dark sky or the reverse."""

import numpy as np

__all__ = ["BANDS", "FILTERS", "is_negative", "positive", "sky", "stored_band"]

BANDS = ("g", "r", "i", "gri")
"""The bands as the input files spell them; `gri` is the colour image."""


FILTERS = {"RGB": "c", "g": "g", "r": "r", "i": "i"}
"""One letter for each stored band, as in the `filter` array of the stored batches."""


def stored_band(band: str) -> str:
    """Return how `band` is written from the prep stage on: `gri` becomes `RGB`."""
    return "RGB" if band == "gri" else band


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
