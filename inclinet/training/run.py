"""A training run: all steps of one network. It fetches the next stored batch and saves snapshots in the background.

Between steps the network, its compiled training function and its optimizer stay alive. A run only goes back to a
snapshot in a new process, or after a step that failed.
"""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any

import keras
import numpy as np

from inclinet.data.filenames import batch_file
from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.networks.devices import choose_precision
from inclinet.storage.store import Store
from inclinet.training.filenames import checkpoint_folder
from inclinet.training.history import best_step, extend_history, metrics_of_step, new_history
from inclinet.training.label_errors import LabelErrors
from inclinet.training.plan import Plan
from inclinet.training.saving import SnapshotSaver, check_finite
from inclinet.training.snapshots import Snapshot, Snapshots
from inclinet.training.step import NetworkStepper, weights_in

__all__ = ["TrainingRun"]

logger = logging.getLogger(__name__)


class TrainingRun:
    """A training run that can be interrupted and resumed at any moment.

    It resumes from the newest intact snapshot in its folder that is not beyond its last step. So only runs of the same
    data, code and `Plan.identity` may share a folder.

    Parameters
    ----------
    plan : Plan
    fetch : callable
        Returns a stored batch, checked, by its number; called in a thread, ahead of use.
    monitors : mapping of str to Batch or None
        The batches to measure the network on after each step, `val` and `left`; None where there is no galaxy.
    store : Store
        Takes the snapshots.
    folder : str
        Key of the folder in which the folder of the snapshots lies.
    record : callable, optional
        Called with the history (ndarray of float64, shape (steps, columns)) after a snapshot is saved, in a thread; and
        with True as second argument when the network is finished.
    start : callable, optional
        Returns the weights to start from, as `inclinet.training.step.network_weights` does; called only if there is no
        snapshot to resume from. Default: random weights.
    label_errors : mapping of int to float, optional
        As for `inclinet.training.step.NetworkStepper`.

    Raises
    ------
    InclinetError
        When the settings ask for patience, but there are no left-out galaxies; when the weights to start from are those
        of another network.
    """

    def __init__(
        self,
        plan: Plan,
        fetch: Callable[[int], Batch],
        monitors: Mapping[str, Batch | None],
        store: Store,
        folder: str = "",
        record: Callable[[np.ndarray, bool], None] | None = None,
        start: Callable[[], Mapping[str, np.ndarray]] | None = None,
        label_errors: LabelErrors | None = None,
    ) -> None:
        self.plan, self._label_errors = plan, label_errors
        self._fetch, self._start = fetch, start
        self._record = record or (lambda history, final: None)
        self._snapshots = Snapshots(store, str(PurePosixPath(folder, checkpoint_folder(plan.subsample, plan.model))))
        self._monitors = {name: batch for name, batch in monitors.items() if batch is not None}
        if plan.settings.patience and "left" not in self._monitors:
            raise InclinetError(
                f"{plan.title}: patience needs left-out galaxies, but there are none: set patience to 0, or augment "
                "again with leave_out",
                setting="patience",
            )
        self._fetcher = ThreadPoolExecutor(1, "fetch")
        self._next: tuple[int, Future[Batch]] | None = None
        self._saver = SnapshotSaver(plan, self._snapshots, lambda history: self._record(history, False))
        self._best_weights: dict[str, np.ndarray] | None = None
        self._best_unsaved: Snapshot | None = None
        snapshot = self._find_snapshot()
        self.precision = snapshot.precision if snapshot else choose_precision(plan.settings.precision)
        self._stepper = self._new_stepper()
        self._restore(snapshot)

    def __enter__(self) -> "TrainingRun":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for the snapshot that is being saved, and fetch nothing more."""
        self._fetcher.shutdown(cancel_futures=True)
        self._saver.close()

    @property
    def history(self) -> np.ndarray:
        """The metrics of every step so far, ndarray of float64 of shape (steps, columns)."""
        return self._history

    @property
    def step(self) -> int:
        """Number of steps done."""
        return len(self._history)

    @property
    def images_per_second(self) -> float:
        """Speed of training in the last step."""
        return self._stepper.images_per_second

    @property
    def weights(self) -> int:
        """Number of the network's weights."""
        return int(self._stepper.network.count_params())

    @property
    def best(self) -> int | None:
        """The step with the smallest squared error on the left-out galaxies, None without such galaxies."""
        return best_step(self._history)

    @property
    def ended(self) -> bool:
        """Whether the run is complete: all steps are done, or it stopped early."""
        return self.step >= self.plan.steps or self._patience_is_over()

    @property
    def stopped_early(self) -> str | None:
        """Why the run stopped before its last step, None unless it did."""
        if self.step >= self.plan.steps or not self._patience_is_over():
            return None
        return (
            f"stopped early at step {self.step} of {self.plan.steps}: no better on the left-out galaxies since step "
            f"{self.best}"
        )

    def _patience_is_over(self) -> bool:
        patience, best = self.plan.settings.patience, self.best
        return bool(patience and best and self.step - best >= patience)

    def _new_stepper(self) -> NetworkStepper:
        plan = self.plan
        return NetworkStepper(plan.model, plan.size, plan.steps, plan.settings, self.precision, self._label_errors)

    def _find_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot to resume from, None if there is none.

        With patience, the best snapshot up to there may become the network: it must be intact, too.
        """
        self._best_weights = None
        for snapshot in self._snapshots.newest_first(upto=self.plan.steps):
            best = best_step(snapshot.history) if self.plan.settings.patience else None
            try:
                if best:
                    best_snapshot = snapshot if best == snapshot.step else self._snapshots.load(best)
                    self._best_weights = weights_in(best_snapshot.state)
                return snapshot
            except (InclinetError, FileNotFoundError) as error:
                logger.warning("resuming from an older snapshot, because the best one is lost: %s", error)
        return None

    def _restore(self, snapshot: Snapshot | None) -> None:
        """Restore the state of a snapshot; None means that the network is new."""
        if snapshot:
            self._stepper.restore(snapshot.state, snapshot.step)
        elif self._start:
            self._stepper.start_from(self._start())
        self._history = snapshot.history if snapshot else new_history()
        self._best_unsaved = None
        self._saver.step = self.step
        self._network_is_valid = True

    def _resume(self) -> None:
        self._saver.wait()
        snapshot = self._find_snapshot()
        if snapshot is None:
            self._stepper = self._new_stepper()
        self._restore(snapshot)

    def reach(self, step: int) -> dict[str, Any]:
        """Take all steps up to `step`, and save snapshots in the background; returns the metrics of `step`.

        May be called again after an error: if the live network was lost, the run resumes from its newest snapshot.

        Raises
        ------
        InclinetError
            When the loss, a weight or an optimizer variable is not finite, or there is not enough memory. Earlier
            snapshots are kept.
        """
        if not self._network_is_valid:
            self._resume()
        while self.step < step:
            self._advance()
            self._save_if_worthwhile()
        self._save_if_worthwhile()  # again, if saving failed before
        return metrics_of_step(self._history, step, self.plan)

    def _advance(self) -> None:
        step = self.step + 1
        number = self.plan.batch_of(step)
        batch = self._take_batch(number)
        if step < self.plan.steps:
            following = self.plan.batch_of(step + 1)
            self._next = following, self._fetcher.submit(self._fetch, following)
        self._network_is_valid = False
        try:
            metrics = self._stepper.advance(batch)
            for name, monitor in self._monitors.items():
                metrics |= {f"{name}_{metric}": value for metric, value in self._stepper.measure(monitor).items()}
        except InclinetError as error:
            raise InclinetError(
                f"{self.plan.title}: step {step}, stored batch {batch_file(self.plan.size, number)}: {error}",
                setting=error.setting,
            ) from error
        self._history = extend_history(self._history, metrics)
        self._network_is_valid = True
        if self.plan.settings.patience and step == self.best:
            self._best_weights = self._stepper.weights()

    def _take_batch(self, number: int) -> Batch:
        """Return a stored batch, which usually was fetched during the step before."""
        if self._next and self._next[0] == number:
            (_, fetched), self._next = self._next, None
            return fetched.result()
        return self._fetch(number)

    def _save_if_worthwhile(self) -> None:
        """Save the state if it is worthwhile, and with it the best one since the last time.

        At first every step is the best one so far, and few of them stay it until then.
        """
        if self._saver.step >= self.step:
            return
        if self._saver.is_worthwhile(self.step):
            self._save()
        elif self.step == self.best:
            self._best_unsaved = self._take_snapshot()

    def _save(self) -> None:
        best = self._best_unsaved
        self._saver.save(self._take_snapshot, best if best and best.step == self.best else None)
        self._best_unsaved = None

    def _take_snapshot(self) -> Snapshot:
        return Snapshot(self._stepper.state(), self.step, self._history, self.precision)

    def finish(self) -> keras.Model:
        """Return the trained network in float32, after its snapshot and record are saved.

        It is the network of the last step or, with patience, the best one on the left-out galaxies.

        Raises
        ------
        InclinetError
            When a weight or an optimizer variable is not finite.
        """
        if self._saver.step < self.step:
            self._save()
        self._saver.wait()
        self._record(self._history, True)
        step, weights = self.step, self._stepper.weights()
        if self._best_weights is not None and self.best:
            step, weights = self.best, self._best_weights
        check_finite(weights, step, self.plan)
        return self._stepper.finished(weights)
