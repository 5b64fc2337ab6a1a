"""What people say of galaxies, and the catalogue that it becomes."""

import json
import logging
import math
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from inclinet.data.inclination import MIN_INCLINATION
from inclinet.errors import InclinetError
from inclinet.records import Record
from inclinet.simulation.catalogue import catalogue_text
from inclinet.storage.atomic import write_text

__all__ = ["REASONS", "Judged", "Label", "LabelBook", "Reason", "combine", "scatter"]

logger = logging.getLogger(__name__)

Reason = Literal["face_on", "merger", "irregular", "star", "bad_image", "ambiguous"]
REASONS: dict[Reason, str] = {
    "face_on": "nearly face-on: below 45°",
    "merger": "merging, or several galaxies",
    "irregular": "no disc: irregular or elliptical",
    "star": "a star on it, or no galaxy",
    "bad_image": "the image is bad",
    "ambiguous": "cannot tell",
}
"""Reasons to reject a galaxy, by the tag that they leave in `inc_note`."""

_PERSON = 2.6  # deg: the error of one judgement, "people agree with each other to about 2.6 deg RMS"
_WEIGHT = 2  # judgements that this prior counts for


class Label(Record, defer_build=False):  # else FastAPI warns of its own alias
    """What one person says of one galaxy: an inclination or a reason to reject it."""

    galaxy: str = Field(min_length=1, max_length=200, description="Identifier of the galaxy.")
    person: str = Field(min_length=1, max_length=40, description="Who says so.")
    inclination: float | None = Field(None, ge=MIN_INCLINATION, le=90, description="Degrees.")
    reason: Reason | None = Field(None, description="Why the galaxy is rejected.")
    note: str = Field("", max_length=200)
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @field_validator("person", "note")
    @classmethod
    def _in_one_cell(cls, text: str) -> str:
        """Return the text without what would end a line or a cell of a catalogue."""
        return " ".join(text.replace("|", "/").split())

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Label":
        if not self.person:
            raise ValueError("say who you are")
        if (self.inclination is None) == (self.reason is None):
            raise ValueError("give an inclination, or a reason to reject the galaxy")
        return self


class Judged(Record):
    """A galaxy that can be judged: its PGC number, if known, and its name."""

    pgc: int | None
    name: str


def scatter(inclinations: list[float]) -> float:
    """Return the error (deg) of the mean of what people say of one galaxy.

    The variance of their judgements, with a prior of 2.6 deg that counts for two of them, over their number. So two
    people who happen to agree are not taken for certain, and one alone has an error of 2.6 deg.
    """
    n = len(inclinations)
    mean = sum(inclinations) / n
    squares = sum((one - mean) ** 2 for one in inclinations)
    return math.sqrt((_WEIGHT * _PERSON**2 + squares) / (_WEIGHT + n - 1) / n)


def combine(galaxy: Judged, labels: Iterable[Label]) -> dict[str, str]:
    """Return the row of the catalogue for a galaxy, from one label of each person.

    Half of the people or more who reject it flag it, `F` in `fon` if their most frequent reason is that it is face-on.
    """
    labels = list(labels)
    given = [one.inclination for one in labels if one.inclination is not None]
    reasons = Counter(one.reason for one in labels if one.reason is not None)
    tags = [f"[{reason}]" for reason, _ in reasons.most_common()]
    is_rejected = reasons.total() >= len(given)
    if is_rejected:
        cells = {"inc": "0", "inc_e": "0", "inc_flg": "1"}
        # A tag in the note makes a galaxy face-on, as readers of catalogues take it.
        is_face_on = reasons.most_common(1)[0][0] == "face_on"
        tags = tags if is_face_on else [tag for tag in tags if tag != "[face_on]"]
    else:
        cells = {"inc": f"{sum(given) / len(given):.1f}", "inc_e": f"{scatter(given):.1f}", "inc_flg": "0"}
        is_face_on = False
    notes = dict.fromkeys(one.note.replace("face_on", "face-on") for one in labels if one.note)
    return {
        "pgc": str(galaxy.pgc or ""),
        "galaxy": galaxy.name.replace("|", "/"),
        "fon": "F" if is_face_on else "",
        **cells,
        "inc_n": str(len(labels)),
        "inc_note": " ".join([*tags, *notes]),
    }


class LabelBook:
    """All labels, in a file with a line for each beside the catalogue that they become. Safe for threads.

    Parameters
    ----------
    catalogue : Path
        Written anew with each label; the lines are in the file of the same name that ends in `.jsonl`.
    galaxies : mapping of str to Judged
        By identifier.

    Raises
    ------
    InclinetError
        When the catalogue exists without its lines: it is not one that this wrote.
    """

    def __init__(self, catalogue: Path, galaxies: Mapping[str, Judged]) -> None:
        self.catalogue, self._lines = catalogue, catalogue.with_suffix(".jsonl")
        if catalogue.exists() and not self._lines.exists():
            raise InclinetError(
                f"{catalogue}: exists, and holds no labels of this program; name another file", setting="out"
            )
        self._galaxies = dict(galaxies)
        self._lock = threading.Lock()
        self._labels: dict[str, dict[str, Label]] = {}
        for label in _read_lines(self._lines):
            self._keep(label)

    def _keep(self, label: Label) -> None:
        self._labels.setdefault(label.galaxy, {})[label.person] = label

    def add(self, label: Label) -> None:
        """Keep a label, in place of an earlier one of the same person, and write the catalogue.

        Raises
        ------
        InclinetError
            When there is no such galaxy.
        """
        if label.galaxy not in self._galaxies:
            raise InclinetError(f"there is no galaxy {label.galaxy!r} to label")
        with self._lock:
            with self._lines.open("a") as file:
                file.write(f"{label.model_dump_json()}\n")
            self._keep(label)
            write_text(self.catalogue, self.text())

    def text(self) -> str:
        """Return the catalogue: one row for each galaxy that has a label."""
        rows = [
            combine(self._galaxies[galaxy], labels.values())
            for galaxy, labels in self._labels.items()
            if galaxy in self._galaxies
        ]
        return catalogue_text(rows) if rows else ""

    def label_of(self, galaxy: str, person: str) -> Label | None:
        """Return what a person has said of a galaxy."""
        return self._labels.get(galaxy, {}).get(person)

    def done(self, person: str) -> int:
        """Return how many of the galaxies a person has judged."""
        return sum(person in self._labels.get(galaxy, {}) for galaxy in self._galaxies)


def _read_lines(path: Path) -> list[Label]:
    """Return the labels in a file; a line that was cut off by a crash is left out."""
    found = []
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        try:
            found.append(Label.model_validate(json.loads(line)))
        except (ValueError, ValidationError):
            logger.warning("%s: line %d is no label; left out", path, number)
    return found
