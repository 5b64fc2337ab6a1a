"""Small images for the networks, framed on the galaxy: what the stage prep and predicting make from an image file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from inclinet.data.content import BadImageError, check_content
from inclinet.data.images import jpeg, open_image, square
from inclinet.data.padding import brightest_channel, fill_padding
from inclinet.geometry.shape import HIDDEN, Shape, measure_shape
from inclinet.settings import Framing

__all__ = ["FIELD", "ZOOMS", "frame", "load_frames", "small_jpeg", "small_pixels", "to_small"]

FIELD = 2.3
"""Width of a frame in semi-major axes of the galaxy. The isophote of `measure_shape` has a median semi-major axis of
1.08 R25 (500 galaxies of SDSS), so a frame is about 1.25 D25 wide."""

ZOOMS = (1.0, 0.85, 0.7)
"""Widths of the frames that a prediction is the mean of, in the width of the first. An answer from several moves by a
third less when the image is padded, shifted or cropped (`benchmarks/framing.py`), and is as good."""


_HIDDEN = 0.05  # share of the galaxy
_CHANGED = 12  # of 255: the sky of a picture may be black, and filling it changes less
_INNER = 1.4  # semi-major axes around the centre in which what is hidden matters
_FILLED = 1.1  # a galaxy whose frame would be so many images wide is cut off: there is one frame, the image


def frame(image: Image.Image, shape: Shape, size: int, zoom: float = 1.0) -> Image.Image:
    """Return the part of a square image that shows the galaxy, resampled (antialiased) to size × size pixels.

    The frame is `zoom` times `FIELD` semi-major axes wide, but never reaches beyond the image: made-up sky around a
    galaxy that fills its image misleads the networks (3.45 instead of 3.05 deg RMS). An image that the galaxy more than
    fills is its own frame for every zoom: a narrower one shows too little of the galaxy.
    """
    side, wanted = image.width, FIELD * shape.semi_major
    width = min(wanted, side) * (zoom if wanted < _FILLED * side else 1)
    left, upper = (float(np.clip(centre + 0.5 - width / 2, 0, side - width)) for centre in (shape.x, shape.y))
    box = (left, upper, left + width, upper + width)
    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)


def to_small(
    source: Path | BinaryIO, size: int, colour: bool | None, framing: Framing = "given"
) -> tuple[Image.Image, Shape | None]:
    """Open an image, pad it to a square, frame it and resample it (antialiased) to size × size pixels.

    Parameters
    ----------
    source, colour
        As for `inclinet.data.images.open_image`.
    size : int
    framing : {'measured', 'given'}
        Frame the galaxy as measured, or keep the frame of the image.

    Returns
    -------
    image : Image
    shape : Shape or None
        The shape of the galaxy, in pixels of the opened image; None with the frame of the image.

    Raises
    ------
    BadImageError
        When the image cannot be used.
    """
    (image,), shape = _framed(source, size, colour, framing, (1.0,))
    return image, shape


def small_jpeg(
    source: Path | BinaryIO | BadImageError, size: int, colour: bool | None, framing: Framing = "given"
) -> tuple[bytes, Shape | None] | BadImageError:
    """Do as `to_small` does; return the JPEG file and the shape, or why the image cannot be used.

    What could not even be found passes through.
    """
    if isinstance(source, BadImageError):
        return source
    try:
        image, shape = to_small(source, size, colour, framing)
    except BadImageError as error:
        return error
    return jpeg(image).getvalue(), shape


def _framed(
    source: Path | BinaryIO, size: int, colour: bool | None, framing: Framing, zooms: Sequence[float]
) -> tuple[list[Image.Image], Shape | None]:
    """Return the image in the frame of each zoom (one, with the frame of the image), and the shape as `to_small`."""
    if framing == "given":
        image = square(open_image(source, colour, at_least=2 * size))
        return [image.resize((size, size), Image.Resampling.BICUBIC)], None
    opened = open_image(source, colour, at_least=4 * size)
    image = fill_padding(opened)
    if image is not opened:
        # What shows no sky is no content: a blank tile at the edge of a survey is half black, half of one grey.
        check_content(np.asarray(image).reshape(image.width * image.height, -1))
    whole = square(image)
    shape = measure_shape(np.asarray(whole))
    if image is not opened and not shape.problem and _hidden_share(opened, image, shape) > _HIDDEN:
        shape = replace(shape, problem=HIDDEN)
    return [frame(whole, shape, size, zoom) for zoom in zooms], shape


def load_frames(
    image: tuple[BinaryIO | BadImageError, bool | None], size: int, framing: Framing
) -> tuple[np.ndarray | str, Shape | None]:
    """Do as `small_pixels` does with the source of an image and whether it is in colour; return why it can't be used.

    What could not even be opened passes through.
    """
    source, colour = image
    if isinstance(source, BadImageError):
        return str(source), None
    try:
        return small_pixels(source, size, colour, framing)
    except BadImageError as error:
        return str(error), None


def _hidden_share(opened: Image.Image, filled: Image.Image, shape: Shape) -> float:
    """Return which share of the galaxy lies where the image was filled; `shape` is that in the image made square."""
    side = max(opened.size)
    y, x = np.ogrid[: opened.height, : opened.width]
    x, y = x + (side - opened.width) // 2, y + (side - opened.height) // 2
    within = (x - shape.x) ** 2 + (y - shape.y) ** 2 < (_INNER * shape.semi_major) ** 2
    changed = brightest_channel(cv2.absdiff(np.asarray(filled), np.asarray(opened))) > _CHANGED
    return float(changed[within].mean()) if within.any() else 0.0


def small_pixels(
    source: Path | BinaryIO, size: int, colour: bool | None, framing: Framing = "given"
) -> tuple[np.ndarray, Shape | None]:
    """Return the pixels that the stages prep and compress make from an image, in the frame of each of `ZOOMS`.

    Parameters, shape and errors are those of `to_small`. With the frame of the image there is one frame.

    Returns
    -------
    pixels : ndarray of uint8, shape (frames, size, size) or (frames, size, size, 3)
    shape : Shape or None
    """
    images, shape = _framed(source, size, colour, framing, ZOOMS)
    # Compressed as JPEG, as the networks' training images were.
    return np.stack([np.asarray(Image.open(jpeg(image), formats=("JPEG",))) for image in images]), shape
