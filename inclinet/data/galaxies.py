"""What a galaxy is called: its number in the Principal Galaxies Catalogue (PGC), or any other name."""

import hashlib
import re

__all__ = ["MEANINGS", "NAME_COLUMNS", "SIMULATED_PGC", "galaxy_title", "identify", "parse_pgc", "same_name"]

MEANINGS = ("pgc", "galaxy", "image", "inc", "inc_e", "inc_flg", "fon", "inc_note", "b_a")
"""What columns of a catalogue may mean; `image` names the file of a galaxy's image."""

NAME_COLUMNS = ("galaxy", "name", "objname", "objid", "sga_id", "designation", "main_id", "source_id", "id")
"""Columns that may name the galaxies of a catalogue without PGC numbers, the most telling first."""

SIMULATED_PGC = 9_000_001
"""Galaxies with this PGC number or a larger one are simulated; the real catalogue ends below 7 million."""

_NUMBER = re.compile(r"0*([1-9][0-9]{0,8})(?:\.0*)?")
_PGC = re.compile(r"pgc[\s_]*0*([1-9][0-9]{0,8})", re.IGNORECASE)


def parse_pgc(text: str, *, bare: bool = True) -> int | None:
    """Return the PGC number in texts such as `22419`, `22419.0`, `PGC22419` and `PGC 022419`, None if it is not one.

    With `bare` False, a number alone is not taken for a PGC number.
    """
    match = _PGC.fullmatch(text) or (_NUMBER.fullmatch(text) if bare else None)
    return int(match[1]) if match else None


def same_name(name: str) -> str:
    """Return a name in the spelling by which names are compared: `NGC 3368`, `ngc_3368` and `NGC3368` are the same."""
    return re.sub(r"[\s_-]+", "", name).casefold()


def identify(name: str) -> int:
    """Return the number that stands for a galaxy in arrays, int32: its PGC number, else a negative hash of its name.

    Two of 20,000 names share a number in one of eleven catalogues.
    """
    if (pgc := parse_pgc(name, bare=False)) is not None:
        return pgc
    return -1 - int.from_bytes(hashlib.sha256(same_name(name).encode()).digest()[:4]) % 2**31


def galaxy_title(pgc: int | None, name: str = "") -> str:
    """Return what people read for a galaxy: its name, else `PGC <number>`."""
    return name or (f"PGC {pgc}" if pgc and pgc > 0 else "")
