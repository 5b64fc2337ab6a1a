"""Images and catalogues that are not files: what Python programs and notebooks hold."""

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from inclinet.errors import InclinetError
from inclinet.prediction.remote import fetch_source, is_galaxy_name
from inclinet.prediction.source import Source
from inclinet.prediction.sources import find_sources, of_catalogue
from inclinet.storage.store import FolderStore

__all__ = ["Given", "find_given"]

Given = Any
"""What can be predicted: path, address, `Source`, array, PIL image, bytes, file, astropy NDData or HDU, or a table."""


def find_given(
    given: Given,
    impath: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    *,
    recursive: bool = False,
) -> list[Source]:
    """Find the images to predict, as `find_sources` does, in whatever a program holds.

    Parameters
    ----------
    given
        What `find_sources` takes; the name of a galaxy, such as `NGC 2841`, whose image is fetched; an image: array
        (height, width[, 3]; colours red, green, blue), PIL image, bytes of a file, file object, astropy NDData or HDU;
        a table of galaxies: DataFrame or astropy Table, whose images are in `impath` or named by a column; or a
        sequence of any of them.
    impath, columns, recursive
        As for `find_sources`.

    Raises
    ------
    InclinetError
        As `find_sources`, and when something is none of these.
    """
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        given = [given]
    found: list[Source] = []
    for number, one in enumerate(given):
        if isinstance(one, str) and is_galaxy_name(one):
            found.append(fetch_source(one, alone=len(given) == 1))
        elif isinstance(one, str | Path | Source):
            found += find_sources([one], impath, columns, recursive=recursive, alone=len(given) == 1)
        elif isinstance(one, pd.DataFrame) or _is_astropy_table(one):
            found += _find_of_table(one, impath, columns or {})
        else:
            found.append(Source(f"image {number}", FolderStore(Path()), "", content=_content(one, number)))
    return found


def _is_astropy_table(one: Given) -> bool:
    return hasattr(one, "colnames") and hasattr(one, "to_pandas")


def _find_of_table(table: Given, impath: str | Path | None, columns: Mapping[str, str]) -> list[Source]:
    """Return the images of a table of galaxies; the rows are counted from 1, below the line of the names."""
    frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    named = [name for name in frame.index.names if name is not None]
    with tempfile.TemporaryDirectory(prefix="inclinet-") as folder:
        path = Path(folder) / "table.csv"
        frame.reset_index(named).to_csv(path, index=False)
        return of_catalogue(path, Path(impath) if impath else Path(), columns)


def _content(one: Given, number: int) -> bytes:
    """Return an image as the content of a file: 8-bit pixels as PNG, all others as FITS, to be stretched."""
    if isinstance(one, bytes | bytearray | memoryview):
        return bytes(one)
    if hasattr(one, "read"):
        content = one.read()
        if not isinstance(content, bytes):
            raise InclinetError(f"image {number}: a file opened as text; open it with mode 'rb'", setting="images")
        return content
    if isinstance(one, Image.Image):
        content = io.BytesIO()
        one.save(content, "PNG")
        return content.getvalue()
    pixels = np.asarray(one if isinstance(one, np.ndarray) else getattr(one, "data", one))
    if pixels.dtype.kind not in "buif" or pixels.ndim not in (2, 3):
        raise InclinetError(
            f"image {number}: {type(one).__name__} is no image; give a path, an array (height, width[, 3]), a PIL "
            "image, bytes, a file, or an astropy NDData or HDU",
            setting="images",
        )
    if pixels.dtype == np.uint8 and not np.ma.isMaskedArray(one):
        return _content(Image.fromarray(pixels), number)
    mask = getattr(one, "mask", None)
    if isinstance(mask, np.ndarray) and mask.shape == pixels.shape:  # NDData and masked arrays
        pixels = np.where(mask, np.nan, pixels)
    from astropy.io import fits

    planes = np.moveaxis(pixels, -1, 0) if pixels.ndim == 3 and pixels.shape[-1] == 3 else pixels
    written = io.BytesIO()
    hdu = fits.PrimaryHDU(planes.astype(np.float32))
    hdu.header["BANDS"] = "irg"  # as `inclinet.data.fits` reads red, green and blue
    hdu.writeto(written)
    return written.getvalue()
