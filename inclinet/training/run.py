"""A network's whole way through its stored batches: the next one fetched ahead, snapshots written behind.

Between steps the network, its compiled step and its optimizer live on; they are taken from a snapshot only
when the process is new, or a step ended badly.
"""

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import keras
import numpy as np

from inclinet.data.filenames import batch_file
from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.networks.devices import choose_precision
from inclinet.settings import Train
from inclinet.storage.atomic import temporary_folder, write_text
from inclinet.storage.store import Store
from inclinet.training.curves import training_curves
from inclinet.training.filenames import checkpoint_folder, figure_file, metrics_file
from inclinet.training.schedule import batch_of_step
from inclinet.training.snapshots import Snapshot, Snapshots
from inclinet.training.step import METRICS, NetworkStepper

__all__ = ["MONITORS", "Plan", "TrainingRun"]

logger = logging.getLogger(__name__)

MONITORS = ("val", "left")
"""What the network is judged by after each step: the test set, which decides nothing, and the left-out galaxies."""

_COLUMNS = (*METRICS, *(f"{judge}_{metric}" for judge in MONITORS for metric in METRICS))
_DECIDING = _COLUMNS.index("left_mse")
_SECONDS_BETWEEN_RECORDS = 10
_SHARE_OF_RECORDS = 0.05  # of the time, at most
_SHARE_OF_SAVING = 0.1


@dataclass(frozen=True)
class Plan:
    """What is trained on what: the network, the subsample, the images' side (pixels), the number of stored batches."""

    model: str
    subsample: int
    size: int
    nbatch: int
    settings: Train

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.settings.steps(self.nbatch)

    @property
    def title(self) -> str:
        """Name for people."""
        return f"{self.model}, subsample {self.subsample}"

    def batch_of(self, step: int) -> int:
        """Return the stored batch (from 1) of a step."""
        return batch_of_step(step, self.nbatch, self.settings.seed)


def metrics_of_step(row: np.ndarray, step: int, plan: Plan) -> dict[str, float | int | str | None]:
    """Return a step's entry in the metrics JSON: its metrics, `batchNo` and `batchFile`; None where unknown."""
    metrics = {name: None if math.isnan(value) else value for name, value in zip(_COLUMNS, row.tolist(), strict=True)}
    number = plan.batch_of(step)
    return metrics | {"batchNo": number, "batchFile": batch_file(plan.size, number)}


def write_record(history: np.ndarray, plan: Plan, folder: Path) -> list[Path]:
    """Write the metrics JSON and its figure into `folder`; returns their paths."""
    of = plan.subsample, plan.model
    metrics = {str(step): metrics_of_step(row, step, plan) for step, row in enumerate(history, 1)}
    text = write_text(folder / metrics_file(*of), json.dumps(metrics, indent=1))
    return [text, training_curves(metrics, folder / figure_file(*of), plan.title)]


class TrainingRun:
    """A training run that can be left and taken up again at any moment.

    Parameters
    ----------
    plan : Plan
    fetch : callable
        Returns a stored batch by its number, checked; called ahead of its use, in a thread of its own.
    monitors : mapping of str to Batch or None
        The batches to judge by (`val`, `left`), None where there is no galaxy.
    store : Store
        Where the snapshots, the metrics JSON and its figure go, under SPEC's names below the key `folder`.
    folder : str

    Raises
    ------
    InclinetError
        When the settings ask for patience, but no galaxy is left out to judge by.
    """

    def __init__(
        self,
        plan: Plan,
        fetch: Callable[[int], Batch],
        monitors: Mapping[str, Batch | None],
        store: Store,
        folder: str = "",
    ) -> None:
        self.plan = plan
        self._fetch = fetch
        self._store, self._folder = store, PurePosixPath(folder)
        self._snapshots = Snapshots(store, str(self._folder / checkpoint_folder(plan.subsample, plan.model)))
        self._monitors = {name: batch for name, batch in monitors.items() if batch is not None}
        if plan.settings.patience and "left" not in self._monitors:
            raise InclinetError(
                f"{plan.title}: --patience needs left-out galaxies, and there is none: do without it, or augment with "
                "leave_out"
            )
        self._ahead, self._behind = ThreadPoolExecutor(1, "fetch"), ThreadPoolExecutor(1, "save")
        self._next: tuple[int, Future[Batch]] | None = None
        self._saving: Future[None] | None = None
        self._saved = 0
        self._record_due = self._save_due = 0.0
        self._stepper: NetworkStepper | None = None
        self._take_up()

    def __enter__(self) -> "TrainingRun":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait for what is being saved; fetch nothing more."""
        self._ahead.shutdown(cancel_futures=True)
        self._behind.shutdown()

    @property
    def step(self) -> int:
        """The step that the network has behind it."""
        return len(self._history)

    @property
    def images_per_second(self) -> float:
        """Of the last step's training."""
        return self._stepper.images_per_second

    @property
    def ended(self) -> bool:
        """Whether no step is to be taken any more: all are done, or patience is at its end."""
        if self.step >= self.plan.steps:
            return True
        patience, best = self.plan.settings.patience, self.best
        return bool(patience and best and self.step - best >= patience)

    @property
    def best(self) -> int | None:
        """The step with the least squared error on the left-out galaxies, if there are any."""
        deciding = self._history[:, _DECIDING]
        return None if np.isnan(deciding).all() else int(np.nanargmin(deciding)) + 1

    @property
    def weights(self) -> int:
        """Number of the network's weights."""
        return self._stepper.network.count_params()

    def write_record(self, folder: Path) -> list[Path]:
        """Write the metrics JSON and its figure into `folder`; returns their paths."""
        return write_record(self._history, self.plan, folder)

    def _take_up(self) -> None:
        """Bring the network to the state of the last snapshot; without one, to that before the first step."""
        self._settle()
        last = self._snapshots.last()
        # A step that ended badly may have left anything in the network.
        if last is None or self._stepper is None:
            self.precision = last.precision if last else choose_precision(self.plan.settings.precision)
            plan = self.plan
            self._stepper = NetworkStepper(plan.model, plan.size, plan.steps, plan.settings, self.precision)
        if last:
            self._stepper.restore(last.state, last.step)
        self._history = last.history if last else np.empty((0, len(_COLUMNS)))
        self._saved = self.step
        self._live = True

    def reach(self, step: int) -> dict[str, float | int | str | None]:
        """Go on until `step` is done, and hand its snapshot over to be saved; returns the step's metrics.

        May be called again after an error that passes: what was lost of the live network is made good from the
        last snapshot.

        Raises
        ------
        InclinetError
            When the loss, a weight or an optimizer variable is not finite, or the memory does not suffice; the last
            good snapshot stays.
        """
        if not self._live:
            self._take_up()
        while self.step < step:
            self._advance()
        if self._saved < self.step and self._is_worth_saving():
            self._settle()  # one snapshot in memory at a time, beside the live state
            self._hand_over()
        return metrics_of_step(self._history[step - 1], step, self.plan)

    def _advance(self) -> None:
        step = self.step + 1
        number = self.plan.batch_of(step)
        batch = self._take(number)
        if step < self.plan.steps:
            self._next = (following := self.plan.batch_of(step + 1), self._ahead.submit(self._fetch, following))
        self._live = False
        try:
            metrics = self._stepper.advance(batch)
            for name, judged in self._monitors.items():
                metrics |= {f"{name}_{metric}": value for metric, value in self._stepper.measure(judged).items()}
        except InclinetError as error:
            raise InclinetError(
                f"{self.plan.title}: step {step}, stored batch {batch_file(self.plan.size, number)}: {error}"
            ) from error
        row = [metrics.get(name, math.nan) for name in _COLUMNS]
        self._history = np.vstack([self._history, row])
        self._live = True

    def _take(self, number: int) -> Batch:
        if self._next and self._next[0] == number:
            (_, coming), self._next = self._next, None
            return coming.result()
        return self._fetch(number)

    def _settle(self) -> None:
        """Wait for the snapshot being saved; raises what went wrong with it."""
        if self._saving is None:
            return
        saving, self._saving = self._saving, None
        try:
            saving.result()
        except BaseException:
            self._saved = 0  # so that it is handed over again
            raise

    def _is_worth_saving(self) -> bool:
        """Return whether the snapshot is one to be kept, or the last one long enough ago for its cost.

        On a machine of few cores saving takes them from the training; where a step takes less than ten times as
        long as its snapshot, some are left out, and a killed run has so much more to do again.
        """
        step, every = self.step, self.plan.settings.keep_every
        kept = step >= self.plan.steps - 1 or step == self.best or (every and step % every == 0)
        return bool(kept) or time.monotonic() >= self._save_due

    def _hand_over(self) -> None:
        snapshot = Snapshot(self._stepper.state(), self.step, self._history, self.precision)
        self._saving = self._behind.submit(self._save, snapshot, self.best)
        self._saved = self.step

    def _save(self, snapshot: Snapshot, best: int | None) -> None:
        step, every = snapshot.step, self.plan.settings.keep_every
        # A finite loss does not prove finite weights: on some processors ReLU turns NaN into 0.
        if name := snapshot.not_finite():
            raise InclinetError(
                f"{self.plan.title}: after step {step} {name} holds numbers that are not finite: lower "
                f"learning_rate (now {self.plan.settings.learning_rate}) and train again from the start"
            )
        start = time.monotonic()
        self._snapshots.save(snapshot)
        end = time.monotonic()
        self._save_due = end + (end - start) / _SHARE_OF_SAVING
        before = max((s for s in self._snapshots.steps() if s < step), default=None)
        kept = {before, best} | (set(range(every, step, every)) if every else set())
        self._snapshots.prune(kept, upto=step)
        if time.monotonic() >= self._record_due:
            self._record(snapshot.history)

    def _record(self, history: np.ndarray) -> None:
        """Write the metrics JSON and redraw its figure, however many steps there are in a bounded share of the time."""
        start = time.monotonic()
        with temporary_folder("record") as folder:
            for path in write_record(history, self.plan, folder):
                self._store.put(path, str(self._folder / path.name))
        end = time.monotonic()
        self._record_due = end + max(_SECONDS_BETWEEN_RECORDS, (end - start) / _SHARE_OF_RECORDS)

    def finish(self) -> keras.Model:
        """Return the trained network, with float32 arithmetic, once all of it is saved.

        That is the network of the last step; with patience, the best on the left-out galaxies.

        Raises
        ------
        InclinetError
            When a weight or an optimizer variable is not finite.
        """
        self._settle()
        if self._saved < self.step:
            self._hand_over()
            self._settle()
        self._record(self._history)
        if self.plan.settings.patience and self.best and self.best != self.step:
            best = self._snapshots.load(self.best)
            self._live = False
            self._stepper.restore(best.state, best.step)
        return self._stepper.finished()
