"""One image: which file to use, opening it, padding it to a square, saving it."""

import io
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from inclinet.data.bands import is_colour
from inclinet.data.content import BadImageError, check_content
from inclinet.data.filenames import parse_image
from inclinet.data.fits import is_fits, read_fits
from inclinet.data.padding import border_of, fill_missing
from inclinet.data.pictures import read_picture
from inclinet.data.stretch import find_missing, to_levels

__all__ = [
    "MAX_BYTES",
    "BadImageError",
    "choose_images",
    "jpeg",
    "open_image",
    "read_small",
    "square",
]

MAX_BYTES = 100 * 2**20
"""A larger file is not a cutout."""

_MAX_SIDE = 8000  # pixels; a colour image of this size takes 192 MB
_QUALITY = 95  # of the downsampled JPEGs
_GRAY_LEVELS = 2  # mean difference between the channels up to which an image is gray
_START = 16  # bytes that tell FITS


def choose_images(names: Iterable[str], imroot: str, band: str) -> dict[int, str]:
    """Return the file name to use for each galaxy in one band, by PGC number.

    If a galaxy has two colour images, `.sdss.jpg` is preferred to the locally processed `.jpg`; other formats come
    after the usual one, PNG for gray and JPEG for colour images.
    """
    chosen: dict[int, tuple[tuple[bool, bool], str]] = {}
    usual = (".jpg", ".jpeg") if is_colour(band) else (".png",)
    for name in sorted(names):
        parsed = parse_image(name, imroot)
        if parsed is None or parsed.band != band:
            continue
        rank = not parsed.preferred, parsed.suffix not in usual
        if parsed.pgc not in chosen or rank < chosen[parsed.pgc][0]:
            chosen[parsed.pgc] = (rank, name)
    return {pgc: name for pgc, (_, name) in sorted(chosen.items())}


def open_image(source: Path | BinaryIO, colour: bool | None, at_least: int = 0) -> Image.Image:
    """Open an image and read all of it, in mode RGB if `colour`, else L.

    Pictures of 8 bits are as they are. What holds more is brought to 256 grey levels (`inclinet.data.stretch`). Pixels
    without data (transparent, NaN) are filled from those beside them.

    Parameters
    ----------
    source : Path or binary file
        Of one of `inclinet.data.filenames.IMAGE_FORMATS`; its content tells which, not its name.
    colour : bool or None
        None if unknown: RGB if its channels differ.
    at_least : int
        Smallest side (pixels) to which a JPEG may be decoded at reduced scale; 0 for full scale.

    Raises
    ------
    BadImageError
        When the file is missing, empty, truncated, not an image, blank, or too large for one.
    """
    try:
        values, missing = _read(source, at_least)
        pixels = _pixels(values)
        check_content(pixels[~missing.ravel()] if missing.any() else pixels)
        levels = fill_missing(to_levels(values, missing), missing)
        if values.dtype != np.uint8:
            check_content(_pixels(levels))
    except BadImageError:
        raise
    except FileNotFoundError:
        raise BadImageError("no such file") from None
    except Exception as error:  # on damaged files, Pillow raises nearly anything
        raise BadImageError(f"not a readable image ({type(error).__name__}: {error})") from error
    image = Image.fromarray(levels)
    if colour is None:
        colour = _is_colour(levels)
    return image.convert("RGB" if colour else "L")


def read_small(path: Path) -> np.ndarray:
    """Return a downsampled image, uint8 (height, width, 3), a JPEG in gray or colour; prep has seen what it shows.

    Raises
    ------
    BadImageError
        When it is missing, damaged, or not such an image.
    """
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            return np.asarray(image.convert("RGB"))
    except Exception as error:  # on damaged files, Pillow raises nearly anything
        raise BadImageError(f"not a readable image ({type(error).__name__}: {error})") from error


def _read(source: Path | BinaryIO, at_least: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of an image, and which of its pixels hold no data."""
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
        start = file.read(_START)
        file.seek(0)
        if not start:
            raise BadImageError("not a readable image (it is empty)")
        if not is_fits(start):
            return read_picture(file, _MAX_SIDE, at_least)
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise BadImageError(f"more than {MAX_BYTES} bytes: too large for a cutout")
    values = read_fits(content, _MAX_SIDE)
    # Bytes are those of a picture: their zeros are black.
    return values, find_missing(values) if values.dtype != np.uint8 else np.zeros(values.shape[:2], bool)


def _pixels(values: np.ndarray) -> np.ndarray:
    """Return an image, (height, width) or (height, width, 3), as (n, channels)."""
    return values.reshape(values.shape[0] * values.shape[1], -1)


def _is_colour(levels: np.ndarray) -> bool:
    """Return whether the channels differ by more than JPEG compression causes."""
    if levels.ndim == 2:
        return False
    pixels = levels.astype(np.int16)
    return float((pixels.max(axis=2) - pixels.min(axis=2)).mean()) > _GRAY_LEVELS


def square(image: Image.Image) -> Image.Image:
    """Pad an image to a square, keeping it centred, with the median of its border.

    It is never stretched: this would change the axis ratio, and so the inclination.
    """
    width, height = image.size
    if width == height:
        return image
    pixels = np.asarray(image).reshape(height, width, -1)
    fill = tuple(int(value) for value in np.median(border_of(pixels), axis=0))
    side = max(width, height)
    padded = Image.new(image.mode, (side, side), fill if len(fill) > 1 else fill[0])
    padded.paste(image, ((side - width) // 2, (side - height) // 2))
    return padded


def jpeg(image: Image.Image) -> io.BytesIO:
    """Return the content of a JPEG file with full colour resolution."""
    content = io.BytesIO()
    image.save(content, "JPEG", quality=_QUALITY, subsampling=0)
    return content
