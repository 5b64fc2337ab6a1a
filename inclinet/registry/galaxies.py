"""Which galaxies a version was trained on: a table beside its networks, and what follows for other versions."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.data.galaxies import SIMULATED_PGC
from inclinet.data.samples import Samples
from inclinet.errors import InclinetError
from inclinet.training.start import StartRecord

__all__ = ["GALAXIES_FILE", "read_galaxies", "write_galaxies"]

GALAXIES_FILE = "galaxies.csv"
"""Name of the table: PGC number, whether it is simulated (1 or 0), and how many of its images were in the training set
(0 if only a network that the training started from has seen it)."""


def write_galaxies(path: Path, train: Mapping[str, Samples], starts: Iterable[StartRecord]) -> Path | None:
    """Write which galaxies networks were trained on; returns `path`, None if a start makes that unknown.

    Parameters
    ----------
    path : Path
    train : mapping of stored band to Samples
        The training set of subsample 0. It counts as a whole: what is left out chooses snapshots and error bars.
    starts : iterable of StartRecord
        What the networks were started from.
    """
    seen = [start.galaxies for start in starts]
    if any(galaxies is None for galaxies in seen):
        return None
    images = np.concatenate([*(sample.pgcs for sample in train.values()), np.empty(0, int)]).astype(int)
    counts = pd.Series(images).value_counts()
    pgcs = np.unique(np.concatenate([images, *(np.array(galaxies, int) for galaxies in seen)]))
    table = pd.DataFrame({"pgc": pgcs, "simulated": (pgcs >= SIMULATED_PGC).astype(int)})
    table["images"] = table["pgc"].map(counts).fillna(0).astype(int)
    table.to_csv(path, index=False)
    return path


def read_galaxies(path: Path) -> set[int] | None:
    """Return the PGC numbers in a table of galaxies, None if there is no such file.

    Raises
    ------
    InclinetError
        When it is no such table.
    """
    if not path.is_file():
        return None
    try:
        return set(pd.read_csv(path, usecols=["pgc"], dtype=np.int64)["pgc"].tolist())
    except (ValueError, pd.errors.ParserError) as error:
        raise InclinetError(f"{path}: not a table of galaxies ({error})") from None
