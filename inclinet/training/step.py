"""One live network: a step through a stored batch, its state taken out and put back.

A step is a function of the state before it, the stored batch and the settings alone: all randomness
(order of images, dropout) is derived from the seed and the step's number. So a run that was interrupted
and taken up again ends with the weights of one that was not.
"""

import json
import math
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import psutil

from inclinet.data.inclination import to_scaled
from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.networks.build import build
from inclinet.networks.devices import device_name, on_gpu
from inclinet.settings import Train
from inclinet.storage.atomic import atomic_file
from inclinet.training.schedule import learning_rate

__all__ = ["METRICS", "NetworkStepper", "save_network"]

METRICS = ("loss", "mse", "mae")
"""What a batch is measured by, in the network's units (22.5 deg)."""

_MEASURING_MINIBATCH = 256
# The backends have errors of their own for it, and of one kind with others: only the words tell.
_OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "OOM when allocating", "Out of memory")


class NetworkStepper:
    """A network kept alive between steps, with its optimizer and its compiled step.

    Parameters
    ----------
    model : str
        Name of the network.
    size : int
        Side of the images in pixels.
    steps : int
        Steps in all, for the learning rate.
    settings : Train
    precision : str
        `float32` or `bfloat16`.

    Raises
    ------
    InclinetError
        When there is no such network, or the images are too small for it.
    """

    def __init__(self, model: str, size: int, steps: int, settings: Train, precision: str = "float32") -> None:
        self._devices = _share_among_gpus()
        self.network = build(model, size, seed=settings.seed, precision=precision)
        # A name of its own: Keras would count the optimizers of a process, and so rename what snapshots hold.
        adam = keras.optimizers.Adam(settings.learning_rate, name="adam")
        # XLA pays on GPUs; on a CPU TensorFlow's own kernels are four times faster, and JAX knows nothing else.
        compiled = on_gpu() or keras.backend.backend() == "jax"
        self.network.compile(adam, "mse", metrics=["mse", "mae"], jit_compile=compiled)
        self.network.optimizer.build(self.network.trainable_variables)
        self.model, self.size, self.settings, self.steps = model, size, settings, steps
        self.step = 0
        """The step that the live network has behind it."""
        self.images_per_second = math.nan
        """Of the last step's training."""

    def _variables(self) -> dict[str, keras.Variable]:
        groups = {"network": self.network.weights, "optimizer": self.network.optimizer.variables}
        return {f"{group}/{v.path}": v for group, variables in groups.items() for v in variables}

    def state(self) -> dict[str, np.ndarray]:
        """Return a copy of every weight, batch-norm statistic and optimizer variable, by name."""
        return {name: np.array(keras.ops.convert_to_numpy(v)) for name, v in self._variables().items()}

    def restore(self, state: dict[str, np.ndarray], step: int) -> None:
        """Take up the state after a step; other names in `state` are ignored.

        Raises
        ------
        InclinetError
            When it is the state of another network.
        """
        variables = self._variables()
        for name, variable in variables.items():
            shape = state[name].shape if name in state else None
            if shape != tuple(variable.shape):
                raise InclinetError(
                    f"the snapshot is not one of {self.model} at {self.size} pixels: {name} has the shape {shape}, "
                    f"not {tuple(variable.shape)}"
                )
        for name, variable in variables.items():
            variable.assign(np.array(state[name]))
        self.step = step

    def _seed_dropout(self, step: int) -> None:
        for i, layer in enumerate(self.network.layers):
            if isinstance(layer, keras.layers.Dropout):
                state = np.random.SeedSequence([self.settings.seed, 2, step, i]).generate_state(2)
                layer.seed_generator.state.assign(state)

    def advance(self, batch: Batch) -> dict[str, float]:
        """Take one step: an epoch over `batch`; returns its metrics.

        Raises
        ------
        InclinetError
            When the loss is no longer finite, or the memory does not suffice; the state is lost then.
        """
        step = self.step + 1
        rate = learning_rate(step, self.steps, self.settings)
        self.network.optimizer.learning_rate.assign(rate)
        self._seed_dropout(step)
        order = np.random.default_rng([self.settings.seed, 3, step]).permutation(len(batch.labels))
        order = order[: len(order) - len(order) % self._devices]
        self._check_memory(min(len(order), self.settings.training_batch_size))
        start = time.perf_counter()
        metrics = self._run(self._fit, MiniBatches(batch, order, self.settings.training_batch_size))
        self.images_per_second = len(order) / (time.perf_counter() - start)
        if not math.isfinite(metrics["loss"]):
            raise InclinetError(
                f"the loss is {metrics['loss']} at learning rate {rate:.3g}: lower --learning_rate "
                f"(now {self.settings.learning_rate}) and begin anew, or go on from the last snapshot with "
                "other stored batches"
            )
        self.step = step
        return metrics

    def measure(self, batch: Batch) -> dict[str, float]:
        """Return the metrics of the network, as it is, on a batch."""
        order = np.arange(len(batch.labels) - len(batch.labels) % self._devices)
        return self._run(self._evaluate, MiniBatches(batch, order, _MEASURING_MINIBATCH))

    def _fit(self, minibatches: "MiniBatches") -> dict[str, float]:
        if _feeds_itself():
            history = self.network.fit(minibatches, shuffle=False, verbose=0).history
            return {name: values[-1] for name, values in history.items()}
        return _mean(self.network.train_on_batch, minibatches)

    def _evaluate(self, minibatches: "MiniBatches") -> dict[str, float]:
        if _feeds_itself():
            return self.network.evaluate(minibatches, verbose=0, return_dict=True)
        return _mean(self.network.test_on_batch, minibatches)

    def _run(self, pass_over: Callable[["MiniBatches"], dict[str, float]], batch: "MiniBatches") -> dict[str, float]:
        try:
            return {name: float(value) for name, value in pass_over(batch).items()}
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
            raise self._out_of_memory() from error

    def _out_of_memory(self) -> InclinetError:
        return InclinetError(
            f"the memory of {device_name()} does not suffice for {self.model} at {self.size} pixels: lower "
            f"--training_batch_size (now {self.settings.training_batch_size})"
        )

    def _check_memory(self, images: int) -> None:
        """Refuse a mini-batch whose layers alone do not fit: TensorFlow on a CPU would die of it without a word."""
        numbers = sum(math.prod(layer.output.shape[1:]) for layer in self.network.layers)
        smallest = 2 * numbers * images  # bytes, were all of it bfloat16
        if not on_gpu() and smallest > psutil.virtual_memory().available:
            raise self._out_of_memory()

    def finished(self) -> keras.Model:
        """Return the network as it is with float32 arithmetic, which every machine does well."""
        network = build(self.model, self.size)
        network.set_weights(self.network.get_weights())
        return network


class MiniBatches(keras.utils.PyDataset):
    """The mini-batches of a stored batch, in the order of `rows`; images stay uint8 on their way to the device."""

    def __init__(self, batch: Batch, rows: np.ndarray, length: int) -> None:
        super().__init__()
        self.batch, self.rows, self.length = batch, rows, length

    def __len__(self) -> int:
        return -(-len(self.rows) // self.length)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rows[index * self.length : (index + 1) * self.length]
        return self.batch.images[rows], to_scaled(self.batch.labels[rows])[:, None]


def _feeds_itself() -> bool:
    """Return whether `fit` keeps the device busy better than a loop over its mini-batches.

    It does not wait for a mini-batch's metrics before it sends the next. But with TensorFlow on a CPU its
    threads take the cores from the arithmetic: a step took 9 to 20 s in it, 11 s in the loop.
    """
    return on_gpu() or keras.backend.backend() != "tensorflow"


def _mean(run: Callable, minibatches: MiniBatches) -> dict[str, float]:
    """Run mini-batches; returns their metrics averaged over the images. Ends at the first loss that is not finite."""
    totals = dict.fromkeys(METRICS, 0.0)
    for images, labels in (minibatches[i] for i in range(len(minibatches))):
        # Keras gives each mini-batch's own metrics here: the sums are ours.
        metrics = run(images, labels, return_dict=True)
        for name in totals:
            totals[name] += float(metrics[name]) * len(labels)
        if not math.isfinite(metrics["loss"]):
            break
    return {name: total / len(minibatches.rows) for name, total in totals.items()}


def _share_among_gpus() -> int:
    """Share every mini-batch among this process's GPUs, where the backend can; returns how many it uses."""
    if keras.backend.backend() != "jax":
        return 1
    devices = keras.distribution.list_devices()
    if len(devices) > 1:
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return len(devices)


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)


def save_network(network: keras.Model, path: Path) -> Path:
    """Save a network as one file for `keras.models.load_model`; one fresh from `finished` has no optimizer in it.

    The same network gives the same bytes.
    """
    with atomic_file(path) as part:
        # Keras insists on the ending .keras, which the temporary file has.
        network.save(part)
        _make_reproducible(part)
    return path


def _make_reproducible(path: Path) -> None:
    """Take from a network's file what differs from process to process: dates, and addresses as numbers of objects."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"]) | {"date_saved": ""}
    members["metadata.json"] = json.dumps(metadata).encode()
    numbers: dict[bytes, int] = {}
    members["config.json"] = re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda match: b"%d" % numbers.setdefault(match[0], len(numbers) + 1),
        members["config.json"],
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
