"""Inclinations of spiral galaxies from SDSS images."""

from collections.abc import Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inclinet.errors import InclinetError
from inclinet.networks.backend import prepare_backend

if TYPE_CHECKING:
    import pandas as pd

    from inclinet.prediction.predictor import Predictor

__all__ = ["InclinetError", "Predictor", "__version__", "predict"]

__version__ = installed_version("inclinet")

prepare_backend()


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import `Predictor` when it is first used: Keras takes seconds to import."""
    if name == "Predictor":
        from inclinet.prediction.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def predict(
    images: str | Path | Sequence[str | Path],
    *,
    impath: str | Path | None = None,
    store: str | None = None,
    version: str | None = None,
) -> "pd.DataFrame":
    """Predict the inclinations of galaxies with a published version.

    The first call loads the networks; the next ones reuse them.

    Parameters
    ----------
    images : str, Path or sequence of them
        Image, folder of images, catalogue (text, columns separated by `|`), or s3:// address of an image or a folder.
        Images are PNG or JPEG, of any size, in colour or gray, bright on a dark sky or dark on a bright sky. The
        galaxy is near the centre, and the images are framed like those that the version was trained on.
    impath : str or Path, optional
        Folder with the images of a catalogue's galaxies. Default: `galaxies` beside the catalogue if there is such a
        folder, else the catalogue's own folder.
    store : str, optional
        Store of the version, s3://bucket/prefix or a folder. Default: the environment variable `INCLINET_STORE`.
    version : str, optional
        Version to predict with. Default: the version in use.

    Returns
    -------
    DataFrame
        One row per image, with the columns of `Predictor.predict`; angles in degrees.

    Raises
    ------
    InclinetError
        When an image, the store or the version does not exist.
    """
    # Find the images first: a wrong path is reported before Keras is imported, which takes seconds.
    from inclinet.prediction.sources import find_sources

    sources = find_sources(images, impath)

    from inclinet.prediction.predictor import Predictor

    return Predictor.open(store, version).predict(sources)
