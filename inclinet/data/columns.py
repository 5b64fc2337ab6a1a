"""Names of the columns in tables of predictions."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["INVERTED", "KEYS", "network_columns", "network_name", "parse_network_name", "spread_column"]

KEYS = ["pgc", "filter", "inc_m"]
"""Columns that identify an image: PGC number, letter of the band, human inclination (deg)."""

INVERTED = "inverted"
"""Column that tells whether an image is dark on a bright sky."""

_NETWORK = re.compile(r"(?P<model>[A-Za-z]\w*)_(?P<subsample>\d+)")


def network_columns(table: "pd.DataFrame") -> list[str]:
    """Return the columns of `table` that hold a network's predictions: `<model>_<subsample>`."""
    names = [name for name in table if isinstance(name, str)]
    return [name for name in names if _NETWORK.fullmatch(name) and name not in KEYS]


def network_name(model: str, subsample: int) -> str:
    """Return the name of a network's column: `model4_0` for `model4` and subsample 0."""
    return f"{model}_{subsample}"


def parse_network_name(network: str) -> tuple[str, int]:
    """Return model and subsample from the name of a network's column: `model4` and 0 from `model4_0`.

    Raises
    ------
    ValueError
        When it is not such a name.
    """
    match = _NETWORK.fullmatch(network)
    if match is None:
        raise ValueError(f"{network!r} is not <model>_<subsample>")
    return match["model"], int(match["subsample"])


def spread_column(network: str) -> str:
    """Return the name of the column that holds a network's spread over the orientations of an image."""
    return f"{network}_spread"
