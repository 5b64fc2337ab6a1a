"""Tasks of the train stage: start or resume a run, take one step, finish the network.

Another task looks for existing networks, so that the parent run starts no child run for them.

The process of a `train/gpu` run keeps its network alive between steps in a `Session`. Keras is only imported when it is
needed: a run whose network exists already never imports it.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
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
from inclinet.networks.filenames import exported_file, network_file
from inclinet.preparation.split import left_out_galaxies, left_out_side
from inclinet.settings import Train
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.code_digest import code_digest
from inclinet.training.filenames import SNAPSHOTS_FACT, start_file
from inclinet.training.label_errors import read_label_errors
from inclinet.training.plan import Plan
from tasks.common import artifacts, fetch_samples, finished, inputs_of, make, sample_inputs, stage_task
from tasks.filenames import LABEL_ERRORS_FILE, START_FILE, START_NETWORK_FILE

if TYPE_CHECKING:
    from inclinet.training.run import TrainingRun

__all__ = ["Session", "find_network_task", "finish_network_task", "start_training_task", "step_task"]

_TEST = ("test", 0)


@dataclass
class Session:
    """What a run trains on, and its live network.

    Attributes
    ----------
    model, subsample, size, settings
        As in `inclinet.training.plan.Plan`.
    batches : list of Reference
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

    model: str
    subsample: int
    size: int
    settings: Train
    batches: list[Reference]
    validation: Reference | None
    left_out: Reference | None
    samples: dict[str, Reference]
    start: Reference | None = None
    label_errors: Reference | None = None
    _run: "TrainingRun | None" = field(default=None, repr=False)

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

    def parameters(self) -> dict:
        """Return the parameters of the flow `train` that give the same session."""
        return {item.name: getattr(self, item.name) for item in fields(self) if not item.name.startswith("_")}

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
            | sample_inputs(self.samples, self.size, _TEST, left_out_side(self.subsample)),
            "settings": {"model": self.model, "size": self.size, **settings},
            "code": code_digest(__name__),
        }

    def find_network(self) -> Reference | None:
        """Return the trained network, None if it does not exist yet."""
        return artifacts().find(artifacts().key("network", self.name, **self.network_key_parts()))

    def run(self) -> "TrainingRun":
        """Return the live run. In a new process, it resumes from its last snapshot."""
        if self._run is None:
            use_one_gpu()
            from inclinet.training.record import Recorder
            from inclinet.training.run import TrainingRun

            monitors = {
                "val": _read(self.validation, validation_file(self.size)) if self.validation else None,
                "left": _read(self.left_out, left_out_file(self.size, self.subsample)) if self.left_out else None,
            }
            store, folder = artifacts().store, self.snapshot_folder()
            recorder = Recorder(self.plan, store, folder)
            first = self._starting_weights if self.start else None
            errors = self._read_label_errors() if self.label_errors else None
            self._run = TrainingRun(self.plan, self._fetch, monitors, store, folder, recorder, first, errors)
        return self._run

    def _read_label_errors(self) -> dict[int, float]:
        assert self.label_errors is not None
        with temporary_folder("train") as folder:
            [path] = artifacts().fetch(self.label_errors, folder, [LABEL_ERRORS_FILE])
            return read_label_errors(path)

    def _starting_weights(self) -> dict[str, np.ndarray]:
        from inclinet.networks.load import load_keras
        from inclinet.training.step import network_weights

        assert self.start is not None
        with temporary_folder("train") as folder:
            [path] = artifacts().fetch(self.start, folder, [START_NETWORK_FILE])
            return network_weights(load_keras(path))

    def _fetch(self, number: int) -> Batch:
        return _read(self.batches[number - 1], batch_file(self.size, number))


def _read(reference: Reference, name: str) -> Batch:
    with temporary_folder("train") as folder:
        [path] = artifacts().fetch(reference, folder, [name])
        # The memory map of a file stays readable after the file is deleted.
        return Batch.read(path)


@stage_task("find", "find-{session.name}")
def find_network_task(session: Session, is_new: bool) -> State:
    """Look for a trained network; the data are its reference, None if it does not exist yet.

    `is_new` tells whether this run has just trained it.
    """
    if reference := session.find_network():
        return finished(replace(reference, is_new=is_new))
    return Completed(message="not trained yet", data=None)


@stage_task("start", "start-{session.name}", tagged=False)
def start_training_task(session: Session) -> State:
    """Start or resume the run: choose the device, restore the last snapshot; the data are the number of steps done.

    Device and precision are shown on the run's page. If the network exists already, the data are None.
    """
    if session.find_network():
        return Completed(name="Cached", message="existing network", data=None)
    run = session.run()
    import keras

    from inclinet.networks.devices import device_name, on_gpu

    device = device_name()
    if not on_gpu():
        get_run_logger().warning("no GPU here: training on %s", device)
    rows = {
        "device": device if on_gpu() else f"{device} (no GPU here)",
        "precision": run.precision,
        "backend": f"Keras {keras.__version__} on {keras.backend.backend()}",
        "weights": f"{run.weights:,}",
        "stored batches": f"{len(session.batches)} of {session.batches[0].facts['images']:,} images",
        "starts after step": f"{run.step} of {session.steps}",
        "starting weights": f"of the network of SHA-256 {session.plan.start}" if session.start else "random",
    }
    table = "\n".join(["| | |", "|:--|:--|", *(f"| {name} | {value} |" for name, value in rows.items())])
    create_markdown_artifact(table, key=f"device-{session.name}", description="The device that this run trains on.")
    return Completed(message=f"{device}, {run.precision}, after step {run.step}", data=run.step)


@stage_task("step", "step-{number:03d}", tagged=False)
def step_task(session: Session, number: int) -> State:
    """Take one step, and save its snapshot in the background; the data are the metrics of the step."""
    metrics = session.run().reach(number)
    message = f"{metrics['batchFile']}, training MAE {UNIT * metrics['mae']:.2f} deg"
    return Completed(message=message, data=metrics)


@stage_task("network", "network-{session.name}")
def finish_network_task(session: Session) -> State:
    """Finish a network: save and export it, with its metrics, and predict the test set and the left-out galaxies."""
    model, subsample = session.model, session.subsample
    name = network_name(model, subsample)

    def work(out: Path) -> Mapping[str, int | str]:
        from inclinet.networks.export import export_network
        from inclinet.networks.infer import predict_samples
        from inclinet.networks.load import as_network
        from inclinet.networks.save import save_network
        from inclinet.training.record import write_record

        run = session.run()
        trained = run.finish()
        save_network(trained, out / network_file(subsample, model))
        export_network(trained, out / exported_file(subsample, model))
        network = as_network(trained)
        write_record(run.history, session.plan, out)
        if session.start:
            with temporary_folder("train") as folder:
                [record] = artifacts().fetch(session.start, folder, [START_FILE])
                shutil.copyfile(record, out / start_file(subsample, model))
        with temporary_folder("train") as folder:
            test = predict_samples(network, fetch_samples(session.samples, session.size, _TEST, folder), name)
            write_predictions(test, out / predictions_file(subsample, model))
            facts = {"steps": run.step, "test_images": len(test), "left_out_images": 0}
            if session.left_out:
                samples = fetch_samples(session.samples, session.size, left_out_side(subsample), folder)
                left = predict_samples(network, samples, name, left_out_galaxies(samples, subsample))
                write_predictions(left, out / left_out_predictions_file(subsample, model))
                facts["left_out_images"] = len(left)
        return {**facts, SNAPSHOTS_FACT: session.snapshot_folder()}

    return make("network", session.name, **session.network_key_parts(), work=work)
