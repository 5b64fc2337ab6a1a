"""The sky of images, and whether they are bright on a dark one."""

import numpy as np

__all__ = ["is_negative", "positive", "sky"]


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
    border = np.concatenate(edges, axis=-2)
    # Of an even number of pixels. Faster than np.median, and called for every image of a stored batch.
    middle = border.shape[-2] // 2
    halves = np.partition(border, (middle - 1, middle), axis=-2)
    return (halves[..., middle - 1, :].astype(float) + halves[..., middle, :]) / 2


def is_negative(sky_level: np.ndarray) -> np.ndarray:
    """Return whether images are dark on a bright sky, bool (…), from their sky level (…, channels)."""
    return np.mean(sky_level, axis=-1) > 127


def positive(images: np.ndarray) -> np.ndarray:
    """Return images, uint8 (N, size, size, 3), bright on a dark sky; those that are not are inverted."""
    return np.where(is_negative(sky(images))[:, None, None, None], 255 - images, images)
