"""Mini-batches: feed the images of a stored batch to the device, and average the metrics."""

import math
from collections.abc import Callable

import keras
import numpy as np

from inclinet.data.inclination import to_scaled
from inclinet.data.samples import Batch
from inclinet.networks.devices import on_gpu
from inclinet.training.history import METRICS

__all__ = ["MiniBatches", "evaluate_minibatches", "fit_minibatches"]


class MiniBatches(keras.utils.PyDataset):
    """The mini-batches of a stored batch. Images stay uint8 on their way to the device.

    Parameters
    ----------
    batch : Batch
    rows : ndarray of int
        Rows of the batch, in the order to take them.
    length : int
        Images in a mini-batch; the last one may be shorter.
    weights : ndarray of float32, optional
        Of the labels of the batch, in the loss; by default all are the same.
    """

    def __init__(self, batch: Batch, rows: np.ndarray, length: int, weights: np.ndarray | None = None) -> None:
        super().__init__()
        self.batch, self.rows, self.length, self.weights = batch, rows, length, weights

    def __len__(self) -> int:
        return -(-len(self.rows) // self.length)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        rows = self.rows[index * self.length : (index + 1) * self.length]
        images, labels = self.batch.images[rows], to_scaled(self.batch.labels[rows])[:, None]
        return (images, labels) if self.weights is None else (images, labels, self.weights[rows])


def fit_minibatches(network: keras.Model, minibatches: MiniBatches, rates: np.ndarray) -> dict[str, float]:
    """Train a compiled network on each mini-batch once, in order; returns the metrics averaged over the images.

    `rates` holds the learning rate of each mini-batch, (len(minibatches),).
    """

    def set_rate(index: int, logs: object = None) -> None:
        if index == 0 or rates[index] != rates[index - 1]:
            network.optimizer.learning_rate.assign(rates[index])

    if _keras_loop_is_faster():
        schedule = keras.callbacks.LambdaCallback(on_train_batch_begin=set_rate)
        history = network.fit(minibatches, shuffle=False, verbose=0, callbacks=[schedule]).history
        return {name: float(values[-1]) for name, values in history.items()}

    def train(index: int, *minibatch: np.ndarray) -> dict[str, float]:
        set_rate(index)
        return network.train_on_batch(*minibatch, return_dict=True)

    return _average(train, minibatches)


def evaluate_minibatches(network: keras.Model, minibatches: MiniBatches) -> dict[str, float]:
    """Measure a compiled network on all mini-batches; returns the metrics averaged over the images."""
    if _keras_loop_is_faster():
        metrics = network.evaluate(minibatches, verbose=0, return_dict=True)
        return {name: float(value) for name, value in metrics.items()}
    return _average(lambda _, *minibatch: network.test_on_batch(*minibatch, return_dict=True), minibatches)


def _keras_loop_is_faster() -> bool:
    """Return whether Keras's own loop over mini-batches keeps the device busier than `_average`.

    It sends a mini-batch without waiting for the metrics of the one before. But with TensorFlow on a CPU, its threads
    compete with the arithmetic for the cores: a step took 9 to 20 s with it, and 11 s with `_average`.
    """
    return on_gpu() or keras.backend.backend() != "tensorflow"


def _average(run: Callable, minibatches: MiniBatches) -> dict[str, float]:
    """Run mini-batches; returns their metrics averaged over the images. Stops at the first loss that is not finite."""
    totals = dict.fromkeys(METRICS, 0.0)
    for index in range(len(minibatches)):
        minibatch = minibatches[index]
        metrics = run(index, *minibatch)  # of this mini-batch only
        for name in totals:
            totals[name] += float(metrics[name]) * len(minibatch[0])
        if not math.isfinite(metrics["loss"]):
            break
    return {name: total / len(minibatches.rows) for name, total in totals.items()}
