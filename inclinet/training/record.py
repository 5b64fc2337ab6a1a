"""The record of a training run that people look at: the metrics JSON and its figure."""

import json
import time
from pathlib import Path, PurePosixPath

import numpy as np

from inclinet.storage.atomic import temporary_folder, write_text
from inclinet.storage.store import Store
from inclinet.training.curves import training_curves
from inclinet.training.filenames import figure_file, metrics_file
from inclinet.training.history import metrics_of_step
from inclinet.training.plan import Plan

__all__ = ["Recorder", "write_record"]

_SECONDS_BETWEEN_RECORDS = 10
_SHARE_OF_TIME = 0.05


def write_record(history: np.ndarray, plan: Plan, folder: Path) -> list[Path]:
    """Write the metrics JSON and its figure to `folder`; returns their paths.

    Parameters
    ----------
    history : ndarray of float64, shape (steps, columns)
        As in `inclinet.training.history`, with one step at least.
    plan : Plan
    folder : Path
    """
    network = plan.subsample, plan.model
    metrics = {str(step): metrics_of_step(history, step, plan) for step in range(1, len(history) + 1)}
    text = write_text(folder / metrics_file(*network), json.dumps(metrics, indent=1))
    return [text, training_curves(metrics, folder / figure_file(*network), plan.title)]


class Recorder:
    """Keeps the record of a run in a store up to date.

    Parameters
    ----------
    plan : Plan
    store : Store
    folder : str
        Key of the folder of the record.
    """

    def __init__(self, plan: Plan, store: Store, folder: str = "") -> None:
        self._plan, self._store, self._folder = plan, store, PurePosixPath(folder)
        self._due = 0.0

    def __call__(self, history: np.ndarray, final: bool) -> None:
        """Write the record if it is `final`, or if the last one is old enough.

        Its cost grows with the number of steps, so records before the final one take a bounded share of the time.
        """
        start = time.monotonic()
        if not final and start < self._due:
            return
        with temporary_folder("record") as folder:
            for path in write_record(history, self._plan, folder):
                self._store.put(path, str(self._folder / path.name))
        end = time.monotonic()
        self._due = end + max(_SECONDS_BETWEEN_RECORDS, (end - start) / _SHARE_OF_TIME)
