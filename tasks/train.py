"""Tasks of the train stage: one that takes up the run, one for each step, and one that finishes the network.

Another looks, for the parent run, whether a network is there, so that no child run is started for it.

The process of a `train/gpu` run keeps its network alive from step to step in a `Session`. Keras is imported when
first needed: a run whose network is there already never does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from inclinet.data.columns import network_name
from inclinet.data.filenames import batch_file, left_out_file, validation_file
from inclinet.data.inclination import UNIT
from inclinet.data.samples import Batch
from inclinet.evaluation.filenames import left_out_predictions_file, predictions_file
from inclinet.evaluation.predictions import write_predictions
from inclinet.networks.devices import use_one_gpu
from inclinet.networks.filenames import network_file
from inclinet.preparation.split import left_out_galaxies, left_out_side
from inclinet.settings import Train
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.code_digest import code_digest
from tasks.common import artifacts, fetch_samples, finished, inputs_of, make, sample_inputs, stage_task

if TYPE_CHECKING:
    from inclinet.training.run import TrainingRun

__all__ = ["Session", "find_network_task", "finish_network_task", "start_training_task", "step_task"]

_TEST = ("test", 0)


@dataclass
class Session:
    """What a run trains on, and its network while it lives.

    `validation` and `left_out` are the augmented test set and left-out galaxies, None without a galaxy; `samples`
    the split artifacts by stored band.
    """

    model: str
    subsample: int
    size: int
    settings: Train
    batches: list[Reference]
    validation: Reference | None
    left_out: Reference | None
    samples: dict[str, Reference]
    _training: "TrainingRun | None" = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Name of the network and its subsample."""
        return f"{self.model}-{self.subsample}"

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.settings.steps(len(self.batches))

    def parameters(self) -> dict:
        """Return what the flow `train` takes to make the same session."""
        return {item.name: getattr(self, item.name) for item in fields(self) if not item.name.startswith("_")}

    def _inputs(self) -> dict[str, str]:
        judging = {"validation": self.validation, "left_out": self.left_out}
        return inputs_of(
            {f"batch {b}": reference for b, reference in enumerate(self.batches, 1)}
            | {name: reference for name, reference in judging.items() if reference is not None}
        )

    def snapshot_folder(self) -> str:
        """Key of the folder of this run's snapshots: of all that a step depends on."""
        how = {"model": self.model, "size": self.size, **self.settings.of_a_step()}
        if self.settings.schedule == "cosine":
            how["steps"] = self.steps
        return artifacts().key(
            "snapshots", self.name, inputs=self._inputs(), settings=how, code=code_digest("inclinet.training.step")
        )

    def key_parts(self) -> dict:
        """Return what the trained network is an artifact of, for `make`."""
        free = {"models", "keep_every"}
        how = {"model": self.model, "size": self.size, **self.settings.model_dump(mode="json", exclude=free)}
        return {
            "inputs": self._inputs() | sample_inputs(self.samples, self.size, _TEST, left_out_side(self.subsample)),
            "settings": how,
            "code": code_digest(__name__),
        }

    def found(self) -> Reference | None:
        """Return the trained network if it is there."""
        return artifacts().find(artifacts().key("network", self.name, **self.key_parts()))

    def training(self) -> "TrainingRun":
        """Return the live run, taken up from its last snapshot if this process is new to it."""
        if self._training is None:
            use_one_gpu()
            from inclinet.training.run import Plan, TrainingRun

            plan = Plan(self.model, self.subsample, self.size, len(self.batches), self.settings)
            monitors = {
                "val": self.validation and _read(self.validation, validation_file(self.size)),
                "left": self.left_out and _read(self.left_out, left_out_file(self.size, self.subsample)),
            }
            self._training = TrainingRun(plan, self._fetch, monitors, artifacts().store, self.snapshot_folder())
        return self._training

    def _fetch(self, number: int) -> Batch:
        return _read(self.batches[number - 1], batch_file(self.size, number))


def _read(reference: Reference, name: str) -> Batch:
    with temporary_folder("train") as folder:
        [path] = artifacts().fetch(reference, folder, [name])
        # What is mapped stays readable when the folder is gone.
        return Batch.read(path)


@stage_task("find", "find-{session.name}")
def find_network_task(session: Session, is_new: bool) -> State:
    """Look for a trained network, just `made` or from before; the data are its reference, None if it is not there."""
    if reference := session.found():
        return finished(replace(reference, is_new=is_new))
    return Completed(message="not trained yet", data=None)


@stage_task("start", "start-{session.name}", tagged=False)
def start_training_task(session: Session) -> State:
    """Take up the run: choose the device, bring back the last snapshot; the data are the steps behind it.

    Device and precision go to the run's page. When the network is there already, nothing of that is done and the
    data are None.
    """
    if session.found():
        return Completed(name="Cached", message="the network is there", data=None)
    training = session.training()
    import keras

    from inclinet.networks.devices import device_name, on_gpu

    device = device_name()
    if not on_gpu():
        get_run_logger().warning("no GPU here: training on %s", device)
    rows = {
        "device": device if on_gpu() else f"{device} (no GPU here)",
        "precision": training.precision,
        "backend": f"Keras {keras.__version__} on {keras.backend.backend()}",
        "weights": f"{training.weights:,}",
        "stored batches": f"{len(session.batches)} of {session.batches[0].facts['images']:,} images",
        "begins after step": f"{training.step} of {session.steps}",
    }
    table = "\n".join(["| | |", "|:--|:--|", *(f"| {name} | {value} |" for name, value in rows.items())])
    create_markdown_artifact(table, key=f"device-{session.name}", description="What this run trains on.")
    return Completed(message=f"{device}, {training.precision}, after step {training.step}", data=training.step)


@stage_task("step", "step-{number:03d}", tagged=False)
def step_task(session: Session, number: int) -> State:
    """Advance the network by one step, and let its snapshot be saved; the data are the step's metrics."""
    metrics = session.training().reach(number)
    message = f"{metrics['batchFile']}, training MAE {UNIT * metrics['mae']:.2f} deg"
    return Completed(message=message, data=metrics)


@stage_task("network", "network-{session.name}")
def finish_network_task(session: Session) -> State:
    """Finish a network: its file, metrics and figure, its predictions for the test set and the left-out galaxies."""
    model, subsample = session.model, session.subsample
    name = network_name(model, subsample)

    def work(out: Path) -> Mapping[str, int]:
        from inclinet.networks.infer import predict_samples
        from inclinet.training.step import save_network

        training = session.training()
        keras_model = training.finish()
        save_network(keras_model, out / network_file(subsample, model))
        training.write_record(out)
        with temporary_folder("train") as folder:
            test = predict_samples(keras_model, fetch_samples(session.samples, session.size, _TEST, folder), name)
            write_predictions(test, out / predictions_file(subsample, model))
            facts = {"steps": training.step, "test_images": len(test), "left_out_images": 0}
            if session.left_out:
                samples = fetch_samples(session.samples, session.size, left_out_side(subsample), folder)
                left = predict_samples(keras_model, samples, name, left_out_galaxies(samples, subsample))
                write_predictions(left, out / left_out_predictions_file(subsample, model))
                facts["left_out_images"] = len(left)
        return facts

    return make("network", session.name, **session.key_parts(), work=work)
