"""The settings of cutouts: one default, one set of bounds and one description for command line and flow."""

from typing import Literal

from pydantic import Field

from inclinet.records import Record
from inclinet.settings import Bands

__all__ = ["MEANINGS", "CutoutBatch", "Cutouts"]

MEANINGS = ("pgc", "galaxy", "ra", "dec", "d25", "logd25", "sma", "pa")
"""What the columns of a catalogue may mean to cutouts."""


class Cutouts(Record):
    """Which cutouts of galaxies, and how their server is asked."""

    survey: Literal["sdss", "legacy-sdss", "ls-dr10", "panstarrs"] = Field(
        "sdss",
        title="Survey",
        description="sdss: SDSS's own image server, in colour; legacy-sdss, ls-dr10: SDSS and the DESI Legacy Surveys "
        "DR10 on the Legacy Surveys' viewer; panstarrs: Pan-STARRS DR1 by HiPS, from CDS.",
    )
    bands: Bands = Field(("gri",), title="Bands", description="Bands to fetch, gri for colour.")
    width: float = Field(2.0, ge=0.5, le=10, title="Width", description="Width of a cutout, in diameters D25.")
    pixels: int = Field(512, ge=64, le=2000, title="Pixels", description="Pixels a side.")
    size: str = Field(
        "",
        title="Size",
        description="Diameter D25 of every galaxy, such as 8.1arcmin, in place of the catalogue's d25, logd25 or SMA.",
    )
    turn: bool = Field(
        True, title="Turn", description="Turn cutouts so that the major axis is level, where the catalogue has its pa."
    )
    imroot: str = Field(
        "",
        pattern=r"^[\w.+-]*$",
        title="Root of the names",
        description="Middle part of the files' names. Default: d25x2_rot, or d25x2 for one that is not turned, with "
        "the width for 2.",
    )
    url: str = Field("", title="Server", description="Address of the image server, in place of the survey's own.")
    rate: float = Field(2.0, gt=0, le=100, title="Rate", description="Requests per second, at most.")
    parallel: int = Field(4, ge=1, le=32, title="Parallel requests", description="Requests under way at the same time.")
    attempts: int = Field(5, ge=1, le=20, title="Attempts", description="How often to ask a server that is in trouble.")
    timeout: float = Field(
        60.0, gt=0, le=600, title="Time-out", description="Seconds without an answer until a request is lost."
    )
    backoff: float = Field(
        1.0, ge=0, le=60, title="Back-off", description="Seconds before the second attempt; they double each time."
    )


class CutoutBatch(Cutouts):
    """The same for the flow: also which catalogue, and where the cutouts go."""

    catalog: str = Field(
        "input/catalog.csv",
        min_length=1,
        title="Catalogue",
        description="Catalogue: a key in the artifact store, s3://bucket/key, or an absolute path that all workers can "
        "read.",
    )
    images: str = Field(
        "input/galaxies",
        min_length=1,
        title="Images",
        description="Folder that the cutouts go to: a folder in the artifact store, s3://bucket/prefix, or an absolute "
        "path that all workers can write.",
    )
    chunk: int = Field(
        200,
        ge=1,
        le=10_000,
        title="Galaxies per chunk",
        description="Galaxies that are fetched together. After a crash, only the chunk under way is repeated.",
    )
