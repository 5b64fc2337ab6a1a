"""The flags of a prediction, and those that follow from the shape of the galaxy."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from inclinet.evaluation.flags import NEARLY_FACE_ON, UNLIKE, flags_of_shape
from inclinet.geometry.contradiction import FLATTER, ROUNDER
from inclinet.geometry.shape import HIDDEN, LARGER, NOT_FOUND, Shape

__all__ = ["FLAGS", "IMAGE_NOT_USED", "SHAPE", "add_shapes"]

IMAGE_NOT_USED = "image not used"

FLAGS = {
    NEARLY_FACE_ON: "may well be below 45 deg, where the networks were not trained",
    UNLIKE: "another field of view, another kind of image, or no galaxy",
    ROUNDER: "no disc of that inclination is as round: a large bulge, a thick disc, or a star or companion on it",
    FLATTER: "no disc of that inclination is as flat: a bar, or a star or companion beside it",
    "likely a bulge": "the bright part of the galaxy is much rounder than the whole, which makes it look rounder",
    "likely a bar": "the bright part of the galaxy is flatter than the whole, or points elsewhere",
    "likely a star": "something bright and compact on the galaxy or close to it",
    "likely a companion": "another galaxy on it or close to it",
    NOT_FOUND: "nothing stands out from the sky near the centre; the image was taken as it is framed",
    HIDDEN: "a part of the galaxy lies where the image shows no sky; it was filled",
    LARGER: "the image shows only the inner part of the galaxy; a wider one gives a better answer",
    "band not trained on": "the version was trained on other bands",
    "band guessed": "the file name does not tell the band; only the band column depends on it",
    "no error bar": "the version has too few left-out galaxies to calibrate error bars",
    IMAGE_NOT_USED: "an image of the galaxy cannot be used; the column `problem` says why",
    "not predicted": "the image is missing or cannot be used; the column `problem` says why",
}
"""The flags of a prediction, and what they mean."""

SHAPE = ["axis_ratio", "position_angle"]
"""Columns of the shape of a galaxy."""


def add_shapes(predicted: pd.DataFrame, shapes: Sequence[Shape | None]) -> pd.DataFrame:
    """Return predictions with the shapes of the galaxies, and flags where a shape speaks against the answer.

    Parameters
    ----------
    predicted : DataFrame
        `inclination`, `error` (deg) and `flag` (lists of keys of `FLAGS`).
    shapes : sequence of Shape or None
        None where the shape was not measured.

    Returns
    -------
    DataFrame
        With the columns `axis_ratio` and `position_angle` (deg, from the x axis towards the y axis, which runs
        downwards), NaN where not measured.
    """
    answers = predicted[["inclination", "error"]].to_numpy(float).tolist()
    rows = zip(predicted["flag"], shapes, answers, strict=True)
    flags = [[*found, *(flags_of_shape(shape, *answer) if shape else [])] for found, shape, answer in rows]
    return predicted.assign(
        axis_ratio=np.array([shape.axis_ratio if shape else np.nan for shape in shapes]).round(3),
        position_angle=np.array([shape.position_angle if shape else np.nan for shape in shapes]).round(1),
        flag=pd.Series(flags, predicted.index, object),
    )
