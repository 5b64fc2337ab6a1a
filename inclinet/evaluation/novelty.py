"""Whether an image looks like those that the networks were trained on.

A few numbers describe an image; their Mahalanobis distance from the training images says how unusual it is
(Mahalanobis 1936, Proc. Natl. Inst. Sci. India 2, 49).
"""

from collections.abc import Mapping

import numpy as np

from inclinet.data.bands import is_colour
from inclinet.data.samples import Samples
from inclinet.data.sky import positive, sky
from inclinet.records import Record

__all__ = ["Novelty", "describe", "learn_novelty"]

_SHARE = 98.0  # % of the training images that do not count as unusual
_PARTS = 5  # of the training images: the distances of each from the others say what is usual
_FEWEST = 10  # training images from which on others can be called unlike them
_MAX_IMAGES = 2000
_BLOCK = 32  # images described at a time
_FLOOR = 1e-3  # keeps logarithms of empty images finite


class _Cloud(Record):
    """Training images of one class: mean and inverse covariance of their numbers, and the largest usual distance."""

    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    farthest: float

    def holds(self, numbers: np.ndarray) -> np.ndarray:
        """Return which rows of `numbers`, (N, 9), lie among the training images; bool (N,)."""
        return _distance(numbers, np.array(self.mean), np.array(self.precision)) <= self.farthest


class Novelty(Record):
    """What colour and gray training images look like; None for a class with hardly any."""

    colour: _Cloud | None
    gray: _Cloud | None

    def is_unlike(self, images: np.ndarray, colour: np.ndarray) -> np.ndarray:
        """Return which images are unlike the training images.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, size, size, 3)
        colour : ndarray of bool, shape (N,)
            Which of them are colour images; gray images have three equal channels.

        Returns
        -------
        ndarray of bool, shape (N,)
        """
        numbers = describe(images)
        known = [cloud.holds(numbers) if cloud else np.zeros(len(images), bool) for cloud in (self.gray, self.colour)]
        return ~np.where(colour, known[1], known[0])


def describe(images: np.ndarray) -> np.ndarray:
    """Return numbers that describe images, independent of their polarity.

    They are the level of the sky and its scatter; the amount of light above it, its distance from the centre, extent
    and concentration; the asymmetry under rotation by 180 deg; the roughness; and the difference between the channels.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)

    Returns
    -------
    ndarray of float, shape (N, 9)
    """
    # In blocks, because in float64 2000 images of 128 pixels take 0.8 GB, several times over.
    blocks = [_describe_block(images[start : start + _BLOCK]) for start in range(0, len(images), _BLOCK)]
    return np.concatenate([np.empty((0, 9)), *blocks])


def _describe_block(images: np.ndarray) -> np.ndarray:
    size = images.shape[1]
    bright = positive(images).astype(float) / 255
    level = sky(bright).mean(axis=-1)
    gray = bright.mean(axis=-1)
    light = np.clip(gray - level[:, None, None], 0, None) + _FLOOR / size**2
    total = light.sum(axis=(1, 2))
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / size
    centre = [(light * axis).sum(axis=(1, 2)) / total for axis in (x, y)]
    square = (x[None] - centre[0][:, None, None]) ** 2 + (y[None] - centre[1][:, None, None]) ** 2
    edges = np.concatenate([gray[:, 0], gray[:, -1], gray[:, :, 0], gray[:, :, -1]], axis=1)
    asymmetry = np.abs(gray - gray[:, ::-1, ::-1]).mean(axis=(1, 2))
    roughness = np.abs(np.diff(gray, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(gray, axis=2)).mean(axis=(1, 2))
    return np.stack(
        [
            level,
            np.log(edges.std(axis=1) + _FLOOR),
            np.log(total / size**2 + _FLOOR),
            np.hypot(*centre),
            np.log((light * square).sum(axis=(1, 2)) / total + _FLOOR),
            (light * (square < 0.04)).sum(axis=(1, 2)) / total,
            np.log(asymmetry + _FLOOR),
            np.log(roughness + _FLOOR),
            np.log(bright.std(axis=-1).mean(axis=(1, 2)) + _FLOOR),
        ],
        axis=1,
    )


def learn_novelty(train: Mapping[str, Samples]) -> Novelty:
    """Learn what training images look like, before augmentation: networks are more tolerant than this.

    Parameters
    ----------
    train : mapping of stored band to Samples
        The training set.
    """
    clouds: dict[str, _Cloud | None] = {}
    for name, colour in (("colour", True), ("gray", False)):
        sets = [sample for band, sample in train.items() if is_colour(band) == colour]
        numbers = [describe(_thinned(sample.images, np.arange(len(sample.pgcs)))) for sample in sets]
        clouds[name] = _cloud(np.concatenate(numbers)) if sum(map(len, numbers)) >= _FEWEST else None
    return Novelty(**clouds)


def _thinned(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return at most `_MAX_IMAGES` of the images, evenly spaced: memory and time stay bounded."""
    return np.asarray(images[rows[:: -(-len(rows) // _MAX_IMAGES)]])


def _cloud(numbers: np.ndarray) -> _Cloud:
    """Return the cloud of the training images that `numbers`, (N, 9), describe.

    What is usual is measured on images that the cloud does not hold: a cloud fits its own images too well.
    """
    parts = np.arange(len(numbers)) % _PARTS
    left_out = [_distance(numbers[parts == part], *_fit(numbers[parts != part])) for part in np.unique(parts)]
    mean, precision = _fit(numbers)
    farthest = float(np.percentile(np.concatenate(left_out), _SHARE))
    return _Cloud(mean=tuple(mean), precision=tuple(map(tuple, precision)), farthest=farthest)


def _fit(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and inverse covariance of rows of numbers."""
    # The diagonal term keeps the matrix invertible: the channels of gray images never differ.
    covariance = np.cov(numbers, rowvar=False, bias=True) + 1e-4 * np.eye(numbers.shape[1])
    return numbers.mean(axis=0), np.linalg.inv(covariance)


def _distance(numbers: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Return the Mahalanobis distances of rows of numbers, (N,)."""
    offset = numbers - mean
    return np.sqrt(np.einsum("ni,ij,nj->n", offset, precision, offset))
