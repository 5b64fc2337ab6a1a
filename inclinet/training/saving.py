"""Save the snapshots of a run in the background, and delete those that are no longer needed."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from inclinet.errors import InclinetError
from inclinet.training.history import best_step
from inclinet.training.plan import Plan
from inclinet.training.snapshots import Snapshot, Snapshots, find_not_finite

__all__ = ["SnapshotSaver", "check_finite"]

_SHARE_OF_TIME = 0.1  # that saving may take, at most


def check_finite(arrays: Mapping[str, np.ndarray], step: int, plan: Plan) -> None:
    """Check the weights and optimizer variables after a step.

    A finite loss does not prove that they are finite: on some processors, ReLU turns NaN into 0.

    Raises
    ------
    InclinetError
        When a number is not finite.
    """
    if name := find_not_finite(arrays):
        raise InclinetError(
            f"{plan.title}: after step {step}, {name} holds numbers that are not finite: lower learning_rate "
            f"(now {plan.settings.learning_rate}) and train again from the start",
            setting="learning_rate",
        )


class SnapshotSaver:
    """Saves snapshots in a thread, one at a time.

    Parameters
    ----------
    plan : Plan
    snapshots : Snapshots
    record : callable
        Called in the thread with the history of a snapshot after it is saved.

    Attributes
    ----------
    step : int
        Step of the newest snapshot that is saved or being saved.
    """

    def __init__(self, plan: Plan, snapshots: Snapshots, record: Callable[[np.ndarray], None]) -> None:
        self._plan, self._snapshots, self._record = plan, snapshots, record
        self._thread = ThreadPoolExecutor(1, "save")
        self._saving: Future[None] | None = None
        self._due = 0.0
        self.step = 0

    def is_worthwhile(self, step: int) -> bool:
        """Return whether to save a step: its snapshot will be kept, or enough time has passed since the last one.

        On a machine with few cores, saving slows down training. If a step takes less than ten times as long as saving
        its snapshot, some snapshots are left out, and a killed run has to repeat a few more steps.
        """
        every = self._plan.settings.keep_every
        is_kept = step >= self._plan.steps - 1 or (every and step % every == 0)
        return bool(is_kept) or time.monotonic() >= self._due

    def save(self, take: Callable[[], Snapshot], best: Snapshot | None = None) -> None:
        """Save the snapshot that `take` returns and, before it, that of the best step, if it is not saved yet.

        `take` is called when the snapshots before are saved.

        Raises
        ------
        Exception
            The error of a snapshot before, if it could not be saved.
        """
        self.wait()
        snapshot = take()
        self._saving = self._thread.submit(self._save, snapshot, best)
        self.step = snapshot.step

    def wait(self) -> None:
        """Wait for the snapshot that is being saved.

        Raises
        ------
        Exception
            The error, if it could not be saved.
        """
        if self._saving is None:
            return
        saving, self._saving = self._saving, None
        try:
            saving.result()
        except BaseException:
            self.step = 0  # so that the run saves its state again
            raise

    def close(self) -> None:
        """Wait for the snapshot that is being saved, whatever becomes of it."""
        self._thread.shutdown()

    def _save(self, snapshot: Snapshot, best: Snapshot | None) -> None:
        # The best one first, because a run that resumes from the other one needs it.
        several = [one for one in (best, snapshot) if one]
        for one in several:
            check_finite(one.state, one.step, self._plan)
        start = time.monotonic()
        for one in several:
            self._snapshots.save(one)
        end = time.monotonic()
        self._due = end + (end - start) / _SHARE_OF_TIME
        self._snapshots.prune(self._kept_before(snapshot), before=snapshot.step)
        self._record(snapshot.history)

    def _kept_before(self, snapshot: Snapshot) -> set[int]:
        """Return the steps before a snapshot whose snapshots are kept: the last one, the best one, every K-th one."""
        every, best = self._plan.settings.keep_every, best_step(snapshot.history)
        kept = set(range(every, snapshot.step, every)) if every else set()
        kept |= {best} if best else set()
        return kept | {max((step for step in self._snapshots.steps() if step < snapshot.step), default=0)}
