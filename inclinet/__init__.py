"""Inclinations of spiral galaxies from SDSS images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inclinet.errors import InclinetError
from inclinet.networks.backend import prepare_backend

if TYPE_CHECKING:
    import pandas as pd

    __version__: str

    from inclinet.prediction.objects import Given
    from inclinet.prediction.predictor import Predictor

__all__ = ["InclinetError", "Predictor", "__version__", "predict"]

prepare_backend()


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Look up the version, or import `Predictor`, when it is first used: importing Inclinet takes no time."""
    if name == "__version__":
        from importlib.metadata import version

        return version("inclinet")
    if name == "Predictor":
        from inclinet.prediction.predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def predict(
    images: "Given | Sequence[Given]",
    *,
    impath: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    recursive: bool = False,
    per_image: bool = False,
    store: str | None = None,
    version: str | None = None,
) -> "pd.DataFrame":
    """Predict the inclinations of galaxies with a version: the one that ships with Inclinet, or one of a store.

    The first call loads the networks; the next ones reuse them. The log says which version predicts, what it was
    trained on and its tested error, as a warning if the version is not for science.

    Parameters
    ----------
    images
        Path (with `~` or wildcards) of an image, a folder of images or a catalogue (CSV, ECSV, FITS or VOTable); s3://
        address of an image or a folder; name of a galaxy, whose image is fetched; array (height, width[, 3]), PIL
        image, bytes of a file, file object, astropy NDData, HDU or list of HDUs; DataFrame or astropy Table of
        galaxies; or a sequence, iterator or Series of any of them. Images are FITS, PNG, JPEG, TIFF, WebP, BMP, GIF or
        JPEG 2000, of any size, in colour or gray, bright on a dark sky or dark on a bright sky. The galaxy is near the
        centre.
    impath : str or Path, optional
        Folder with the images of a catalogue's galaxies. Default: `galaxies` beside the catalogue if there is such a
        folder, else the catalogue's own folder.
    columns : mapping of str to str, optional
        Columns of a catalogue that are called otherwise, by what they mean: `{"pgc": "PGCNO", "image": "file"}`. The
        meanings are pgc, galaxy, image, inc, inc_e, inc_flg, fon, inc_note and b_a.
    recursive : bool
        Search the folders in a folder, too.
    per_image : bool
        Return one row per image instead of one per galaxy.
    store : str, optional
        Store of the version, s3://bucket/prefix or a folder. Default: the environment variable `INCLINET_STORE`, if it
        is set.
    version : str, optional
        Version to predict with; `shipped` is the one that comes with Inclinet. Default: the version in use in the
        store; the shipped one if none is in use there, or no store is named.

    Returns
    -------
    DataFrame
        One row per galaxy, with the columns of `Predictor.predict`; angles in degrees.

    Raises
    ------
    InclinetError
        When an image, the store or the version does not exist.
    """
    # Find the images first: a wrong path is reported before anything is loaded.
    from inclinet.prediction.objects import find_given

    sources = find_given(images, impath, columns, recursive=recursive)

    from inclinet.prediction.predictor import Predictor

    return Predictor.open(store, version).predict(sources, per_image=per_image)
