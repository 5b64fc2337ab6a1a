"""Whether an image holds anything; the error of one that cannot be used."""

import cv2
import numpy as np

__all__ = ["BadImageError", "BlankImageError", "check_content"]

# Units between the darkest and the brightest pixels, up to which an image is blank: JPEG spoils exact values. The least
# of 299 of SDSS's images is 79.
_EVEN = 8
_RELATIVE = 1e-6  # the same for floats, in parts of the largest value
_OUTLIERS = 0.001  # share of the pixels that may differ at each end: hot pixels, a scratch
_WHITE, _BLACK = 250, 4
_GRAY = 0.02  # share of the pixels that JPEG, or smooth edges, leave between black and white
_EDGES = 0.1  # the same, in parts of the smaller one of the black and the white area


class BadImageError(Exception):
    """One image cannot be used; the message is the reason. Its galaxy is skipped, and the run goes on."""


class BlankImageError(BadImageError):
    """An image shows nothing."""


def check_content(pixels: np.ndarray) -> None:
    """Check that an image is not blank.

    Parameters
    ----------
    pixels : ndarray of uint8, other integers or floats, shape (n, channels)
        Those that hold data.

    Raises
    ------
    BlankImageError
        When all pixels are alike, but for a thousandth at each end, or nothing is there but black and white.
    """
    if not len(pixels):
        raise BlankImageError("blank: no pixel holds data")
    if pixels.dtype == np.uint8:
        shares = _histograms(pixels) / len(pixels)
        ends = np.array([_ends(share) for share in shares]).T
    else:
        shares = None
        ends = np.quantile(pixels, (_OUTLIERS, 1 - _OUTLIERS), axis=0).astype(float)
    even = _EVEN if pixels.dtype.kind in "iu" else _RELATIVE * np.abs(ends).max()
    if np.all(ends[1] - ends[0] <= even):
        raise BlankImageError(f"blank: {_describe(ends, pixels.dtype)} throughout")
    if shares is not None and _is_black_and_white(shares):
        raise BlankImageError("blank: nothing but black and white")


def _histograms(pixels: np.ndarray) -> np.ndarray:
    """Return how many pixels, uint8 (n, channels), have each value: (channels, 256)."""
    image = np.ascontiguousarray(pixels)[:, None]
    return np.stack([cv2.calcHist([image], [k], None, [256], [0, 256]).ravel() for k in range(pixels.shape[1])])


def _ends(share: np.ndarray) -> tuple[float, float]:
    """Return the darkest and the brightest value, but for outliers, of shares (256) by value."""
    below, above = np.cumsum(share), np.cumsum(share[::-1])
    return float(np.argmax(below > _OUTLIERS)), float(255 - np.argmax(above > _OUTLIERS))


def _describe(ends: np.ndarray, dtype: np.dtype) -> str:
    """Return a word for the value between the ends, (2, channels), of a blank image."""
    if dtype == np.uint8 and ends.max() <= _BLACK:
        return "black"
    if dtype == np.uint8 and ends.min() >= _WHITE:
        return "white"
    values = sorted({f"{value:g}" for value in ends.mean(axis=0)})
    return f"one value ({values[0]})" if len(values) == 1 else "one colour"


def _is_black_and_white(shares: np.ndarray) -> bool:
    """Return whether all channels are black or white, but for the edges between; from shares (channels, 256)."""
    black, white = shares[:, : _BLACK + 1].sum(axis=1), shares[:, _WHITE:].sum(axis=1)
    gray = 1 - black - white
    return bool(np.all((gray <= _GRAY) & (gray <= _EDGES * np.minimum(black, white))))
