"""What the server answers about galaxies: tables of predictions with flags in words and pictures, fit for JSON."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from pydantic import Field

from inclinet.data.columns import network_columns
from inclinet.prediction.flags import FLAGS
from inclinet.records import Record
from inclinet.serve.pictures import Picture

__all__ = ["Answer", "Answers", "Flag", "Version", "make_answers"]

Cell = str | int | float | None


class Version(Record):
    """The version that answers."""

    version: str
    about: str = Field(description="What it was trained on, its tested error, and why it is not for science if not.")
    for_science: bool
    networks: list[str]
    inclinet: str = Field(description="Version of the program.")
    labelling: bool = Field(description="Whether people can label galaxies here.")


class Flag(Record):
    """A reason to doubt an answer."""

    flag: str
    meaning: str


class Answer(Record):
    """One galaxy; angles in degrees."""

    title: str = Field(description="Name of the galaxy, or of its first image.")
    inclination: float | None = Field(description="0 face-on, 90 edge-on; null where there is no answer.")
    error: float | None = Field(description="Half the width of the 68 % interval.")
    low68: float | None = Field(description="Lower end of the 68 % interval.")
    high68: float | None = Field(description="Upper end of it.")
    low95: float | None = Field(description="Lower end of the 95 % interval.")
    high95: float | None = Field(description="Upper end of it.")
    networks: dict[str, float | None] = Field(description="The answer of each network.")
    flags: list[Flag] = Field(description="Reasons to doubt it, and what they mean.")
    problem: str = Field(description="Why there is no answer, or why an image was not used.")
    picture: Picture | None = Field(description="Of the first image, if pictures are wanted.")
    row: dict[str, Cell] = Field(description="All columns, as inclinet predict writes them.")


class Answers(Record):
    """The galaxies of a request, in the order of their first images or of the catalogue."""

    version: Version
    answers: list[Answer]


_ANGLES = ("inclination", "error", "low68", "high68", "low95", "high95")


def make_answers(table: pd.DataFrame, pictures: Mapping[str, Picture]) -> list[Answer]:
    """Return the answers that a table of galaxies holds.

    Parameters
    ----------
    table : DataFrame
        As `inclinet.prediction.galaxies.by_galaxy` returns it.
    pictures : mapping of str to Picture
        By the name of the image.
    """
    networks = network_columns(table)
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records"))
    return [
        Answer(
            title=row["galaxy"] or _first(row["images"]) or "galaxy",
            **{angle: row[angle] for angle in _ANGLES},
            networks={name: row[name] for name in networks},
            flags=[Flag(flag=flag, meaning=FLAGS[flag]) for flag in row["flag"].split("; ") if flag],
            problem=row["problem"],
            picture=next((pictures[name] for name in row["images"].split("; ") if name in pictures), None),
            row=row,
        )
        for row in rows
    ]


def _first(images: str) -> str:
    return images.partition("; ")[0]
