"""Predict inclinations with a trained network, each with its spread over several views of the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from inclinet.data.bands import band_letter
from inclinet.data.columns import spread_column
from inclinet.data.inclination import UNIT, to_degrees
from inclinet.data.samples import Samples
from inclinet.data.sky import is_negative, sky

__all__ = ["ORIENTATIONS", "Network", "View", "predict_images", "predict_samples"]

_MINIBATCH = 64  # views predicted at a time: as fast as more, in a third of the memory
_BLOCK = 32  # images of a sample file read at a time


class Network(Protocol):
    """A trained network, whatever runs it.

    Called with images, uint8 (N, size, size, 3), it returns their scaled outputs, float (N,), as
    `inclinet.data.inclination.to_scaled` defines them.
    """

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the scaled outputs."""


@dataclass(frozen=True)
class View:
    """One of the views of an image that a prediction is the mean of: mirrored or not, after quarter turns."""

    turns: int
    mirrored: bool

    def of(self, images: np.ndarray) -> np.ndarray:
        """Return this view of images, uint8 (N, size, size, 3)."""
        turned = np.rot90(images, self.turns, axes=(1, 2))
        return turned[:, :, ::-1] if self.mirrored else turned


ORIENTATIONS = tuple(View(turns, mirrored) for mirrored in (False, True) for turns in range(4))
"""The 8 flips and quarter turns of an image."""


def predict_images(
    network: Network, images: np.ndarray, views: Sequence[View] = ORIENTATIONS
) -> tuple[np.ndarray, np.ndarray]:
    """Return the inclination of each image: mean and standard deviation over its views.

    A galaxy's inclination does not depend on the orientation of its image, so differences between orientations are
    errors. Averaging them reduces the RMS by 4 to 15 %. Images that are dark on a bright sky are inverted first:
    networks learn both polarities, but images bright on a dark sky, three quarters of every batch, much sooner.
    Where a galaxy comes in several frames, the views take them in turn: all of them cost no more than one.

    Parameters
    ----------
    network : Network
    images : ndarray of uint8, shape (N, size, size, 3) or (N, frames, size, size, 3)
    views : sequence of View

    Returns
    -------
    mean, spread : ndarray of float64, shape (N,)
        Mean and standard deviation over the views (deg); with several frames, that of the views of the same frame.
    """
    framed = images[:, None] if images.ndim == 4 else images
    frames = framed.shape[1]
    number = max(1, _MINIBATCH // len(views))
    scaled = [np.empty((len(views), 0))]
    for start in range(0, len(framed), number):
        batch = framed[start : start + number]
        dark = is_negative(sky(batch[:, 0]))
        bright = np.where(dark[:, None, None, None, None], 255 - batch, batch)
        answers = network(np.concatenate([view.of(bright[:, v % frames]) for v, view in enumerate(views)]))
        scaled.append(answers.reshape(len(views), -1))
    outputs = np.concatenate(scaled, axis=1).astype(np.float64)
    return to_degrees(outputs.mean(axis=0)), UNIT * _spread(outputs, frames)


def _spread(outputs: np.ndarray, frames: int) -> np.ndarray:
    """Return the standard deviation over the views, (views, N), of the same frame; view v sees frame v % frames."""
    views = len(outputs)
    each = [outputs[frame::frames] for frame in range(frames)]
    squares = np.sum([len(group) * group.var(axis=0) for group in each], axis=0)
    # As large as that of so many views of one frame would be: the error bars are calibrated with those.
    return np.sqrt(squares / views * (views - 1) / max(views - frames, 1))


def predict_samples(
    network: Network, samples: Mapping[str, Samples], column: str, only: np.ndarray | None = None
) -> pd.DataFrame:
    """Return the predictions of one network for sample files, one row per image.

    Parameters
    ----------
    network : Network
    samples : mapping of stored band to Samples
    column : str
        Name of the network, `<model>_<subsample>`.
    only : ndarray of int, optional
        PGC numbers of the galaxies to predict; by default all.

    Returns
    -------
    DataFrame
        Columns `pgc`, `filter` (c for colour, or the band), `inc_m` (label, deg), `inverted` (whether the image is dark
        on a bright sky), `<column>` (prediction, deg) and `<column>_spread` (standard deviation over the views, deg).
    """
    names = ["pgc", "filter", "inc_m", "inverted", column, spread_column(column)]
    parts = []
    for band, sample in samples.items():
        rows = np.arange(len(sample.pgcs)) if only is None else np.flatnonzero(np.isin(sample.pgcs, only))
        for chunk in np.split(rows, range(_BLOCK, len(rows), _BLOCK)):
            images = np.asarray(sample.images[chunk])
            predictions = [values.round(3) for values in predict_images(network, images)]
            keys = sample.pgcs[chunk], np.full(len(chunk), band_letter(band)), sample.labels[chunk]
            columns = dict(zip(names, (*keys, is_negative(sky(images)), *predictions), strict=True))
            parts.append(pd.DataFrame(columns))
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({name: [] for name in names})
