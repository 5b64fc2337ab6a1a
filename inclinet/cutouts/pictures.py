"""Pictures of image servers: read, checked for content, turned, and written as files."""

import io
import math

import cv2
import numpy as np
from PIL import Image

from inclinet.cutouts.client import FetchError
from inclinet.data.content import BadImageError, BlankImageError
from inclinet.data.fits import read_fits
from inclinet.data.images import jpeg, open_image
from inclinet.data.padding import fill_missing
from inclinet.data.stretch import find_missing, stretch_light

__all__ = ["BLANK", "WIDER", "decode_colour", "decode_gray", "encode", "turn", "turning_angle"]

BLANK = "blank: the survey has no picture there"
"""Problem of a cutout outside the footprint of its survey."""

WIDER = math.sqrt(2)
"""A field that is to be turned is fetched wider by this: its inner square has data at any angle."""

# Of 637 SDSS cutouts of galaxies, none had more than 72 % of its pixels within 2 grey levels of the median. SDSS's
# pictures of places outside its footprint are black but for a line of text.
_SAME, _BLANK_SHARE = 1, 0.85
_MAX_SIDE = 10_000  # pixels


def decode_colour(content: bytes, pixels: int) -> Image.Image:
    """Return a colour picture.

    Parameters
    ----------
    content : bytes
        A JPEG or PNG file.
    pixels : int
        Pixels a side that the server was asked for.

    Raises
    ------
    FetchError
        When it is empty, broken, of another size, or blank.
    """
    _check_not_empty(content)
    try:
        image = open_image(io.BytesIO(content), colour=True)
    except BlankImageError:
        raise FetchError(BLANK) from None
    except BadImageError as error:
        raise FetchError(f"{error}{_words(content)}", is_trouble=True) from None
    _check_size(image.size, pixels)
    array = np.asarray(image).astype(np.int16)
    same = np.abs(array - np.median(array, axis=(0, 1))).max(axis=2) <= _SAME
    if same.mean() > _BLANK_SHARE:
        raise FetchError(BLANK)
    return image


def decode_gray(content: bytes, pixels: int) -> Image.Image:
    """Return a picture of one band, bright on a dark sky, stretched as all images in FITS files are.

    Parameters
    ----------
    content : bytes
        A FITS file, as `inclinet.data.fits.read_fits` reads it, with one band. Pixels without data are filled.
    pixels : int
        Pixels a side that the server was asked for.

    Raises
    ------
    FetchError
        When it is empty, broken, of another size, or blank.
    """
    _check_not_empty(content)
    try:
        light = read_fits(content, _MAX_SIDE)
    except BlankImageError:
        raise FetchError(BLANK) from None
    except BadImageError as error:
        raise FetchError(f"{error}{_words(content)}", is_trouble=True) from None
    if light.size <= 1:
        raise FetchError(BLANK)
    if light.ndim != 2:
        raise FetchError("a colour picture in place of one band")
    _check_size(light.shape[::-1], pixels)
    missing = find_missing(light)
    if missing.mean() > _BLANK_SHARE or np.ptp(light[~missing]) == 0:
        raise FetchError(BLANK)
    return Image.fromarray(fill_missing(stretch_light(light, missing), missing))


def _check_not_empty(content: bytes) -> None:
    if not content:
        raise FetchError("the server sent an empty body", is_trouble=True)


def _check_size(size: tuple[int, ...], pixels: int) -> None:
    """Check that the server gave the size it was asked for: otherwise the scale is another, too."""
    if size != (pixels, pixels):
        raise FetchError(f"the server gave {size[0]}×{size[1]} pixels in place of {pixels}×{pixels}")


def _words(content: bytes) -> str:
    """Return the beginning of a text that came in place of a picture, as the end of a message."""
    text = content[:400].decode("ascii", "replace")
    if (
        "\N{REPLACEMENT CHARACTER}" in text
        or not text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable()
    ):
        return ""
    return f"; it sent the text {' '.join(text.split())[:120]!r}"


def turning_angle(pa: float) -> float:
    """Return by how many degrees, counterclockwise, to turn a picture for the major axis to be level.

    North is up and east to the left, and `pa` (deg) is from north through east: counterclockwise from up, then. The
    answer is in (−90, 90].
    """
    angle = (90 - pa) % 180
    return angle - 180 if angle > 90 else angle


def turn(image: Image.Image, angle: float, wider: float, pixels: int) -> Image.Image:
    """Turn a square picture about its centre, and cut a square out of its middle.

    Parameters
    ----------
    image : Image
    angle : float
        Degrees, counterclockwise.
    wider : float
        Width of the picture's field over the wanted one; `WIDER` for any angle.
    pixels : int
        Pixels a side of the picture returned.
    """
    side = image.width
    centre, middle = (side - 1) / 2, (pixels - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), angle, pixels * wider / side)
    matrix[:, 2] += middle - centre
    turned = cv2.warpAffine(
        np.asarray(image), matrix, (pixels, pixels), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return Image.fromarray(turned)


def encode(image: Image.Image) -> bytes:
    """Return the content of a picture's file: JPEG in colour, PNG in gray."""
    if image.mode != "L":
        return jpeg(image).getvalue()
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
