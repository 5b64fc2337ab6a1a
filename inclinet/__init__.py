"""Inclinations of spiral galaxies from SDSS images."""

import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["predict"]

# TensorFlow's remarks on the processor would drown what its user wants to read.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__version__ = version("inclinet")


def predict(
    images: str | Path | Sequence[str | Path],
    *,
    impath: str | Path | None = None,
    store: str | None = None,
    version: str | None = None,
) -> "pd.DataFrame":
    """Return the inclinations of galaxies by a published version; its networks are loaded at the first call.

    Parameters
    ----------
    images : str, Path or sequence of them
        Image, folder of images, catalogue, or s3:// address of an image or of a folder. Images are PNG or JPEG, of
        any size, in colour or gray, bright on dark or dark on bright; the galaxy near the centre, cut out as those
        that the version was trained on.
    impath : str or Path, optional
        Folder of the images of catalogues; by default `galaxies` beside the catalogue, else where it lies.
    store : str, optional
        Artifact store, s3://bucket/prefix or a folder; `INCLINET_STORE` unless given.
    version : str, optional
        Version to use; the one in use unless given.

    Returns
    -------
    DataFrame
        One row per image; the columns are those of `inclinet.prediction.predictor.Predictor.predict`, angles in deg.

    Raises
    ------
    inclinet.errors.InclinetError
        When there is no such image, store or version.
    """
    # Keras takes seconds to import.
    from inclinet.prediction.predictor import open_predictor
    from inclinet.prediction.sources import find_sources

    given = [images] if isinstance(images, str | Path) else list(images)
    sources = find_sources(given, impath and Path(impath))
    return open_predictor(store, version).predict(sources)
