"""Names of the files of trained networks."""

import re

__all__ = ["network_file", "network_stem", "parse_network"]

_NETWORK = re.compile(r"Uset_(?P<subsample>\d{3})_(?P<model>\w+)\.keras")


def network_stem(subsample: int, model: str) -> str:
    """Return what the names of all files of one network begin with."""
    return f"Uset_{subsample:03d}_{model}"


def parse_network(name: str) -> tuple[str, int] | None:
    """Return (model, subsample) of a trained network's file, None for any other name."""
    match = _NETWORK.fullmatch(name)
    return match and (match["model"], int(match["subsample"]))


def network_file(subsample: int, model: str) -> str:
    """Trained network, as `keras.models.load_model` reads it."""
    return f"{network_stem(subsample, model)}.keras"
