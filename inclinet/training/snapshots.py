"""Snapshots: the whole state of a training run after a step, in one file that is complete or not there."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from inclinet.errors import InclinetError
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.npz import check_arrays, read_arrays, write_arrays
from inclinet.storage.store import Store
from inclinet.training.filenames import parse_snapshot, snapshot_file

__all__ = ["Snapshot", "Snapshots"]

logger = logging.getLogger(__name__)

_OWN = ("step", "history", "precision")


@dataclass(frozen=True)
class Snapshot:
    """What a run needs to go on as if it had not stopped.

    Attributes
    ----------
    state : dict of str to ndarray
        Weights, batch-norm statistics and the optimizer's variables, by name.
    step : int
    history : ndarray of float64, shape (step, columns)
        The metrics of every step so far; NaN where there is none.
    precision : str
        Arithmetic that the run began with.
    """

    state: dict[str, np.ndarray]
    step: int
    history: np.ndarray
    precision: str

    def not_finite(self) -> str | None:
        """Return the name of a weight or optimizer variable that holds NaN or infinity, None without any."""
        return next((name for name, array in self.state.items() if not np.isfinite(array).all()), None)

    def write(self, path: Path) -> Path:
        """Write it as an array file."""
        own = {
            "step": np.array(self.step, np.int32),
            "history": self.history,
            "precision": np.frombuffer(self.precision.encode(), np.uint8),
        }
        return write_arrays(path, {**own, **self.state})

    @classmethod
    def read(cls, path: Path) -> "Snapshot":
        """Read and check it.

        Raises
        ------
        InclinetError
            When it is missing or damaged, or holds a number that is not finite.
        """
        check_arrays(path)
        arrays = read_arrays(path)
        if missing := [name for name in _OWN if name not in arrays]:
            raise InclinetError(f"{path}: no snapshot of this version, it holds no {missing[0]}")
        step, history, precision = (arrays.pop(name) for name in _OWN)
        state = {name: np.array(array) for name, array in arrays.items()}
        kinds = step.dtype.kind, history.dtype.kind, precision.dtype
        if kinds != ("i", "f", np.uint8) or step.shape or history.shape[:1] != (int(step),):
            raise InclinetError(f"{path}: no snapshot of this version, its step and its history do not fit")
        snapshot = cls(state, int(step), np.array(history), precision.tobytes().decode(errors="replace"))
        if name := snapshot.not_finite():
            raise InclinetError(f"{path}: {name} holds numbers that are not finite")
        return snapshot


class Snapshots:
    """The snapshots of one run in a folder of a store; which there are is asked once.

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
        """Store a snapshot; it is there whole, or not at all."""
        with temporary_folder("snapshot") as folder:
            self.store.put(snapshot.write(folder / snapshot_file(snapshot.step)), self._key(snapshot.step))
        self._steps.add(snapshot.step)

    def load(self, step: int) -> Snapshot:
        """Bring back a snapshot.

        Raises
        ------
        InclinetError
            When it is damaged.
        FileNotFoundError
            When there is none of this step.
        """
        with temporary_folder("snapshot") as folder:
            path = folder / snapshot_file(step)
            self.store.get(self._key(step), path)
            try:
                return Snapshot.read(path)
            except InclinetError as error:
                raise InclinetError(f"{self.store.uri}/{self._key(step)}: {error}") from error

    def last(self) -> Snapshot | None:
        """Return the newest snapshot that is whole; those that are not are named in the log."""
        for step in reversed(self.steps()):
            try:
                return self.load(step)
            except (InclinetError, FileNotFoundError) as error:
                logger.warning("going on from an older snapshot: %s", error)
        return None

    def prune(self, keep: Collection[int], upto: int) -> None:
        """Remove the snapshots of steps before `upto` but those of the steps to `keep`."""
        for step in self.steps():
            if step < upto and step not in keep:
                self.store.delete(self._key(step))
                self._steps.discard(step)
