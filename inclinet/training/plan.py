"""What a training run does: which network it trains, on what, and for how many steps. Does not import Keras."""

from dataclasses import dataclass
from typing import Any

from inclinet.settings import Train
from inclinet.training.schedule import batch_of_step

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """What a training run does.

    Attributes
    ----------
    model : str
        Name of the network.
    subsample : int
        Subsample to train on; 0 is the whole training set.
    size : int
        Side of the images (pixels).
    nbatch : int
        Number of stored batches.
    settings : Train
    start : str
        SHA-256 of the network whose weights it starts from; empty for random weights.
    """

    model: str
    subsample: int
    size: int
    nbatch: int
    settings: Train
    start: str = ""

    @property
    def steps(self) -> int:
        """Number of steps of the whole run, unless patience ends it early."""
        return self.settings.steps(self.nbatch)

    @property
    def title(self) -> str:
        """Title for messages and figures."""
        return f"{self.model}, subsample {self.subsample}"

    def batch_of(self, step: int) -> int:
        """Return the number of the stored batch of a step; both count from 1."""
        return batch_of_step(step, self.nbatch, self.settings.seed)

    def identity(self) -> dict[str, Any]:
        """Return everything but data and code that the snapshots of a run depend on, fit for JSON.

        Runs of equal identity share their snapshots. The number of passes counts only where it changes a step: with the
        cosine schedule. At a constant learning rate, a longer run continues a shorter one.
        """
        # The errors of labels are data: without any, their weights have no effect.
        without_effect = {"models", "keep_every", "start", "label_weights"}
        if self.settings.schedule == "constant":
            without_effect.add("N_batch_iter")
        settings = self.settings.model_dump(mode="json", exclude=without_effect)
        return {"model": self.model, "size": self.size, "start": self.start, **settings}
