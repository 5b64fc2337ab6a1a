"""What a training starts from: the network whose weights it takes, and the galaxies that this network has seen."""

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import Field

from inclinet.data.samples import find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.networks.filenames import parse_network
from inclinet.networks.listing import name_of_network
from inclinet.preparation.split import left_out_galaxies, left_out_side
from inclinet.records import Record, read_record
from inclinet.storage.digests import sha256
from inclinet.training.filenames import start_file

__all__ = [
    "MAY_HAVE_SEEN",
    "Start",
    "StartRecord",
    "beware",
    "check_kind",
    "check_leaks",
    "measured_galaxies",
    "read_starts",
]

MAY_HAVE_SEEN = (
    "the training started from a network of which it is not known which galaxies it was trained on: it may have seen "
    "test galaxies"
)
"""What is said of a training that cannot be checked for leaks."""


class StartRecord(Record):
    """What a network was started from; stored beside it.

    Attributes
    ----------
    version : str
        Published version that the weights are from; empty if they are from a file.
    sha256 : str
        SHA-256 of the file of the network.
    galaxies : tuple of int or None
        PGC numbers of all galaxies that it was trained on, including those of the networks that it had started from
        itself. None if they are not known.
    """

    version: str = ""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    galaxies: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Start:
    """A network to start from: its file (`.keras`), and what is recorded of it."""

    file: Path
    record: StartRecord

    @classmethod
    def of_file(cls, file: Path, version: str = "", galaxies: Iterable[int] | None = None) -> "Start":
        """Return the network in a file as a start; `version` and `galaxies` as in `StartRecord`."""
        known = None if galaxies is None else tuple(sorted(galaxies))
        return cls(file, StartRecord(version=version, sha256=sha256(file), galaxies=known))


def read_starts(networks: Iterable[Path]) -> dict[str, StartRecord]:
    """Return what networks were started from, by their names; without those that began with random weights.

    The records are read from the folder of each network.

    Raises
    ------
    InclinetError
        When one is damaged.
    """
    starts = {}
    for path in networks:
        if parsed := parse_network(path.name):
            model, subsample = parsed
            if record := read_record(StartRecord, path.with_name(start_file(subsample, model))):
                starts[name_of_network(path.name)] = record
    return starts


def beware(records: Iterable[StartRecord]) -> str:
    """Return what to say of networks that were started from these: a warning, or nothing if all is known."""
    return MAY_HAVE_SEEN if any(record.galaxies is None for record in records) else ""


def check_kind(file: Path, model: str, size: int) -> None:
    """Check that a file holds a network of an architecture and image size, without loading Keras.

    Raises
    ------
    InclinetError
        When it is missing, damaged, or holds another network.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            config = json.loads(archive.read("config.json"))["config"]
        found, shape = (
            config["name"],
            next(layer["config"]["batch_shape"] for layer in config["layers"] if layer["class_name"] == "InputLayer"),
        )
        side = int(shape[1])
    except FileNotFoundError:
        raise InclinetError(f"{file}: there is no such file to start from", setting="start") from None
    except (OSError, zipfile.BadZipFile, ValueError, LookupError, TypeError, StopIteration) as error:
        raise InclinetError(f"{file}: not a trained network ({error})", setting="start") from None
    if (found, side) != (model, size):
        raise InclinetError(
            f"{file}: holds {found} for images of {side} pixels; a training of {model} at {size} pixels cannot start "
            "from it",
            setting="start",
        )


def measured_galaxies(samples: Path, size: int, subsample: int, *, leaves_out: bool = True) -> np.ndarray:
    """Return the PGC numbers, sorted, of the galaxies that a network of a subsample is measured on.

    These are the test set and, if the network `leaves_out` any, its left-out galaxies.

    Raises
    ------
    InclinetError
        When sample files are missing or damaged.
    """
    test = read_samples(find_samples(samples, size, "test", 0), size)
    measured = [sample.pgcs for sample in test.values()]
    if leaves_out:
        left = read_samples(find_samples(samples, size, *left_out_side(subsample)), size)
        measured.append(left_out_galaxies(left, subsample))
    return np.unique(np.concatenate([*measured, np.empty(0, int)]).astype(int))


def check_leaks(record: StartRecord, measured: np.ndarray) -> None:
    """Check that none of the galaxies to measure on was seen by the network to start from, as far as that is known.

    Parameters
    ----------
    record : StartRecord
    measured : ndarray of int
        PGC numbers, as `measured_galaxies` returns them.

    Raises
    ------
    InclinetError
        When it has seen any of them.
    """
    seen = np.intersect1d(measured, np.array(record.galaxies or (), int))
    if seen.size:
        name = f"version {record.version}" if record.version else "the network to start from"
        raise InclinetError(
            f"{name} was trained on {seen.size:,} of the {measured.size:,} galaxies that this training would be tested "
            f"on or leaves out, such as PGC {seen[0]}: their errors would look too small. Start from a version that "
            "has not seen them, such as one trained on simulated galaxies, or take them out of the catalogue",
            setting="start",
        )
