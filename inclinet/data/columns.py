"""Columns of tables of predictions, and how networks are called in them."""

import re

import pandas as pd

__all__ = ["INVERTED", "KEYS", "network_columns", "network_name", "parse_network_name", "spread_column"]

KEYS = ["pgc", "filter", "inc_m"]
"""Columns that say which image a row is."""


INVERTED = "inverted"
"""Column that says whether an image is dark on a bright sky."""


_NETWORK = re.compile(r"(?P<model>[A-Za-z]\w*)_(?P<subsample>\d+)")


def network_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of `table` that hold a network's predictions: `<model>_<subsample>`."""
    return [name for name in table if _NETWORK.fullmatch(str(name)) and name not in KEYS]


def network_name(model: str, subsample: int) -> str:
    """Return the name of a network's column: `model4_0` of `model4` and subsample 0."""
    return f"{model}_{subsample}"


def parse_network_name(network: str) -> tuple[str, int]:
    """Return model and subsample of a network's column: `model4` and 0 of `model4_0`."""
    match = _NETWORK.fullmatch(network)
    return match["model"], int(match["subsample"])


def spread_column(network: str) -> str:
    """Return the name of the column with a network's spread over the orientations of an image."""
    return f"{network}_spread"
