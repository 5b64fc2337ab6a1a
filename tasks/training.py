"""What a network is trained on, and by what the trained network is found. Does not import Keras."""

from pydantic import Field

from inclinet.preparation.split import left_out_side
from inclinet.records import Record
from inclinet.settings import Model, Train
from inclinet.storage.artifacts import Reference
from inclinet.storage.code_digest import code_digest
from inclinet.training.plan import Plan
from tasks.common import artifacts, inputs_of, sample_inputs
from tasks.filenames import START_NETWORK_FILE

__all__ = ["CODE", "TEST", "Training"]

CODE = "tasks.train"
"""The module whose code makes networks, which their keys cover."""

_MILLISECONDS = {"residual": 2.2, "model4": 2, "model6": 3, "model5": 40}
"""Of training per image of 64 × 64 pixels, on two CPU cores in float32; rough."""

TEST = ("test", 0)
"""The side of the split artifacts with the test set."""


class Training(Record):
    """What a network is trained on.

    Attributes
    ----------
    model, subsample, size, settings
        As in `inclinet.training.plan.Plan`.
    batches : tuple of Reference
        The stored batches, in order.
    validation, left_out : Reference or None
        The augmented test set and left-out galaxies; None where there is no galaxy.
    samples : dict of str to Reference
        The split artifacts by stored band.
    start : Reference or None
        The network whose weights the run starts from; None for random weights.
    label_errors : Reference or None
        The errors of the labels, which weigh them; None if they weigh the same.
    """

    model: Model = Field(title="Architecture", description="Network.")
    subsample: int = Field(title="Subsample", description="Subsample to train on; 0 is the whole training set.", ge=0)
    size: int = Field(title="Image size", description="Side of the images in pixels.", ge=8)
    settings: Train = Field(title="Training", description="Settings of the training.")
    batches: tuple[Reference, ...] = Field(title="Stored batches", description="Stored batches.", min_length=1)
    validation: Reference | None = Field(title="Test set", description="Augmented test set.")
    left_out: Reference | None = Field(title="Left-out galaxies", description="Augmented; of the subsample.")
    samples: dict[str, Reference] = Field(title="Samples", description="Split artifacts by stored band, to predict.")
    start: Reference | None = Field(None, title="Start", description="Network whose weights the training starts from.")
    label_errors: Reference | None = Field(
        None, title="Label errors", description="Errors of the labels, which weigh them."
    )

    @property
    def plan(self) -> Plan:
        """What the run does."""
        start = self.start.files[START_NETWORK_FILE] if self.start else ""
        return Plan(self.model, self.subsample, self.size, len(self.batches), self.settings, start)

    @property
    def name(self) -> str:
        """Name of the network and its subsample."""
        return f"{self.model}-{self.subsample}"

    @property
    def steps(self) -> int:
        """Number of steps of the whole run."""
        return self.plan.steps

    @property
    def images_per_batch(self) -> int:
        """Number of images in each stored batch."""
        return self.batches[0].facts["images"]

    @property
    def seconds(self) -> float:
        """How long the whole training takes on two CPU cores, roughly."""
        images = self.steps * self.images_per_batch
        return images * _MILLISECONDS[self.model] / 1000 * (self.size / 64) ** 2

    def _training_inputs(self) -> dict[str, str]:
        """Return the digests of what the run trains on and is measured on."""
        others = {"validation": self.validation, "left_out": self.left_out, "label_errors": self.label_errors}
        return inputs_of(
            {f"batch {b}": reference for b, reference in enumerate(self.batches, 1)}
            | {name: reference for name, reference in others.items() if reference is not None}
        )

    def snapshot_folder(self) -> str:
        """Return the key of the folder with the snapshots of this run, and of all runs that take the same steps."""
        return artifacts().key(
            "snapshots",
            self.name,
            inputs=self._training_inputs(),
            settings=self.plan.identity(),
            code=code_digest("inclinet.training.run"),
        )

    def network_key_parts(self) -> dict:
        """Return what the key of the trained network is made from, as arguments for `make`."""
        without_effect = {"models", "keep_every", "start", "label_weights"}
        settings = self.settings.model_dump(mode="json", exclude=without_effect)
        return {
            "inputs": self._training_inputs()
            | inputs_of({"start": self.start} if self.start else {})
            | sample_inputs(self.samples, self.size, TEST, left_out_side(self.subsample)),
            "settings": {"model": self.model, "size": self.size, **settings},
            "code": code_digest(CODE),
        }

    def find_network(self) -> Reference | None:
        """Return the trained network, None if it does not exist yet."""
        return artifacts().find(artifacts().key("network", self.name, **self.network_key_parts()))
