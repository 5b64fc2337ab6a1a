"""Tasks of the train stage: start or resume a run, take one step, finish the network.

Another task looks for existing networks, so that the parent run starts no child run for them.

The process of a `train/gpu` run keeps its network alive between steps in a `Session`. Keras is only imported when it is
needed: a run whose network exists already never imports it.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
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
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.training.filenames import SNAPSHOTS_FACT, start_file
from inclinet.training.label_errors import read_label_errors
from tasks.common import artifacts, fetch_samples, finished, make, stage_task
from tasks.filenames import LABEL_ERRORS_FILE, START_FILE, START_NETWORK_FILE
from tasks.training import TEST, Training

if TYPE_CHECKING:
    from inclinet.training.run import TrainingRun

__all__ = ["Session", "find_network_task", "finish_network_task", "start_training_task", "step_task"]


@dataclass
class Session:
    """A training, and its live network."""

    training: Training
    _run: "TrainingRun | None" = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Name of the network and its subsample."""
        return self.training.name

    @property
    def steps(self) -> int:
        """Number of steps of the whole run."""
        return self.training.steps

    def run(self) -> "TrainingRun":
        """Return the live run. In a new process, it resumes from its last snapshot."""
        if self._run is None:
            use_one_gpu()
            from inclinet.training.record import Recorder
            from inclinet.training.run import TrainingRun

            one = self.training
            monitors = {
                "val": _read(one.validation, validation_file(one.size)) if one.validation else None,
                "left": _read(one.left_out, left_out_file(one.size, one.subsample)) if one.left_out else None,
            }
            store, folder = artifacts().store, one.snapshot_folder()
            recorder = Recorder(one.plan, store, folder)
            first = partial(_read_weights, one.start) if one.start else None
            errors = _read_label_errors(one.label_errors) if one.label_errors else None
            self._run = TrainingRun(one.plan, self._fetch, monitors, store, folder, recorder, first, errors)
        return self._run

    def close(self) -> None:
        """Forget the network, which is finished, so that its memory is free for the next one."""
        if self._run is None:
            return
        import keras

        self._run.close()
        self._run = None
        keras.utils.clear_session()

    def _fetch(self, number: int) -> Batch:
        return _read(self.training.batches[number - 1], batch_file(self.training.size, number))


def _read_label_errors(reference: Reference) -> dict[int, float]:
    with temporary_folder("train") as folder:
        [path] = artifacts().fetch(reference, folder, [LABEL_ERRORS_FILE])
        return read_label_errors(path)


def _read_weights(reference: Reference) -> dict[str, np.ndarray]:
    from inclinet.networks.load import load_keras
    from inclinet.training.step import network_weights

    with temporary_folder("train") as folder:
        [path] = artifacts().fetch(reference, folder, [START_NETWORK_FILE])
        return network_weights(load_keras(path))


def _read(reference: Reference, name: str) -> Batch:
    with temporary_folder("train") as folder:
        [path] = artifacts().fetch(reference, folder, [name])
        # The memory map of a file stays readable after the file is deleted.
        return Batch.read(path)


@stage_task("find", "find-{training.name}")
def find_network_task(training: Training, is_new: bool) -> State:
    """Look for a trained network; the data are its reference, None if it does not exist yet.

    `is_new` tells whether this run has just trained it.
    """
    if reference := training.find_network():
        return finished(replace(reference, is_new=is_new))
    return Completed(message="not trained yet", data=None)


@stage_task("start", "start-{session.name}", tagged=False)
def start_training_task(session: Session) -> State:
    """Start or resume the run: choose the device, restore the last snapshot; the data are the number of steps done.

    Device and precision are shown on the run's page. If the network exists already, the data are None.
    """
    training = session.training
    if training.find_network():
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
        "stored batches": f"{len(training.batches)} of {training.images_per_batch:,} images",
        "starts after step": f"{run.step} of {session.steps}",
        "starting weights": f"of the network of SHA-256 {training.plan.start}" if training.start else "random",
    }
    table = "\n".join(["| | |", "|:--|:--|", *(f"| {name} | {value} |" for name, value in rows.items())])
    create_markdown_artifact(table, key=f"device-{training.name}", description="The device that this run trains on.")
    return Completed(message=f"{device}, {run.precision}, after step {run.step}", data=run.step)


@stage_task("step", "step-{session.name}-{number:03d}", tagged=False)
def step_task(session: Session, number: int) -> State:
    """Take one step, and save its snapshot in the background; the data are the metrics of the step."""
    metrics = session.run().reach(number)
    message = f"{metrics['batchFile']}, training MAE {UNIT * metrics['mae']:.2f} deg"
    return Completed(message=message, data=metrics)


@stage_task("network", "network-{session.name}")
def finish_network_task(session: Session) -> State:
    """Finish a network: save and export it, with its metrics, and predict the test set and the left-out galaxies."""
    training = session.training
    model, subsample, size = training.model, training.subsample, training.size
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
        write_record(run.history, training.plan, out)
        if training.start:
            with temporary_folder("train") as folder:
                [record] = artifacts().fetch(training.start, folder, [START_FILE])
                shutil.copyfile(record, out / start_file(subsample, model))
        with temporary_folder("train") as folder:
            test = predict_samples(network, fetch_samples(training.samples, size, TEST, folder), name)
            write_predictions(test, out / predictions_file(subsample, model))
            facts = {"steps": run.step, "test_images": len(test), "left_out_images": 0}
            if training.left_out:
                samples = fetch_samples(training.samples, size, left_out_side(subsample), folder)
                left = predict_samples(network, samples, name, left_out_galaxies(samples, subsample))
                write_predictions(left, out / left_out_predictions_file(subsample, model))
                facts["left_out_images"] = len(left)
        return {**facts, SNAPSHOTS_FACT: training.snapshot_folder()}

    return make("network", training.name, **training.network_key_parts(), work=work)
