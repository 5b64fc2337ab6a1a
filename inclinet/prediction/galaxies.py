"""One answer per galaxy, from the table of its images."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from inclinet.data.columns import network_columns
from inclinet.data.galaxies import same_name
from inclinet.evaluation.calibration import ESTIMATES, Calibration
from inclinet.evaluation.galaxies import pool_images
from inclinet.prediction.flags import IMAGE_NOT_USED

__all__ = ["by_galaxy", "title_of"]

_SINES = ["sin_i", "log_1_sin_i", "log_1_sin_i_low", "log_1_sin_i_high"]


class _Image(NamedTuple):
    """What the row of an image says in words."""

    image: str
    band: str
    flag: str
    problem: str


def by_galaxy(table: pd.DataFrame, calibration: Calibration | None) -> pd.DataFrame:
    """Return one row for each galaxy, in the order of their first images.

    Parameters
    ----------
    table : DataFrame
        One row per image, as `inclinet.prediction.predictor.Predictor.predict` returns with `per_image`. Each row of a
        catalogue is a galaxy of its own, and so is an image whose galaxy is not known.
    calibration : Calibration or None
        That of the version that predicted.

    Returns
    -------
    DataFrame
        `galaxy` and `pgc`; `images` and `bands`, names separated by `; `; `n_images`, the number of those with an
        answer; the inclination, its error and intervals, and `disagreement` (deg), as
        `inclinet.evaluation.galaxies.pool_images` returns them; `sin_i`; `log_1_sin_i`, log10(1/sin i), and the ends of
        its 68 % interval, `log_1_sin_i_low` and `log_1_sin_i_high`; the medians of the networks and of `axis_ratio`;
        `flag`, those of all images with an answer; `problem`, why images have none. Other columns have their first
        value.
    """
    galaxies = _number_galaxies(table)
    networks = [name for name in network_columns(table) if pd.api.types.is_numeric_dtype(table[name])]
    numbers = [*ESTIMATES, *networks, "axis_ratio"]
    pooled = pool_images(table[numbers], galaxies, table["band"], calibration)
    pooled = pooled.round(dict.fromkeys([*ESTIMATES, *networks, "disagreement"], 2) | {"axis_ratio": 3})
    images: dict[int, list[_Image]] = {}
    for galaxy, *image in zip(galaxies.tolist(), *(table[name] for name in _Image._fields), strict=True):
        images.setdefault(galaxy, []).append(_Image(*image))
    texts = pd.DataFrame(
        [_texts(rows) for rows in images.values()], pooled.index, ["images", "bands", "flag", "problem"]
    )
    shared = table.drop(columns=[*numbers, *_Image._fields, "position_angle"]).groupby(galaxies, sort=False).first()
    rows = pd.concat([shared, texts, _with_sines(pooled)], axis=1)
    first = ["galaxy", "pgc", "images", "bands", "n_images", *ESTIMATES, "disagreement", *_SINES, *networks]
    order = dict.fromkeys([*first, "axis_ratio", "flag", "problem", *shared.columns])
    result = rows[list(order)].reset_index(drop=True)
    result.attrs = table.attrs
    return result


def title_of(galaxy: str, images: str) -> str:
    """Return what an answer is headed with: the name of its galaxy, or else that of its first image's file."""
    return galaxy or images.partition("; ")[0].rpartition("/")[2]


def _number_galaxies(table: pd.DataFrame) -> np.ndarray:
    """Return a number for the galaxy of each image, in order of first appearance; int (N,)."""
    lines = table["row"].tolist() if "row" in table else [pd.NA] * len(table)
    keys: list[tuple] = []
    for number, (line, pgc, name) in enumerate(zip(lines, table["pgc"].tolist(), table["galaxy"], strict=True)):
        which = same_name(name) if pd.isna(pgc) else pgc
        keys.append((None if pd.isna(line) else line, which) if which else ("image", number))
    return pd.factorize(pd.Series(keys, dtype=object))[0]


def _with_sines(pooled: pd.DataFrame) -> pd.DataFrame:
    """Add sin i, and log10(1/sin i) with its interval; it falls with i, so that its lower end is that of high68."""
    sines = np.sin(np.radians(pooled[["inclination", "high68", "low68"]].clip(lower=0)))
    with np.errstate(divide="ignore"):  # an interval that reaches 0 deg leaves the correction unbounded
        logs = -np.log10(sines)
    columns = [sines["inclination"], *(logs[name] for name in logs)]
    return pooled.assign(**{name: column.round(5) for name, column in zip(_SINES, columns, strict=True)})


def _texts(images: list[_Image]) -> tuple[str, str, str, str]:
    """Return the names, bands, flags and problems of the images of a galaxy."""
    answered = [image for image in images if not image.problem]
    flags = [flag for image in answered or images for flag in image.flag.split("; ")]
    if 0 < len(answered) < len(images):
        flags.append(IMAGE_NOT_USED)
    reasons = [_reason(image, alone=len(images) == 1) for image in images if image.problem]
    return _join(image.image for image in images), _join(image.band for image in images), _join(flags), _join(reasons)


def _reason(image: _Image, *, alone: bool) -> str:
    return image.problem if alone else f"{image.image.rpartition('/')[2]}: {image.problem}"


def _join(texts: Iterable[str]) -> str:
    """Join the texts that are not empty, each once."""
    return "; ".join(dict.fromkeys(filter(None, texts)))
