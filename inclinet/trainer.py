"""One network on its way through the stored batches: a step, a snapshot, the way back from it.

A step is a function of the snapshot before it, the stored batch and the settings alone: all randomness
(order of batches and images, dropout) is derived from the seed and the step's number. So a run that was
interrupted and taken up again ends with the weights of one that was not.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np

from inclinet.arrays import read_arrays, write_arrays
from inclinet.batches import Batch
from inclinet.errors import InclinetError
from inclinet.files import whole_file
from inclinet.networks import build
from inclinet.scaling import to_scaled
from inclinet.schedule import learning_rate
from inclinet.settings import Train

__all__ = ["Trainer", "save_network"]

_VALIDATION_MINIBATCH = 256


class Trainer:
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

    Raises
    ------
    InclinetError
        When there is no such network, or the images are too small for it.
    """

    def __init__(self, model: str, size: int, steps: int, settings: Train) -> None:
        self.network = build(model, size, seed=settings.seed)
        # A name of its own: Keras would count the optimizers of a process, and so rename what snapshots hold.
        adam = keras.optimizers.Adam(settings.learning_rate, name="adam")
        self.network.compile(adam, "mse", metrics=["mse", "mae"])
        self.network.optimizer.build(self.network.trainable_variables)
        self.settings = settings
        self.steps = steps
        self.step = 0
        """The step that the live network has behind it."""

    def _variables(self) -> dict[str, keras.Variable]:
        groups = {"network": self.network.weights, "optimizer": self.network.optimizer.variables}
        return {f"{group}/{v.path}": v for group, variables in groups.items() for v in variables}

    def save(self, path: Path) -> Path:
        """Write a snapshot: every weight, batch-norm statistic and optimizer variable, and the step."""
        state = {name: np.asarray(keras.ops.convert_to_numpy(v)) for name, v in self._variables().items()}
        return write_arrays(path, {**state, "step": np.array(self.step, np.int32)})

    def load(self, path: Path) -> None:
        """Take up a snapshot.

        Raises
        ------
        InclinetError
            When it is damaged or of another network.
        """
        variables = self._variables()
        state = read_arrays(path, [*variables, "step"])
        for name, variable in variables.items():
            if state[name].shape != tuple(variable.shape):
                raise InclinetError(f"{path}: {name} has the shape {state[name].shape}, not {variable.shape}")
        for name, variable in variables.items():
            variable.assign(np.array(state[name]))
        self.step = int(state["step"])

    def _seed_dropout(self, step: int) -> None:
        for i, layer in enumerate(self.network.layers):
            if isinstance(layer, keras.layers.Dropout):
                state = np.random.SeedSequence([self.settings.seed, 2, step, i]).generate_state(2)
                layer.seed_generator.state.assign(state)

    def advance(self, batch: Batch, validation: Batch | None) -> dict[str, float | None]:
        """Take one step: an epoch over `batch`, then the metrics of `validation` (None: recorded as None).

        Returns
        -------
        dict
            `loss`, `mse`, `mae` and `val_loss`, `val_mse`, `val_mae`, in the network's units (22.5 deg).

        Raises
        ------
        InclinetError
            When the loss is no longer finite.
        """
        step = self.step + 1
        self.network.optimizer.learning_rate.assign(learning_rate(step, self.steps, self.settings))
        self._seed_dropout(step)
        order = np.random.default_rng([self.settings.seed, 3, step]).permutation(len(batch.labels))
        chunks = _chunks(order, self.settings.training_batch_size)
        trained = _mean_metrics(self.network.train_on_batch, batch, chunks)
        if not math.isfinite(trained["loss"]):
            raise InclinetError(
                f"step {step}: the loss is {trained['loss']}; lower --learning_rate "
                f"(now {self.settings.learning_rate}) and go on from the last snapshot"
            )
        self.step = step
        return trained | self._validate(validation)

    def _validate(self, validation: Batch | None) -> dict[str, float | None]:
        if validation is None:
            return dict.fromkeys(("val_loss", "val_mse", "val_mae"))
        chunks = _chunks(np.arange(len(validation.labels)), _VALIDATION_MINIBATCH)
        metrics = _mean_metrics(self.network.test_on_batch, validation, chunks)
        return {f"val_{name}": value for name, value in metrics.items()}


def _mean_metrics(run: Callable, batch: Batch, chunks: Iterator[np.ndarray]) -> dict[str, float]:
    """Run mini-batches; returns their metrics averaged over the images."""
    totals: dict[str, float] = {}
    for rows in chunks:
        # Keras gives each mini-batch's own metrics here: the sums are ours.
        metrics = run(batch.images[rows], to_scaled(batch.labels[rows]), return_dict=True)
        for name, value in metrics.items():
            totals[name] = totals.get(name, 0.0) + float(value) * len(rows)
    return {name: total / len(batch.labels) for name, total in totals.items()}


def _chunks(rows: np.ndarray, length: int) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), length):
        yield rows[start : start + length]


def save_network(network: keras.Model, path: Path) -> Path:
    """Save a network, without its optimizer, as one file for `keras.models.load_model`."""
    with whole_file(path) as part:
        # Keras insists on the ending .keras, which the temporary file has.
        keras.Model(network.input, network.output, name=network.name).save(part)
    return path
