"""Whether an image looks like those that the networks were trained on.

A few numbers describe an image; their Mahalanobis distance from the training images says how unusual it is (1936, Proc.
Natl. Inst. Sci. India 2, 49).
"""

from collections.abc import Mapping

import numpy as np

from inclinet.data.bands import FILTERS, positive, sky
from inclinet.data.samples import Batch, Samples
from inclinet.records import Record

__all__ = ["Novelty", "describe", "learn_novelty"]

_SHARE = 99.9  # % of the training images that do not count as unusual
_MAX_IMAGES = 2000
_LEAST = 1e-3
_CLASSES = {"colour": ("c",), "gray": ("g", "r", "i")}


class _Cloud(Record):
    """Where the training images of one class lie: mean, inverse covariance, and how far out the last one is."""

    mean: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]
    farthest: float

    def holds(self, numbers: np.ndarray) -> np.ndarray:
        """Return which rows of numbers lie among the training images."""
        return _distance(numbers, np.array(self.mean), np.array(self.precision)) <= self.farthest


class Novelty(Record):
    """What colour and gray training images look like; None where there were none."""

    colour: _Cloud | None
    gray: _Cloud | None

    def is_unlike(self, images: np.ndarray, colour: np.ndarray) -> np.ndarray:
        """Return which images are unlike the training images.

        Parameters
        ----------
        images : ndarray of uint8, shape (N, size, size, 3)
        colour : ndarray of bool, shape (N,)
            Which of them are colour images; gray ones have the same in all channels.
        """
        numbers = describe(images)
        known = [cloud.holds(numbers) if cloud else np.zeros(len(images), bool) for cloud in (self.gray, self.colour)]
        return ~np.where(colour, known[1], known[0])


def describe(images: np.ndarray) -> np.ndarray:
    """Return numbers that say what images look like, whatever their polarity.

    Those are the level of the sky and its scatter, the light above it, its distance from the centre, its extent and
    its concentration, the asymmetry under half a turn, the roughness and the difference of the channels.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)

    Returns
    -------
    ndarray of float, shape (N, 9)
    """
    size = images.shape[1]
    bright = positive(images).astype(float) / 255
    level = sky(bright).mean(axis=-1)
    gray = bright.mean(axis=-1)
    light = np.clip(gray - level[:, None, None], 0, None) + _LEAST / size**2
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
            np.log(edges.std(axis=1) + _LEAST),
            np.log(total / size**2 + _LEAST),
            np.hypot(*centre),
            np.log((light * square).sum(axis=(1, 2)) / total + _LEAST),
            (light * (square < 0.04)).sum(axis=(1, 2)) / total,
            np.log(asymmetry + _LEAST),
            np.log(roughness + _LEAST),
            np.log(bright.std(axis=-1).mean(axis=(1, 2)) + _LEAST),
        ],
        axis=1,
    )


def learn_novelty(train: Mapping[str, Samples], batch: Batch) -> Novelty:
    """Learn what training images look like, both as they are and augmented, as the networks see them.

    Parameters
    ----------
    train : mapping of stored band to Samples
        The training set.
    batch : Batch
        A stored batch of it.
    """
    clouds = {}
    for name, letters in _CLASSES.items():
        rows = np.flatnonzero(np.isin(batch.filters, [letter.encode() for letter in letters]))
        sets = [(batch.images, rows)]
        sets += [
            (sample.images, np.arange(len(sample.pgcs))) for band, sample in train.items() if FILTERS[band] in letters
        ]
        numbers = [describe(_some(*one)) for one in sets if len(one[1])]
        clouds[name] = _cloud(np.concatenate(numbers)) if numbers else None
    return Novelty(**clouds)


def _some(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return so many of the images that their number does not matter, spread evenly."""
    return np.asarray(images[rows[:: -(-len(rows) // _MAX_IMAGES)]])


def _cloud(numbers: np.ndarray) -> _Cloud:
    mean = numbers.mean(axis=0)
    # A little on the diagonal: gray images have no scatter in the difference of their channels.
    covariance = np.cov(numbers, rowvar=False, bias=True) + 1e-4 * np.eye(numbers.shape[1])
    precision = np.linalg.inv(covariance)
    farthest = float(np.percentile(_distance(numbers, mean, precision), _SHARE))
    return _Cloud(mean=tuple(mean), precision=tuple(map(tuple, precision)), farthest=farthest)


def _distance(numbers: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    offset = numbers - mean
    return np.sqrt(np.einsum("ni,ij,nj->n", offset, precision, offset))
