"""From images to inclinations with a trained network."""

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from inclinet.batches import Samples, is_negative, sky
from inclinet.errors import InclinetError
from inclinet.naming import FILTERS
from inclinet.scaling import to_degrees

__all__ = ["load_network", "predict_images", "predict_samples"]

_MINIBATCH = 32  # times the 8 orientations


def load_network(path: Path) -> keras.Model:
    """Load a trained network.

    Raises
    ------
    InclinetError
        When the file is no network that Keras can load safely.
    """
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise InclinetError(f"{path}: not a trained network ({str(error).splitlines()[0]})") from error


def _positive(images: np.ndarray) -> np.ndarray:
    """Return the images bright on a dark sky, inverting those that are not."""
    return np.where(is_negative(sky(images))[:, None, None, None], 255 - images, images)


def _orientations(images: np.ndarray) -> np.ndarray:
    """Return each image in its 8 flips and quarter turns, shape (8 N, size, size, 3)."""
    turned = [np.rot90(images, turns, axes=(1, 2)) for turns in range(4)]
    return np.concatenate(turned + [turn[:, :, ::-1] for turn in turned])


def predict_images(network: keras.Model, images: np.ndarray) -> np.ndarray:
    """Return the inclination of each image, averaged over its 8 flips and quarter turns.

    The inclination does not depend on the orientation, so what differs between them is error; averaging
    it away takes 4 to 15 % off the RMS. Images dark on a bright sky are inverted first: networks learn both
    kinds, but those bright on a dark sky, three quarters of every batch, far sooner.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, size, size, 3)

    Returns
    -------
    ndarray of float64, shape (N,)
        Degrees.
    """
    scaled = [
        keras.ops.convert_to_numpy(network(_orientations(_positive(chunk)), training=False)).reshape(8, -1).mean(axis=0)
        for chunk in np.split(images, range(_MINIBATCH, len(images), _MINIBATCH))
        if len(chunk)
    ]
    return to_degrees(np.concatenate(scaled).astype(np.float64)) if scaled else np.empty(0)


def predict_samples(network: keras.Model, samples: Mapping[str, Samples], column: str) -> pd.DataFrame:
    """Return the predictions of one network for sample files, one row per image.

    Columns `pgc`, `filter` (c, g, r, i), `inc_m` (label, deg) and `column` (prediction, deg).
    """
    tables = [
        pd.DataFrame(
            {
                "pgc": sample.pgcs,
                "filter": FILTERS[band],
                "inc_m": sample.labels,
                column: predict_images(network, sample.images).round(3),
            }
        )
        for band, sample in samples.items()
    ]
    empty = pd.DataFrame({"pgc": [], "filter": [], "inc_m": [], column: []})
    return pd.concat(tables, ignore_index=True) if tables else empty
