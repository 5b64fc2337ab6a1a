"""Images in FITS files: which extension, which planes, plain or compressed."""

import io
import warnings
import zlib
from typing import Any

import numpy as np

from inclinet.data.content import BadImageError, BlankImageError

__all__ = ["is_fits", "read_fits"]

_FITS, _GZIP = b"SIMPLE  =", b"\x1f\x8b"
_MAX_BYTES = 400 * 2**20  # of an unpacked file, and of the pixels of an image
_WAVELENGTHS = "ugrizy"  # bands in order
_COLOURS = 3
_MAX_PLANES = 6
# Extensions that are no pictures of the sky.
_OTHERS = ("ERR", "DQ", "MASK", "WHT", "WEIGHT", "VAR", "IVAR", "INVVAR", "PSF", "MODEL", "CTX", "EXP", "SIGMA", "BKG")


def is_fits(start: bytes) -> bool:
    """Return whether a file with these first bytes is FITS, or packed by gzip, in which no other image comes."""
    return start.startswith((_FITS, _GZIP))


def read_fits(content: bytes, max_side: int) -> np.ndarray:
    """Return the image in a FITS file: of the first extension that holds one and is not called ERR, MASK or the like.

    Parameters
    ----------
    content : bytes
        Of the file, plain or packed by gzip; images may be tile-compressed (`.fz`).
    max_side : int
        Largest side (pixels).

    Returns
    -------
    ndarray, shape (height, width) or (height, width, 3), first row on top
        uint8 as in the file; all others as floats, NaN where data are missing. Of a cube of three to six bands, the
        reddest, the middle and the bluest in the order R, G, B. The keyword BANDS (`grz`), or BAND0, BAND1, …, tells
        the bands; without, cubes of bytes are in the order R, G, B, and others in that of the wavelengths.

    Raises
    ------
    BadImageError
        When it is damaged, holds no image, or one that is too large.
    """
    is_packed = content.startswith(_GZIP)
    if is_packed:
        content = _unpack(content)
    if not content.startswith(_FITS):
        raise BadImageError("packed by gzip, but not a FITS file" if is_packed else "not a readable FITS file")
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A truncated file is one in which pixels are missing, and astropy only warns.
            warnings.filterwarnings("error", message=".*truncated")
            with fits.open(io.BytesIO(content), memmap=False) as hdus:
                hdu = _choose(hdus)
                _check_size(hdu, max_side)
                values = _values(hdu)
    except BadImageError:
        raise
    except Exception as error:  # on damaged files, astropy raises nearly anything
        raise BadImageError(f"not a readable FITS file ({type(error).__name__}: {error})") from error
    return np.ascontiguousarray(_in_channels(values, hdu.header)[::-1])


def _unpack(content: bytes) -> bytes:
    unpacked = b""
    while content.startswith(_GZIP):  # of several members, one behind the other
        unpacking = zlib.decompressobj(wbits=31)
        try:
            unpacked += unpacking.decompress(content, _MAX_BYTES + 1 - len(unpacked))
        except zlib.error as error:
            raise BadImageError(f"packed by gzip, but damaged ({error})") from None
        if len(unpacked) > _MAX_BYTES:
            raise BadImageError(f"unpacks to more than {_MAX_BYTES >> 20} MiB: too large for a cutout")
        if not unpacking.eof:
            raise BadImageError("packed by gzip, but cut off")
        content = unpacking.unused_data
    return unpacked


def _choose(hdus: Any) -> Any:
    """Return the extension with the image of the sky."""
    images = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2]
    if not images:
        raise BlankImageError("a FITS file without an image in any of its extensions")
    return next((hdu for hdu in images if not hdu.name.upper().startswith(_OTHERS)), images[0])


def _check_size(hdu: Any, max_side: int) -> None:
    shape = hdu.shape
    if max(shape) > max_side:
        raise BadImageError(f"{'×'.join(map(str, shape[::-1]))} pixels: no side may be longer than {max_side}")
    if int(np.prod(shape)) * abs(hdu.header["BITPIX"]) // 8 > _MAX_BYTES:
        raise BadImageError("too many pixels for a cutout")


def _values(hdu: Any) -> np.ndarray:
    """Return the pixels of an extension, uint8 or floats, NaN where data are missing."""
    blank, values = hdu.header.get("BLANK"), np.asarray(hdu.data)
    if values.dtype == np.uint8 and blank is None:
        return values
    if values.dtype.kind not in "iuf":
        raise BadImageError(f"pixels of type {values.dtype}")
    converted = values.astype(float)
    if values.dtype.kind in "iu" and blank is not None:
        converted[values == blank] = np.nan
    return converted


def _in_channels(values: np.ndarray, header: Any) -> np.ndarray:
    """Return an image or a cube as (height, width) or (height, width, 3)."""
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.ndim == 2:
        return values
    if values.ndim == 3 and values.shape[2] == _COLOURS < values.shape[0]:
        values = np.moveaxis(values, 2, 0)
    if values.ndim != 3 or not _COLOURS <= len(values) <= _MAX_PLANES:
        shape = "×".join(map(str, values.shape[::-1]))
        raise BadImageError(f"a cube of {shape} values: give one image, or a cube of three to six bands")
    order = _red_to_blue(len(values), header, values.dtype == np.uint8)
    return np.moveaxis(values[order], 0, -1)


def _red_to_blue(planes: int, header: Any, picture: bool) -> list[int]:
    """Return the places of the reddest, the middle and the bluest plane of a cube."""
    bands = [str(header.get(f"BAND{k}", "")).strip().lower()[-1:] for k in range(planes)]
    if not all(bands):
        bands = list(str(header.get("BANDS", "")).strip().lower())
    order = list(range(planes)) if picture else list(range(planes))[::-1]
    if len(bands) == planes == len(set(bands)) and set(bands) <= set(_WAVELENGTHS):
        order = sorted(range(planes), key=lambda k: _WAVELENGTHS.index(bands[k]), reverse=True)
    return [order[0], order[planes // 2], order[-1]]
