"""Pictures in the formats that Pillow reads without help of other programs: their values, and pixels without data."""

import warnings
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from inclinet.data.content import BadImageError
from inclinet.data.filenames import IMAGE_FORMATS

__all__ = ["read_picture"]

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Some of Pillow's other formats are programs, which it would run.
_FORMATS = tuple(name for name in IMAGE_FORMATS if name != "FITS")


def read_picture(file: BinaryIO, max_side: int, at_least: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a picture, and which of its pixels hold no data.

    Parameters
    ----------
    file : binary file
    max_side : int
        Largest side (pixels).
    at_least : int
        Smallest side (pixels) to which a JPEG may be decoded at reduced scale; 0 for full scale.

    Returns
    -------
    values : ndarray of uint8, other integers or floats, shape (height, width) or (height, width, 3)
    missing : ndarray of bool, shape (height, width)
        Transparent pixels. Less transparent ones are not blended: alpha is not light.

    Raises
    ------
    BadImageError
        When it is damaged, not a picture, or too large for a cutout.
    """
    try:
        with warnings.catch_warnings():
            # Of large images, and of damaged notes in a file whose pixels may be whole.
            warnings.simplefilter("ignore")
            image = Image.open(file, formats=_FORMATS)
        with image:
            if max(image.size) > max_side:
                raise BadImageError(f"{image.width}×{image.height} pixels: no side may be longer than {max_side}")
            if at_least:
                image.draft(None, (at_least, at_least))
            deep = image.mode in ("RGB", "RGBA", "LA") and ";16" in str(image.tile)
            image.load()
            return _deep_values(file) if deep else _values(image)
    except UnidentifiedImageError:
        file.seek(0)
        if file.read(4).startswith(_TIFF):
            raise BadImageError(
                "a TIFF of a kind that is not read, such as 64-bit or colour floats: save it as FITS"
            ) from None
        raise BadImageError(f"not a readable image (none of {', '.join(IMAGE_FORMATS)})") from None
    except Image.DecompressionBombError:
        raise BadImageError("too many pixels for a cutout") from None


def _values(image: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the values, and which pixels hold no data, of an image in any of Pillow's modes."""
    none = np.zeros((image.height, image.width), bool)
    if image.mode.startswith("I") or image.mode == "F":
        values, transparent = np.asarray(image), image.info.get("transparency")
        return values, values == transparent if isinstance(transparent, int) else none
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        return pixels[..., :3], pixels[..., 3] == 0
    if image.mode == "1":
        # Greys are there as patterns of black and white.
        return cv2.blur(np.asarray(image.convert("L")), (3, 3)), none
    return np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB")), none


def _deep_values(file: BinaryIO) -> tuple[np.ndarray, np.ndarray]:
    """Return the same of a file with 16 bits in each of several channels, of which Pillow keeps the upper 8."""
    file.seek(0)
    pixels = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3:
        raise BadImageError("not a readable image of 16 bits")
    missing = pixels[..., 3] == 0 if pixels.shape[2] == 4 else np.zeros(pixels.shape[:2], bool)
    return pixels[..., 2::-1], missing
