"""Names of the files that training writes."""

import re
from pathlib import Path

from inclinet.networks.filenames import network_stem

__all__ = ["checkpoint_folder", "figure_file", "metrics_file", "parse_snapshot", "snapshot_file"]

_SNAPSHOT = re.compile(r"step_(?P<step>\d{4,})\.npz")


def checkpoint_folder(subsample: int, model: str) -> str:
    """Folder of the snapshots of one network trained on one subsample."""
    return f"{network_stem(subsample, model)}_ckpt"


def snapshot_file(step: int) -> str:
    """Snapshot of a network after one step; steps count from 1."""
    return f"step_{step:04d}.npz"


def parse_snapshot(name: str) -> int | None:
    """Return the step of a snapshot, None for any other name."""
    match = _SNAPSHOT.fullmatch(Path(name).name)
    return match and int(match["step"])


def metrics_file(subsample: int, model: str) -> str:
    """JSON of the metrics of every step."""
    return f"{network_stem(subsample, model)}_evalDict.json"


def figure_file(subsample: int, model: str) -> str:
    """Figure of the metrics against the step."""
    return f"{network_stem(subsample, model)}_evalFig.jpg"
