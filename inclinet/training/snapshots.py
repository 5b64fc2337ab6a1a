"""Snapshots: the full state of a training run after a step, in one file."""

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from inclinet.errors import InclinetError
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.npz import read_arrays, write_arrays
from inclinet.storage.store import Store
from inclinet.training.filenames import parse_snapshot, snapshot_file

__all__ = ["Snapshot", "Snapshots", "find_not_finite"]

logger = logging.getLogger(__name__)

_OWN = ("step", "history", "precision")


def find_not_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    """Return the name of an array that holds NaN or infinity, None if there is none."""
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)


@dataclass(frozen=True)
class Snapshot:
    """What a run needs to continue as if it had never stopped.

    Attributes
    ----------
    state : dict of str to ndarray
        Weights, batch-norm statistics and optimizer variables, by name.
    step : int
    history : ndarray of float64, shape (step, columns)
        The metrics of every step so far, as in `inclinet.training.history`.
    precision : str
        Precision that the run began with.
    """

    state: dict[str, np.ndarray]
    step: int
    history: np.ndarray
    precision: str

    def write(self, path: Path) -> Path:
        """Write the snapshot as an array file; returns `path`."""
        own = {
            "step": np.array(self.step, np.int32),
            "history": self.history,
            "precision": np.frombuffer(self.precision.encode(), np.uint8),
        }
        return write_arrays(path, {**own, **self.state})

    @classmethod
    def read(cls, path: Path) -> "Snapshot":
        """Read and check a snapshot.

        Raises
        ------
        InclinetError
            When the file is missing or damaged, or holds something other than finite numbers.
        """
        arrays = read_arrays(path, check=True)
        if missing := [name for name in _OWN if name not in arrays]:
            raise InclinetError(f"{path}: not a snapshot of this version, because it has no {missing[0]}")
        step, history, precision = (arrays.pop(name) for name in _OWN)
        whole = step.dtype.kind == "i" and not step.shape
        if not whole or history.dtype.kind != "f" or history.shape[:1] != (int(step),) or precision.dtype != np.uint8:
            raise InclinetError(f"{path}: not a snapshot of this version, because its step and its history disagree")
        state = {name: np.array(array) for name, array in arrays.items()}
        if strange := [name for name, array in state.items() if array.dtype.kind not in "biuf"]:
            raise InclinetError(f"{path}: not a snapshot, because {strange[0]} does not hold real numbers")
        if name := find_not_finite(state):
            raise InclinetError(f"{path}: {name} holds numbers that are not finite")
        return cls(state, int(step), np.array(history), precision.tobytes().decode(errors="replace"))


class Snapshots:
    """The snapshots of one run in a folder of a store. The folder is listed once, at the start.

    Parameters
    ----------
    store : Store
    folder : str
        Key of the folder.
    """

    def __init__(self, store: Store, folder: str) -> None:
        self.store = store
        self.folder = folder
        found = (parse_snapshot(entry.key) for entry in store.list(folder))
        self._steps = {step for step in found if step}

    def _key(self, step: int) -> str:
        return str(PurePosixPath(self.folder, snapshot_file(step)))

    def steps(self) -> list[int]:
        """Return the steps that have a snapshot, in order."""
        return sorted(self._steps)

    def save(self, snapshot: Snapshot) -> None:
        """Store a snapshot; an error or a kill never leaves part of one."""
        with temporary_folder("snapshot") as folder:
            self.store.put(snapshot.write(folder / snapshot_file(snapshot.step)), self._key(snapshot.step))
        self._steps.add(snapshot.step)

    def load(self, step: int) -> Snapshot:
        """Fetch and read the snapshot of a step.

        Raises
        ------
        InclinetError
            When it is damaged.
        FileNotFoundError
            When this step has no snapshot.
        """
        with temporary_folder("snapshot") as folder:
            path = folder / snapshot_file(step)
            self.store.get(self._key(step), path)
            try:
                return Snapshot.read(path)
            except InclinetError as error:
                raise InclinetError(f"{self.store.uri}/{self._key(step)}: {error}") from error

    def newest_first(self, upto: int | None = None) -> Iterator[Snapshot]:
        """Yield the snapshots that are intact, from the newest one (of step `upto` at most) back; log the others."""
        for step in reversed(self.steps()):
            if upto is not None and step > upto:
                continue
            try:
                yield self.load(step)
            except (InclinetError, FileNotFoundError) as error:
                logger.warning("resuming from an older snapshot: %s", error)

    def prune(self, keep: Collection[int], before: int) -> None:
        """Delete the snapshots of steps before `before`, except those to `keep`."""
        for step in self.steps():
            if step < before and step not in keep:
                self.store.delete(self._key(step))
                self._steps.discard(step)
