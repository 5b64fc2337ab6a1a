"""Tasks of the train stage: one for each step, and one that finishes the network.

The process of a `train/gpu` run keeps its network alive from step to step in a `Session`; a step reloads
from its snapshot only when the live network is not the one it continues. Keras is imported when first
needed: a run whose steps are all done already never does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prefect.client.schemas.objects import State

from inclinet.artifacts import Reference
from inclinet.batches import Batch, read_samples
from inclinet.naming import (
    batch_file,
    figure_file,
    metrics_file,
    network_file,
    predictions_file,
    sample_file,
    snapshot_file,
    validation_file,
)
from inclinet.settings import Train
from tasks.common import artifacts, make, stage_task, work_folder

if TYPE_CHECKING:
    from inclinet.trainer import Trainer

__all__ = ["Session", "network", "step"]


@dataclass
class Session:
    """What a training run works on, and its network while it lives."""

    model: str
    subsample: int
    size: int
    settings: Train
    steps: int
    batches: list[Reference]
    validation: Reference | None
    _trainer: "Trainer | None" = field(default=None, repr=False)
    _live: str = ""
    _validation: Batch | None = field(default=None, repr=False)

    def continue_from(self, before: Reference | None) -> "Trainer":
        """Return the live network, at the state of the snapshot `before` (None: untrained)."""
        from inclinet.trainer import Trainer

        wanted = before.digest if before else "untrained"
        if self._trainer is None or self._live != wanted:
            self._trainer = Trainer(self.model, self.size, self.steps, self.settings)
            if before:
                with work_folder("train") as folder:
                    [path] = artifacts().fetch(before, folder)
                    self._trainer.load(path)
            self._live = wanted
        return self._trainer

    def has_advanced_to(self, digest: str) -> None:
        """Note the digest of the snapshot that the live network corresponds to."""
        self._live = digest

    def has_left_its_snapshots(self) -> None:
        """Note that the live network is at no known state: a step has begun."""
        self._live = ""

    def validation_batch(self) -> Batch | None:
        """Return the augmented test set, read once."""
        if self.validation is not None and self._validation is None:
            with work_folder("train") as folder:
                [path] = artifacts().fetch(self.validation, folder, [validation_file(self.size)])
                self._validation = Batch.read(path)
        return self._validation


@stage_task("step", "step-{number:03d}", tagged=False)
def step(session: Session, number: int, batch: int, before: Reference | None) -> State:
    """Advance the network by one step: stored batch `batch`, continuing from the snapshot `before`.

    The artifact is the snapshot; its facts are the step's metrics.
    """
    reference = session.batches[batch - 1]
    settings = session.settings

    def work(out: Path) -> Mapping:
        trainer = session.continue_from(before)
        session.has_left_its_snapshots()
        name = batch_file(session.size, batch)
        with work_folder("train") as folder:
            [path] = artifacts().fetch(reference, folder, [name])
            metrics = trainer.advance(Batch.read(path), session.validation_batch())
        trainer.save(out / snapshot_file(number))
        return metrics | {"batchNo": batch, "batchFile": name}

    inputs = {"batch": reference.digest, "before": before.digest if before else "untrained"}
    if session.validation is not None:
        inputs["validation"] = session.validation.digest
    how = {"model": session.model, "size": session.size, "number": number, "batch": batch}
    how |= settings.model_dump(mode="json", include={"training_batch_size", "learning_rate", "schedule", "seed"})
    if settings.schedule == "cosine":
        how["steps"] = session.steps
    name = f"{session.model}-{session.subsample}-{number:04d}"
    state = make("step", name, inputs=inputs, settings=how, modules=["trainer"], work=work)
    if state.name != "Cached":
        session.has_advanced_to(state.data.digest)
    return state


@stage_task("network", "network-{session.model}-{session.subsample}")
def network(session: Session, last: Reference, metrics: dict[str, dict], tests: dict[str, Reference]) -> State:
    """Finish a network: its file, its metrics and their figure, its predictions for the test set."""
    model, subsample, size = session.model, session.subsample, session.size
    names = {band: sample_file(band, size, "test", 0) for band in tests}

    def work(out: Path) -> Mapping[str, int]:
        from inclinet.plots import training_curves
        from inclinet.predict import predict_samples
        from inclinet.predictions import write_predictions
        from inclinet.train import write_metrics
        from inclinet.trainer import save_network

        keras_model = session.continue_from(last).network
        save_network(keras_model, out / network_file(subsample, model))
        write_metrics(out / metrics_file(subsample, model), metrics)
        training_curves(metrics, out / figure_file(subsample, model), f"{model}, subsample {subsample}")
        with work_folder("train") as folder:
            paths = {b: artifacts().fetch(tests[b], folder, [names[b]])[0] for b in tests}
            table = predict_samples(keras_model, read_samples(paths, size), f"{model}_{subsample}")
        write_predictions(table, out / predictions_file(subsample, model))
        return {"steps": len(metrics), "test_images": len(table)}

    inputs = {"snapshot": last.digest} | {
        names[band]: reference.files[names[band]] for band, reference in tests.items()
    }
    settings = {"model": model, "size": size}
    return make(
        "network",
        f"{model}-{subsample}",
        inputs=inputs,
        settings=settings,
        modules=["predict", "predictions", "plots", "trainer"],
        work=work,
    )
