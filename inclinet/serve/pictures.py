"""The picture of a galaxy as pages show it, and the measured ellipse on it."""

import io

import numpy as np
from PIL import Image
from pydantic import Field

from inclinet.data.images import jpeg, open_image, square
from inclinet.data.padding import fill_padding
from inclinet.figures.inline import data_address
from inclinet.geometry.shape import NOT_FOUND, measure_shape
from inclinet.records import Record

__all__ = ["Ellipse", "Picture", "make_picture"]

_SIDE = 420  # pixels
_MEASURED = 256  # pixels; the shape is measured at 128


class Ellipse(Record):
    """The measured isophote. Lengths are in widths of the picture, from its upper left corner."""

    x: float
    y: float
    semi_major: float
    semi_minor: float
    position_angle: float = Field(description="Of the major axis, deg from the x axis towards the y axis (down).")


class Picture(Record):
    """A square JPEG, whatever the format of the image was."""

    name: str = Field(description="Of the image.")
    data: str = Field(description="As a data URI.")
    ellipse: Ellipse | None = Field(description="None where no galaxy was found.")


def make_picture(name: str, content: bytes, side: int = _SIDE) -> Picture:
    """Return the picture of an image, with the ellipse of its galaxy.

    Raises
    ------
    BadImageError
        When the image cannot be used.
    """
    whole = square(open_image(io.BytesIO(content), colour=True, at_least=side))
    whole.thumbnail((side, side), Image.Resampling.BICUBIC)
    small = whole.copy()
    small.thumbnail((_MEASURED, _MEASURED), Image.Resampling.BILINEAR)
    shape = measure_shape(np.asarray(fill_padding(small)))
    width = small.width
    ellipse = None
    if shape.problem != NOT_FOUND:
        ellipse = Ellipse(
            x=round((shape.x + 0.5) / width, 4),
            y=round((shape.y + 0.5) / width, 4),
            semi_major=round(shape.semi_major / width, 4),
            semi_minor=round(shape.semi_major * shape.axis_ratio / width, 4),
            position_angle=round(shape.position_angle, 1),
        )
    return Picture(name=name, data=data_address(jpeg(whole).getvalue(), "jpeg"), ellipse=ellipse)
