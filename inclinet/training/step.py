"""One live network: take a step, read its state, restore it.

A step depends only on the state before it, the stored batch and the settings: everything random (the order of the
images, dropout) follows from the seed and the number of the step. So an interrupted run that is resumed ends with the
same weights as a run without interruption.
"""

import math
import time
from collections.abc import Callable, Mapping
from functools import partial

import keras
import numpy as np
import psutil

from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.networks.build import build
from inclinet.networks.devices import device_name, on_gpu, share_among_gpus
from inclinet.settings import Train
from inclinet.training.label_errors import LabelErrors, label_weights
from inclinet.training.minibatches import MiniBatches, evaluate_minibatches, fit_minibatches
from inclinet.training.schedule import learning_rates

__all__ = ["NetworkStepper", "network_weights", "weights_in"]

_MEASURING_MINIBATCH = 256
_HUBER_DELTA = 0.2  # 4.5 deg
# Both backends use exceptions that also mean other things: only the text tells.
_OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "OOM when allocating", "Out of memory")

Arrays = dict[str, np.ndarray]


class NetworkStepper:
    """A network kept alive between steps, with its optimizer and its compiled training function.

    Parameters
    ----------
    model : str
        Name of the network.
    size : int
        Side of the images (pixels).
    steps : int
        Number of steps of the whole run, for the learning rate.
    settings : Train
    precision : {'float32', 'bfloat16'}
    label_errors : mapping of int to float, optional
        Errors of labels (deg) by PGC number, which weigh them; by default all weigh the same.

    Attributes
    ----------
    network : keras.Model
    step : int
        Number of steps that the network has taken.
    images_per_second : float
        Speed of training in the last step.

    Raises
    ------
    InclinetError
        When the network does not exist, or the images are too small for it.
    """

    def __init__(
        self,
        model: str,
        size: int,
        steps: int,
        settings: Train,
        precision: str = "float32",
        label_errors: LabelErrors | None = None,
    ) -> None:
        self._devices = share_among_gpus()
        self.network = build(model, size, seed=settings.seed, precision=precision)
        # XLA is faster on GPUs; on a CPU, TensorFlow's own kernels are four times faster. JAX has nothing but XLA.
        compiled = on_gpu() or keras.backend.backend() == "jax"
        self.network.compile(_optimizer(settings), _loss(settings), metrics=["mse", "mae"], jit_compile=compiled)
        self.network.optimizer.build(self.network.trainable_variables)
        self.model, self.size, self.settings, self.steps = model, size, settings, steps
        self._label_errors = label_errors or {}
        self.step = 0
        self.images_per_second = math.nan

    def _variables(self) -> dict[str, keras.Variable]:
        optimizer = {f"optimizer/{variable.path}": variable for variable in self.network.optimizer.variables}
        return _weights_of(self.network) | optimizer

    def state(self) -> Arrays:
        """Return a copy of every weight, batch-norm statistic and optimizer variable, by name."""
        return _copies(self._variables())

    def weights(self) -> Arrays:
        """Return a copy of every weight and batch-norm statistic, by name: the part of the state that predicts."""
        return network_weights(self.network)

    def restore(self, state: Mapping[str, np.ndarray], step: int) -> None:
        """Restore the state after a step; other names in `state` are ignored.

        Raises
        ------
        InclinetError
            When it is the state of another network.
        """
        self._assign(self._variables(), state, "the snapshot does")
        self.step = step

    def start_from(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take over the weights and batch-norm statistics of a trained network, by name; the optimizer stays new.

        Raises
        ------
        InclinetError
            When they are those of another network.
        """
        try:
            self._assign(_weights_of(self.network), weights, "the weights to start from do")
        except InclinetError as error:
            raise InclinetError(str(error), setting="start") from None

    def _assign(self, variables: Mapping[str, keras.Variable], values: Mapping[str, np.ndarray], what: str) -> None:
        """Assign to all variables, or to none if a value is missing or has another shape."""
        for name, variable in variables.items():
            shape = values[name].shape if name in values else None
            if shape != tuple(variable.shape):
                raise InclinetError(
                    f"{what} not belong to {self.model} at {self.size} pixels: the shape of {name} is {shape}, not "
                    f"{tuple(variable.shape)}"
                )
        for name, variable in variables.items():
            variable.assign(np.array(values[name]))

    def _seed_dropout(self, step: int) -> None:
        for i, layer in enumerate(self.network.layers):
            if isinstance(layer, keras.layers.Dropout):
                state = np.random.SeedSequence([self.settings.seed, 2, step, i]).generate_state(2)
                layer.seed_generator.state.assign(state)

    def advance(self, batch: Batch) -> dict[str, float]:
        """Take one step, an epoch over `batch`; returns its metrics.

        Raises
        ------
        InclinetError
            When the loss is not finite, or there is not enough memory. The state of the network is undefined then.
        """
        step = self.step + 1
        self._seed_dropout(step)
        order = np.random.default_rng([self.settings.seed, 3, step]).permutation(len(batch.labels))
        order = order[: len(order) - len(order) % self._devices]
        self._check_memory(min(len(order), self.settings.training_batch_size))
        start = time.perf_counter()
        weights = label_weights(batch.pgcs, self._label_errors) if self._label_errors else None
        minibatches = MiniBatches(batch, order, self.settings.training_batch_size, weights)
        rates = learning_rates(step, self.steps, len(minibatches), self.settings)
        metrics = self._run(partial(fit_minibatches, rates=rates), minibatches)
        self.images_per_second = len(order) / (time.perf_counter() - start)
        if not math.isfinite(metrics["loss"]):
            raise InclinetError(
                f"the loss is {metrics['loss']} at learning rate {rates[-1]:.3g}: lower learning_rate "
                f"(now {self.settings.learning_rate}) and train again from the start",
                setting="learning_rate",
            )
        self.step = step
        return metrics

    def measure(self, batch: Batch) -> dict[str, float]:
        """Return the metrics of the network on a batch, without training on it."""
        order = np.arange(len(batch.labels) - len(batch.labels) % self._devices)
        return self._run(evaluate_minibatches, MiniBatches(batch, order, _MEASURING_MINIBATCH))

    def _run(
        self, run: Callable[[keras.Model, MiniBatches], dict[str, float]], minibatches: MiniBatches
    ) -> dict[str, float]:
        try:
            return run(self.network, minibatches)
        except Exception as error:
            if not _is_out_of_memory(error):
                raise
            raise self._out_of_memory() from error

    def _out_of_memory(self) -> InclinetError:
        return InclinetError(
            f"{device_name()} does not have enough memory for {self.model} at {self.size} pixels: lower "
            f"training_batch_size (now {self.settings.training_batch_size})",
            setting="training_batch_size",
        )

    def _check_memory(self, images: int) -> None:
        """Refuse a mini-batch whose layer outputs cannot fit in memory: on a CPU, TensorFlow would just be killed."""
        numbers = sum(math.prod(layer.output.shape[1:]) for layer in self.network.layers)
        smallest = 2 * numbers * images  # bytes, if every number were bfloat16
        if not on_gpu() and smallest > psutil.virtual_memory().available:
            raise self._out_of_memory()

    def finished(self, weights: Mapping[str, np.ndarray] | None = None) -> keras.Model:
        """Return a network for predicting: in float32, which every machine computes well, and without optimizer.

        Parameters
        ----------
        weights : mapping of str to ndarray, optional
            Weights by name, as `weights` returns them; by default those of the live network.
        """
        network = build(self.model, self.size)
        weights = self.weights() if weights is None else weights
        for name, variable in _weights_of(network).items():
            variable.assign(weights[name])
        return network


def _optimizer(settings: Train) -> keras.optimizers.Optimizer:
    # With a fixed name: by default Keras numbers the optimizers of a process, and snapshots hold that name.
    if settings.optimizer == "adam":
        return keras.optimizers.Adam(settings.learning_rate, name="adam")
    adamw = keras.optimizers.AdamW(settings.learning_rate, weight_decay=settings.weight_decay, name="adamw")
    adamw.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return adamw


def _loss(settings: Train) -> keras.losses.Loss:
    return keras.losses.MeanSquaredError() if settings.loss == "mse" else keras.losses.Huber(_HUBER_DELTA)


def network_weights(network: keras.Model) -> Arrays:
    """Return a copy of every weight and batch-norm statistic of a network, by name."""
    return _copies(_weights_of(network))


def weights_in(state: Mapping[str, np.ndarray]) -> Arrays:
    """Return the part of a state that predicts, as `NetworkStepper.weights` does of the live network."""
    return {name: array for name, array in state.items() if name.startswith("network/")}


def _weights_of(network: keras.Model) -> dict[str, keras.Variable]:
    return {f"network/{variable.path}": variable for variable in network.weights}


def _copies(variables: Mapping[str, keras.Variable]) -> Arrays:
    return {name: np.array(keras.ops.convert_to_numpy(variable)) for name, variable in variables.items()}


def _is_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)
