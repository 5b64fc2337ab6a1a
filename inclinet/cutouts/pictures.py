"""Pictures of image servers: read, checked for content, turned, and written as files."""

import io
import math
import warnings

import cv2
import numpy as np
from astropy.io import fits
from PIL import Image

from inclinet.cutouts.client import FetchError
from inclinet.data.content import BadImageError, BlankImageError
from inclinet.data.images import jpeg, open_image

__all__ = ["BLANK", "WIDER", "decode_colour", "decode_gray", "encode", "turn", "turning_angle"]

BLANK = "blank: the survey has no picture there"
"""Problem of a cutout outside the footprint of its survey."""

WIDER = math.sqrt(2)
"""A field that is to be turned is fetched wider by this: its inner square has data at any angle."""

# Of 637 SDSS cutouts of galaxies, none had more than 72 % of its pixels within 2 grey levels of the median. SDSS's
# pictures of places outside its footprint are black but for a line of text.
_SAME, _BLANK_SHARE = 1, 0.85
_SOFTENING, _BLACK = 3.0, 2.0  # of the stretch of single bands, in standard deviations of the sky
_WHITE = 99.8  # percentile


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
    """Return a picture of one band, bright on a dark sky, stretched by asinh (Lupton et al. 1999, AJ 118, 1406).

    Linear up to some 3 standard deviations of the sky's noise, logarithmic beyond; 2 below the sky are black, the
    brightest 0.2 % white. Pixels without data (NaN or exactly 0) get the sky's grey.

    Parameters
    ----------
    content : bytes
        A FITS file whose first image has two axes, or more of which all but two have length 1. Its first row is the
        southernmost, as on all these servers.
    pixels : int
        Pixels a side that the server was asked for.

    Raises
    ------
    FetchError
        When it is empty, broken, of another size, or blank.
    """
    _check_not_empty(content)
    data = _read_fits(content)
    if data.size <= 1:
        raise FetchError(BLANK)
    if data.ndim != 2:
        raise FetchError(f"an image with {data.ndim} axes in place of 2")
    _check_size(data.shape[::-1], pixels)
    missing = ~np.isfinite(data) | (data == 0)
    values = data[~missing]
    if missing.mean() > _BLANK_SHARE or np.ptp(values) == 0:
        raise FetchError(BLANK)
    sky = float(np.median(values))
    noise = 1.4826 * float(np.median(np.abs(values - sky))) or float(np.std(values))
    low, high = (np.arcsinh(level / _SOFTENING) for level in (-_BLACK, (np.percentile(values, _WHITE) - sky) / noise))
    level = np.arcsinh(np.where(missing, 0, data - sky) / (_SOFTENING * noise))
    gray = np.clip(255 * (level - low) / max(high - low, 1e-6), 0, 255).round().astype(np.uint8)
    return Image.fromarray(np.flipud(gray))


def _read_fits(content: bytes) -> np.ndarray:
    """Return the first image of a FITS file as float64, without axes of length 1; empty if it has none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters raises, or shows in the data
            with fits.open(io.BytesIO(content), memmap=False) as units:
                images = [unit.data for unit in units if unit.is_image and unit.data is not None]
                return np.squeeze(np.asarray(images[0], np.float64)) if images else np.empty(0)
    except Exception as error:  # on damaged files, astropy raises nearly anything
        reason = f"not a readable FITS file ({type(error).__name__}: {error}){_words(content)}"
        raise FetchError(reason, is_trouble=True) from None


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
