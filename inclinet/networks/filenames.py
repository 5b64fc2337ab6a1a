"""File names of trained networks."""

import re

__all__ = ["EXPORTED", "exported_file", "network_file", "network_stem", "parse_network"]

EXPORTED = ".onnx"
"""Suffix of the files of exported networks."""

_NETWORK = re.compile(r"Uset_(?P<subsample>\d{3})_(?P<model>\w+)\.(?:keras|onnx)")


def network_stem(subsample: int, model: str) -> str:
    """Return the beginning of the names of all files of one network."""
    return f"Uset_{subsample:03d}_{model}"


def parse_network(name: str) -> tuple[str, int] | None:
    """Return (model, subsample) from the file name of a network, as trained or exported; None for any other name."""
    match = _NETWORK.fullmatch(name)
    return match and (match["model"], int(match["subsample"]))


def network_file(subsample: int, model: str) -> str:
    """Return the file name of a trained network."""
    return f"{network_stem(subsample, model)}.keras"


def exported_file(subsample: int, model: str) -> str:
    """Return the file name of an exported network."""
    return f"{network_stem(subsample, model)}{EXPORTED}"
