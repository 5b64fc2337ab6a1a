"""Names of cutouts and of their table."""

import re

from inclinet.data.bands import COLOUR
from inclinet.data.galaxies import parse_pgc

__all__ = ["CUTOUTS_FILE", "JOURNAL_FILE", "cutout_file", "root_of", "stem_of"]

CUTOUTS_FILE = "cutouts.csv"
"""Table of a folder of cutouts: a row for each galaxy and band."""

JOURNAL_FILE = ".cutouts-journal.csv"
"""The rows of a run that is not finished, in the order in which they were fetched."""


def stem_of(pgc: str, name: str) -> str:
    """Return the first part of the name of a galaxy's cutouts, empty if the galaxy has neither number nor name.

    Parameters
    ----------
    pgc : str
        PGC number as catalogues spell it: ``22419``, ``22419.0``, ``PGC 022419``; may be empty.
    name : str
        Any other name, for galaxies without a PGC number; characters that file names cannot have are left out.
    """
    number = parse_pgc(pgc.strip()) or parse_pgc(name.strip(), bare=False)
    if number:
        return f"pgc{number}"
    return re.sub(r"[^A-Za-z0-9.+-]", "", name).strip(".")


def root_of(width: float, turned: bool) -> str:
    """Return the middle part of a cutout's name: ``d25x2_rot`` for one 2 D25 wide whose major axis is level."""
    return f"d25x{width:g}{'_rot' if turned else ''}"


def cutout_file(stem: str, root: str, band: str, from_sdss: bool) -> str:
    """Return the name of a cutout's file; `from_sdss` says whether SDSS's own image server painted the picture."""
    if band != COLOUR:
        return f"{stem}_{root}_{band}.png"
    return f"{stem}_{root}_{band}{'.sdss' if from_sdss else ''}.jpg"
