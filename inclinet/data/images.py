"""One image: which file to use, opening it, padding it to a square, saving it."""

import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from inclinet.data.filenames import ImageName, parse_image

__all__ = [
    "MAX_BYTES",
    "BadImageError",
    "border_of",
    "choose_images",
    "jpeg",
    "open_image",
    "save_jpeg",
    "square",
]

MAX_BYTES = 100 * 2**20
"""A larger file is not a cutout."""

_MAX_SIDE = 8000  # pixels; a colour image of this size takes 192 MB
_QUALITY = 95  # of the downsampled JPEGs
_GRAY_LEVELS = 2  # mean difference between the channels up to which an image is gray
_FORMATS = ("PNG", "JPEG")  # some others are programs, which Pillow would run


class BadImageError(Exception):
    """One image cannot be used; the message is the reason. Its galaxy is skipped, and the run goes on."""


def choose_images(names: Iterable[str], imroot: str, band: str) -> dict[int, str]:
    """Return the file name to use for each galaxy in one band, by PGC number.

    If a galaxy has two colour images, `.sdss.jpg` is preferred to the locally processed `.jpg`.
    """
    chosen: dict[int, tuple[ImageName, str]] = {}
    for name in sorted(names):
        parsed = parse_image(name, imroot)
        if parsed is None or parsed.band != band:
            continue
        if parsed.pgc not in chosen or parsed.preferred:
            chosen[parsed.pgc] = (parsed, name)
    return {pgc: name for pgc, (_, name) in sorted(chosen.items())}


def _drop_alpha(image: Image.Image) -> Image.Image:
    """Return the image in mode L or RGB. Alpha is not light: it is dropped, not blended."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return Image.fromarray((np.clip(np.asarray(image, np.int64), 0, 65535) >> 8).astype(np.uint8))
    if image.mode == "LA":
        return image.getchannel("L")
    if image.mode == "1":
        return image.convert("L")
    return image if image.mode in ("L", "RGB") else image.convert("RGBA").convert("RGB")


def open_image(source: Path | BinaryIO, colour: bool | None, at_least: int = 0) -> Image.Image:
    """Open an image and read all of it, in mode RGB if `colour`, else L.

    Parameters
    ----------
    source : Path or binary file
    colour : bool or None
        None if unknown: RGB if its channels differ.
    at_least : int
        Smallest side (pixels) to which a JPEG may be decoded at reduced scale; 0 for full scale.

    Raises
    ------
    BadImageError
        When the file is missing, empty, truncated, not an image, or too large for one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(source, formats=_FORMATS)
        with image:
            if max(image.size) > _MAX_SIDE:
                raise BadImageError(f"{image.width}×{image.height} pixels: no side may be longer than {_MAX_SIDE}")
            if at_least:
                image.draft(None, (at_least, at_least))
            image.load()
            plain = _drop_alpha(image)
            if colour is None:
                colour = _is_colour(plain)
            return plain.convert("RGB" if colour else "L")
    except BadImageError:
        raise
    except FileNotFoundError:
        raise BadImageError("no such file") from None
    except Image.DecompressionBombError:
        raise BadImageError("too many pixels for a cutout") from None
    except UnidentifiedImageError:
        raise BadImageError("not a readable image (neither PNG nor JPEG)") from None
    except Exception as error:  # on damaged files, Pillow raises nearly anything
        raise BadImageError(f"not a readable image ({type(error).__name__}: {error})") from error


def _is_colour(image: Image.Image) -> bool:
    """Return whether the channels differ by more than JPEG compression causes."""
    if image.mode != "RGB":
        return False
    pixels = np.asarray(image).astype(np.int16)
    return float((pixels.max(axis=2) - pixels.min(axis=2)).mean()) > _GRAY_LEVELS


def border_of(pixels: np.ndarray) -> np.ndarray:
    """Return the outermost pixels of an image, (height, width, ...), as (n, ...); the corners twice."""
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


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


def save_jpeg(image: Image.Image, path: Path) -> None:
    """Save as JPEG with full colour resolution.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    # Encoded in memory first: Pillow's own error on a full disk does not give the cause.
    path.write_bytes(jpeg(image).getbuffer())
