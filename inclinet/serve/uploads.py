"""Files that come from outside: read in memory, within bounds, and looked at before anything unpacks them."""

import io
import re
import unicodedata
import warnings
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from PIL import Image
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from inclinet.data.filenames import IMAGE_FORMATS
from inclinet.serve.settings import Serve

__all__ = ["CATALOGUES", "Upload", "find_problem", "read_form"]

CATALOGUES = (".csv", ".tsv", ".txt", ".dat")
"""What the names of catalogues end in. Other tables than text unpack to any size, and may name files and addresses."""

_LONGEST_NAME = 150
_MOST_EXTENSIONS = 32  # of a FITS file
_GZIP, _FITS = b"\x1f\x8b", b"SIMPLE  ="
_PICTURES = tuple(name for name in IMAGE_FORMATS if name != "FITS")
_KNOWN = f"give {', '.join(IMAGE_FORMATS)}, or a catalogue as text ({', '.join(CATALOGUES)})"


@dataclass(frozen=True)
class Upload:
    """A file that was uploaded: its name, without any folder, and its content."""

    name: str
    content: bytes

    @property
    def is_catalogue(self) -> bool:
        """Whether its name is that of a catalogue."""
        return self.name.lower().endswith(CATALOGUES)


class _InMemory(MultiPartParser):
    """Keeps what it reads in memory, which the length of the request bounds: no file is ever written."""

    spool_max_size = 2**31


async def read_form(request: Request, settings: Serve) -> tuple[list[Upload], dict[str, str]]:
    """Return the files of a request, each under a name of its own, and its other fields.

    Raises
    ------
    HTTPException
        When it is no form, holds no file, too many files or fields, or ends early.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise HTTPException(415, "send the files as a form, multipart/form-data, in the field `files`")
    parser = _InMemory(
        request.headers, request.stream(), max_files=settings.max_images + 1, max_fields=20, max_part_size=2**16
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "Too many files" in error.message:
            raise HTTPException(413, f"more than {settings.max_images} images: send them in several requests") from None
        raise HTTPException(400, f"the form cannot be read: {error.message}") from None
    files: list[tuple[str, bytes]] = []
    fields: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files.append((value.filename or "", await value.read()))
        else:
            fields[name] = value
    await form.close()
    if not files:
        raise HTTPException(422, f"there is no file in the form; {_KNOWN}")
    names: set[str] = set()
    return [Upload(_own_name(name, names), content) for name, content in files], fields


def _own_name(given: str, taken: set[str]) -> str:
    """Return a name without folders and control characters, that no other file has."""
    last = PurePosixPath(given.replace("\\", "/")).name
    shown = "".join(char for char in last if unicodedata.category(char)[0] != "C").replace(";", ",").strip()
    name = (shown[-_LONGEST_NAME:] or "image").lstrip(".") or "image"
    stem, dot, suffix = name.partition(".")
    for number in range(2, len(taken) + 3):
        if name not in taken:
            break
        name = f"{stem} ({number}){dot}{suffix}"
    taken.add(name)
    return name


def find_problem(content: bytes, max_pixels: int) -> tuple[bytes, str]:
    """Return an image, unpacked if it was packed by gzip, and why it is refused; an empty text if it is not.

    Only the beginning of an image is read for this, which says how large it is.

    Parameters
    ----------
    content : bytes
    max_pixels : int
        Of an image; each plane of a cube counts.
    """
    if not content:
        return content, "the file is empty"
    if content.startswith(_GZIP):
        most = 8 * max_pixels
        unpacking = zlib.decompressobj(wbits=31)
        try:
            content = unpacking.decompress(content, most)
        except zlib.error as error:
            return b"", f"packed by gzip, but damaged ({error})"
        if unpacking.unconsumed_tail:
            return b"", f"unpacks to more than {most / 2**20:,.0f} MiB: too large for a cutout"
    shape = _shape_of_fits(content) if content.startswith(_FITS) else _shape_of_picture(content)
    if isinstance(shape, str):
        return b"", shape
    if int(np.prod(shape, dtype=np.int64)) > max_pixels:
        pixels = "×".join(f"{side:,}" for side in shape)
        return b"", f"{pixels} pixels are too many: {max_pixels / 1e6:,.0f} million are the most"
    return content, ""


def _shape_of_picture(content: bytes) -> tuple[int, ...] | str:
    """Return width and height, or why there are none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=_PICTURES) as image:
                return image.size
    except Image.DecompressionBombError as error:
        size = re.search(r"\((\d+) pixels\)", str(error))
        return f"{int(size[1]):,} pixels are too many for a cutout" if size else "too many pixels for a cutout"
    except Exception:  # on damaged files, Pillow raises nearly anything
        return f"not a readable image; {_KNOWN}"


def _shape_of_fits(content: bytes) -> tuple[int, ...] | str:
    """Return the shape of the largest image, or why there is none.

    Tile-compressed images are refused: a tile may unpack to any size.
    """
    from astropy.io import fits

    shapes: list[tuple[int, ...]] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with fits.open(io.BytesIO(content), memmap=False, disable_image_compression=True) as hdus:
                for number, hdu in enumerate(hdus):
                    if number == _MOST_EXTENSIONS:
                        return f"more than {_MOST_EXTENSIONS} extensions: too many for a cutout"
                    if hdu.header.get("ZIMAGE"):
                        return "tile-compressed: unpack it first, with `funpack`"
                    if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2:
                        shapes.append(hdu.shape[::-1])
    except Exception as error:  # on damaged files, astropy raises nearly anything
        return f"not a readable FITS file ({type(error).__name__})"
    return max(shapes, key=lambda shape: np.prod(shape, dtype=float), default="a FITS file without an image")
