"""Images and catalogues that are not files: what Python programs and notebooks hold."""

import io
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from inclinet.data.catalog import find_galaxies
from inclinet.data.tables import cells_of
from inclinet.errors import InclinetError
from inclinet.prediction.remote import fetch_source, is_galaxy_name
from inclinet.prediction.source import Source
from inclinet.prediction.sources import expand, find_sources, of_galaxies
from inclinet.storage.store import FolderStore

__all__ = ["Given", "find_given"]

_CHANNELS = 4  # red, green, blue and opacity
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
        or a list of HDUs; a table of galaxies: DataFrame or astropy Table, whose images are in `impath` or named by a
        column; or a sequence, an iterator, a Series or a set of any of them.
    impath, columns, recursive
        As for `find_sources`.

    Raises
    ------
    InclinetError
        As `find_sources`, and when nothing that is given is any of these; among others, such a thing has a source with
        a `problem`.
    """
    things = _things(given)
    found: list[Source] = []
    errors: list[InclinetError] = []
    for number, one in enumerate(things):
        if isinstance(one, str) and is_galaxy_name(one):
            found.append(fetch_source(one, alone=len(things) == 1))
        elif isinstance(one, str | os.PathLike | Source):
            path = one if isinstance(one, str | Source) else Path(one)
            found += find_sources([path], impath, columns, recursive=recursive, alone=len(things) == 1)
        elif isinstance(one, pd.DataFrame) or _is_astropy_table(one):
            found += _find_of_table(one, impath, columns or {})
        else:
            name, nowhere = f"image {number}", FolderStore(Path())
            try:
                found.append(Source(name, nowhere, "", content=_content(one, name)))
            except InclinetError as error:
                errors.append(error)
                found.append(Source(name, nowhere, "", problem=str(error).removeprefix(f"{name}: ")))
    if errors and len(errors) == len(things):
        raise errors[0]
    return found


def _things(given: Given) -> list[Given]:
    """Return the single things that are given: those in a sequence, an iterator, or an array or column of texts."""
    if isinstance(given, str | bytes | bytearray | memoryview | pd.DataFrame):
        return [given]
    if isinstance(given, pd.Series | pd.Index | np.ndarray):
        # Any other array is an image.
        return list(given) if given.ndim == 1 and not pd.api.types.is_numeric_dtype(given.dtype) else [given]
    if _is_astropy_table(given) or _is_hdus(given) or hasattr(given, "read"):
        return [given]
    return list(given) if isinstance(given, Sequence | Set | Iterator) else [given]


def _is_hdus(one: Given) -> bool:
    """Return whether this is an astropy HDU, or a list of them, as `fits.open` returns."""
    return hasattr(one, "writeto") and type(one).__module__.startswith("astropy.io.fits.hdu")


def _is_astropy_table(one: Given) -> bool:
    return hasattr(one, "colnames") and hasattr(one, "to_pandas")


def _find_of_table(table: Given, impath: str | Path | None, columns: Mapping[str, str]) -> list[Source]:
    """Return the images of a table of galaxies, whose rows are counted from 1."""
    if isinstance(table, pd.DataFrame):
        named = [name for name in table.index.names if name is not None and name not in table.columns]
        cells = cells_of(table.reset_index(named).items())
    else:
        columns_of = ((name, table[name]) for name in table.colnames)
        cells = cells_of((name, column.to_value() if _is_quantity(column) else column) for name, column in columns_of)
    folder = expand(impath) if impath else Path()
    return of_galaxies(find_galaxies(cells, columns=columns), folder, "the table")


def _is_quantity(column: Given) -> bool:
    return isinstance(column, np.ndarray) and hasattr(column, "to_value")


def _content(one: Given, name: str) -> bytes:
    """Return an image as the content of a file: 8-bit pixels as PNG, all others as FITS, to be stretched."""
    if isinstance(one, bytes | bytearray | memoryview):
        return bytes(one)
    if _is_hdus(one):
        return _of_hdus(one, name)
    if isinstance(one, Image.Image):
        return _of_picture(one)
    if hasattr(one, "read") and not hasattr(one, "mask"):  # astropy's CCDData can read files
        return _of_file(one, name)
    held: Any = one if isinstance(one, np.ndarray) else getattr(one, "data", one)
    try:
        pixels = np.asarray(np.ma.getdata(held))
    except ValueError:  # a list of different things
        pixels = np.array(None)
    if pixels.ndim == 3 and 1 in (pixels.shape[0], pixels.shape[-1]):
        pixels = pixels[0] if pixels.shape[0] == 1 else pixels[..., 0]
    if isinstance(one, list | tuple) or pixels.dtype.kind not in "buif" or pixels.ndim not in (2, 3):
        raise InclinetError(
            f"{name}: {type(one).__name__} is no image; give a path, an array (height, width[, 3]), a PIL image, "
            "bytes, a file, or an astropy NDData or HDU",
            setting="images",
        )
    if not pixels.size:
        return b""
    missing = _missing(getattr(one, "mask", None), pixels)
    return _of_bytes(pixels, missing) if pixels.dtype == np.uint8 else _of_light(pixels, missing)


def _of_hdus(one: Given, name: str) -> bytes:
    """Return a FITS file of an HDU or of several."""
    from astropy.io import fits

    written = io.BytesIO()
    if not isinstance(one, fits.HDUList):
        one = fits.HDUList([one] if isinstance(one, fits.PrimaryHDU) else [fits.PrimaryHDU(), one])
    try:
        one.writeto(written, output_verify="silentfix")
    except (OSError, ValueError, TypeError) as error:  # such as one whose file is closed
        raise InclinetError(f"{name}: the HDU cannot be read ({error})", setting="images") from None
    return written.getvalue()


def _of_picture(image: Image.Image) -> bytes:
    """Return a PIL image as PNG; as TIFF where its numbers have more than 8 bits."""
    written = io.BytesIO()
    if not all(image.size):
        return b""
    if image.mode in ("I", "F"):
        image.save(written, "TIFF")
        return written.getvalue()
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA") and not image.mode.startswith("I;16"):
        image = _to_rgb(image)
    image.save(written, "PNG")
    return written.getvalue()


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return an image of any other mode of PIL as RGB, with transparency if it has any."""
    if image.mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "LAB", "RGB")) or image
    return image.convert("RGBA" if image.mode in ("PA", "La", "RGBa") else "RGB")


def _of_file(file: Given, name: str) -> bytes:
    try:
        content = file.read()
    except (OSError, ValueError) as error:  # such as one that is closed
        raise InclinetError(f"{name}: the file cannot be read ({error})", setting="images") from None
    if not isinstance(content, bytes):
        raise InclinetError(f"{name}: a file opened as text; open it with mode 'rb'", setting="images")
    return content


def _missing(mask: Given, pixels: np.ndarray) -> np.ndarray:
    """Return which pixels of an image a mask of NDData or of a masked array hides, bool (height, width)."""
    channels = (0 if _is_in_planes(pixels) else -1,) if pixels.ndim == 3 else ()
    hidden = np.zeros(np.delete(pixels.shape, channels), bool)
    if not isinstance(mask, np.ndarray):
        return hidden
    mask = mask.reshape(pixels.shape).any(axis=channels) if mask.size == pixels.size else mask
    return mask if mask.shape == hidden.shape else hidden


def _is_in_planes(pixels: np.ndarray) -> bool:
    """Return whether an array is (channels, height, width)."""
    return pixels.ndim == 3 and pixels.shape[-1] > _CHANNELS


def _of_bytes(pixels: np.ndarray, missing: np.ndarray) -> bytes:
    """Return a PNG of pixels, uint8 (height, width[, channels]); what is missing is transparent."""
    if _is_in_planes(pixels):
        if len(pixels) > _CHANNELS:
            return _of_light(pixels, missing)
        pixels = np.moveaxis(pixels, 0, -1)
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if missing.any():
        image.putalpha(Image.fromarray(np.where(missing, 0, 255).astype(np.uint8)))
    return _of_picture(image)


def _of_light(pixels: np.ndarray, missing: np.ndarray) -> bytes:
    """Return a FITS file of an image, (height, width[, 3]) or (3, height, width); what is missing is NaN."""
    from astropy.io import fits

    if pixels.ndim == 3 and not _is_in_planes(pixels):
        if pixels.shape[-1] == _CHANNELS:
            pixels, missing = pixels[..., :-1], missing | (pixels[..., -1] == 0)
        pixels = np.moveaxis(pixels, -1, 0)
    hdu = fits.PrimaryHDU(np.where(missing, np.nan, pixels).astype(np.float32))
    hdu.header["BANDS"] = "irg"  # as `inclinet.data.fits` reads red, green and blue
    written = io.BytesIO()
    hdu.writeto(written)
    return written.getvalue()
