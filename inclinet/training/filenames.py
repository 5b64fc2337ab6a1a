"""Names of the files that training writes."""

import re
from pathlib import Path

from inclinet.networks.filenames import network_stem

__all__ = [
    "SNAPSHOTS_FACT",
    "checkpoint_folder",
    "figure_file",
    "metrics_file",
    "parse_snapshot",
    "snapshot_file",
    "start_file",
]

SNAPSHOTS_FACT = "snapshots"
"""Fact of the artifact of a trained network: the folder in the store of the snapshots that it no longer needs."""

_SNAPSHOT = re.compile(r"step_(?P<step>\d{4,})\.npz")


def checkpoint_folder(subsample: int, model: str) -> str:
    """Return the name of the folder with the snapshots of one network."""
    return f"{network_stem(subsample, model)}_ckpt"


def snapshot_file(step: int) -> str:
    """Return the file name of the snapshot after a step; steps count from 1."""
    return f"step_{step:04d}.npz"


def parse_snapshot(name: str) -> int | None:
    """Return the step from the file name of a snapshot, None for any other name."""
    match = _SNAPSHOT.fullmatch(Path(name).name)
    return match and int(match["step"])


def metrics_file(subsample: int, model: str) -> str:
    """Return the file name of the metrics of every step (JSON)."""
    return f"{network_stem(subsample, model)}_evalDict.json"


def start_file(subsample: int, model: str) -> str:
    """Return the file name of the record of what a network was started from (JSON)."""
    return f"{network_stem(subsample, model)}_start.json"


def figure_file(subsample: int, model: str) -> str:
    """Return the file name of the figure of the metrics."""
    return f"{network_stem(subsample, model)}_evalFig.jpg"
