"""The galaxies of a folder that people are asked about, those first about which the networks are least certain."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.data.bands import COLOUR_LETTER
from inclinet.data.columns import network_columns
from inclinet.data.filenames import split_band
from inclinet.data.galaxies import same_name
from inclinet.errors import InclinetError
from inclinet.prediction.folders import list_images
from inclinet.prediction.galaxies import by_galaxy
from inclinet.prediction.predictor import Predictor
from inclinet.prediction.source import Source
from inclinet.progress import Track, silent
from inclinet.serve.labels import Judged
from inclinet.storage.store import FolderStore

__all__ = ["Candidate", "find_candidates"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A galaxy to be judged.

    Attributes
    ----------
    galaxy : Judged
    image : Source
        The one that people see: in colour, if there is such.
    doubt : float
        How far the networks are from certain, deg.
    """

    galaxy: Judged
    image: Source
    doubt: float


def find_candidates(folder: Path, predictor: Predictor, track: Track = silent) -> dict[str, Candidate]:
    """Return the galaxies of a folder by identifier, in the order in which people are asked.

    Doubt is the range of the networks' answers, or the error bar, if that is larger: it grows with the disagreement of
    the networks, of the orientations of an image, and of the images of a galaxy.

    Raises
    ------
    InclinetError
        When the folder holds no image that can be used.
    """
    if not folder.is_dir():
        raise InclinetError(f"{folder}: no such folder of images", setting="label")
    sources = [_named(one) for one in list_images(FolderStore(folder), "", str(folder))]
    table = predictor.predict(sources, per_image=True, track=track)
    shown: dict[str, Source] = {}
    for one, problem in zip(sources, table["problem"].tolist(), strict=True):
        if problem:
            logger.warning("%s: %s", one.name, problem)
        elif (key := _identifier(one.pgc, one.galaxy)) not in shown or one.band == COLOUR_LETTER:
            shown[key] = one
    galaxies = by_galaxy(table, predictor.calibration)
    doubts = _doubts(galaxies)
    found = [
        (_identifier(None if pd.isna(pgc) else int(pgc), name), doubt)
        for pgc, name, doubt in zip(galaxies["pgc"], galaxies["galaxy"], doubts.tolist(), strict=True)
    ]
    ranked = sorted(((key, doubt) for key, doubt in found if key in shown), key=lambda each: (-each[1], each[0]))
    if not ranked:
        raise InclinetError(f"{folder}: no image of this folder can be used", setting="label")
    return {
        key: Candidate(Judged(pgc=shown[key].pgc, name=shown[key].galaxy), shown[key], round(doubt, 2))
        for key, doubt in ranked
    }


def _named(image: Source) -> Source:
    """Return an image with a name of its galaxy: that of its file, without the band."""
    if image.galaxy:
        return image
    return replace(image, galaxy=split_band(image.key.rpartition("/")[2])[0])


def _identifier(pgc: int | None, name: str) -> str:
    return f"pgc{pgc}" if pgc else same_name(name)


def _doubts(galaxies: pd.DataFrame) -> np.ndarray:
    answers = galaxies[network_columns(galaxies)].to_numpy(float)
    with np.errstate(invalid="ignore"):
        spread = answers.max(axis=1) - answers.min(axis=1)
    columns = np.column_stack([spread, galaxies["error"].to_numpy(float), galaxies["disagreement"].to_numpy(float)])
    return np.nan_to_num(columns, nan=0.0).max(axis=1)
