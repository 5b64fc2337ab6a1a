"""Galaxies that are given by name or position: their images are fetched from an image server."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from inclinet.cutouts.settings import Cutouts
from inclinet.data.bands import COLOUR_LETTER
from inclinet.data.filenames import is_image
from inclinet.data.galaxies import parse_pgc
from inclinet.errors import InclinetError
from inclinet.prediction.catalogues import is_catalogue
from inclinet.prediction.source import Source
from inclinet.storage.store import FolderStore

if TYPE_CHECKING:
    from inclinet.cutouts.fetch import Cutout

__all__ = ["fetch_source", "is_galaxy_name", "with_cutout"]

_NAME = re.compile(r"\d?[A-Za-z]+[A-Za-z\s_]*[\d+.-][\w\s+.-]*")


def is_galaxy_name(text: str) -> bool:
    """Return whether a text is a galaxy's name, such as `NGC 2841`, and no path: there is nothing of that name."""
    path = Path(text)
    is_path = "/" in text or "\\" in text or os.path.lexists(text) or is_image(text) or is_catalogue(path)
    return not is_path and _NAME.fullmatch(text.strip()) is not None


def fetch_source(
    galaxy: str, *, size: str = "", survey: str = "", what: Cutouts | None = None, alone: bool = True
) -> Source:
    """Fetch the colour image of a galaxy.

    Parameters
    ----------
    galaxy : str
        Its name, or its position, such as `140.51,50.98`.
    size : str
        Its diameter D25, such as `8.1arcmin`; by default that of its name in SIMBAD.
    survey : str
        Name of the survey; by default that of `inclinet cutouts`.
    what : Cutouts, optional
        How the servers are asked.
    alone : bool
        Whether it is an error if there is no image; otherwise, the source has a `problem`.

    Raises
    ------
    InclinetError
        When there is no image, with the reason.
    """
    # Here, as few predictions need it.
    from inclinet.cutouts.fetch import fetch_one

    nowhere, pgc = FolderStore(Path()), parse_pgc(galaxy, bare=False)
    try:
        cutout = fetch_one(galaxy, size=size or None, survey=survey, what=what)
    except InclinetError as error:
        if alone:
            raise
        return Source("", nowhere, "", pgc, galaxy, problem=str(error))
    return with_cutout(Source("", nowhere, "", pgc, galaxy), cutout)


def with_cutout(image: Source, cutout: "Cutout") -> Source:
    """Return the source of a colour image that was fetched."""
    name = f"{cutout.row.survey}: {cutout.row.file}"
    return replace(image, name=name, band=COLOUR_LETTER, content=cutout.content)
