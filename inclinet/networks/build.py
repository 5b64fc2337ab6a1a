"""The networks in Keras: pixels 0–255 in, one number in [−1, 1] (or class probabilities) out."""

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from inclinet.networks.architectures import KERNEL, MODELS, Network, Residual, check_fits

__all__ = ["build"]

_LUMA = [[[[0.299], [0.587], [0.114]]]]  # of red, green and blue: ITU-R BT.601, as Pillow converts to gray


def build(
    name: str, size: int, *, classes: int | None = None, seed: int = 0, precision: str = "float32"
) -> keras.Model:
    """Return an untrained network.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    size : int
        Side of the images (pixels). The network takes an array of shape (N, size, size, 3) with values 0–255, and
        scales them itself.
    classes : int, optional
        Number of classes of a classifier, whose `softmax` output has shape (N, classes). By default the network is a
        regression, whose `tanh` output has shape (N, 1).
    seed : int
        Seed of the initial weights (Glorot & Bengio 2010, uniform) and of dropout.
    precision : {'float32', 'bfloat16'}
        Arithmetic of the layers. Weights, output and loss are float32 in both.

    Raises
    ------
    InclinetError
        When the network does not exist, or the images are too small for it.
    """
    check_fits([name], size)
    network = MODELS[name]
    policy = keras.DTypePolicy("float32" if precision == "float32" else f"mixed_{precision}")
    seeds = iter(range(1000 * seed, 1000 * seed + 1000))
    inputs = keras.Input((size, size, 3), name="pixels")
    if isinstance(network, Residual):
        x = _residual(network, inputs, policy, seeds)
    else:
        x = _plain(network, inputs, policy, seeds)
    # A twentieth of Glorot's weights: for any image, the output starts near 0, where tanh is steep.
    small = keras.initializers.VarianceScaling(0.05**2, "fan_avg", "uniform", seed=next(seeds))
    activation = "softmax" if classes else "tanh"
    last = layers.Dense(
        classes or 1, activation=activation, kernel_initializer=small, dtype="float32", name="inclination"
    )
    return keras.Model(inputs, last(x), name=name)


def _glorot(seeds: Iterator[int]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=next(seeds))


def _plain(
    network: Network, x: keras.KerasTensor, policy: keras.DTypePolicy, seeds: Iterator[int]
) -> keras.KerasTensor:
    """Return the output of the layers before the last, of convolution blocks and dense layers."""
    x = layers.Rescaling(1 / 255, dtype="float32", name="scale")(x)
    for b, block in enumerate(network.blocks, 1):
        for c in (1, 2):
            convolution = layers.Conv2D(
                block.filters,
                KERNEL,
                activation="relu",
                kernel_initializer=_glorot(seeds),
                dtype=policy,
                name=f"conv{b}_{c}",
            )
            x = convolution(x)
        if block.normalised:
            # Keras's default momentum, 0.99, suits tens of thousands of updates; a run here may have only hundreds.
            x = layers.BatchNormalization(momentum=0.9, dtype=policy, name=f"norm{b}")(x)
        x = layers.MaxPooling2D(block.pool, dtype=policy, name=f"pool{b}")(x)
        if block.dropout:
            x = layers.Dropout(block.dropout, seed=next(seeds), dtype=policy, name=f"dropout{b}")(x)
    x = layers.Flatten(dtype=policy, name="flat")(x)
    for d, units in enumerate(network.dense, 1):
        dense = layers.Dense(
            units, activation="relu", kernel_initializer=_glorot(seeds), dtype=policy, name=f"dense{d}"
        )
        x = dense(x)
    return x


def _residual(
    network: Residual, x: keras.KerasTensor, policy: keras.DTypePolicy, seeds: Iterator[int]
) -> keras.KerasTensor:
    """Return the output of the layers before the last, of a residual network."""

    def convolution(x: keras.KerasTensor, filters: int, name: str, kernel: int = KERNEL, stride: int = 1) -> Any:
        return layers.Conv2D(
            filters,
            kernel,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer=_glorot(seeds),
            dtype=policy,
            name=name,
        )(x)

    def normalised(x: keras.KerasTensor, name: str) -> Any:
        # Between Keras's 0.99 and the 0.9 of the plain networks: its runs have a thousand updates or more.
        return layers.BatchNormalization(momentum=0.97, dtype=policy, name=name)(x)

    def relu(x: keras.KerasTensor, name: str) -> Any:
        return layers.Activation("relu", dtype=policy, name=name)(x)

    gray = layers.Conv2D(
        1,
        1,
        use_bias=False,
        kernel_initializer=keras.initializers.Constant(_LUMA),
        trainable=False,
        dtype="float32",
        name="gray",
    )
    x = layers.Rescaling(1 / 127.5, -1, dtype="float32", name="scale")(gray(x))
    x = relu(normalised(convolution(x, network.stem, "stem"), "stem_norm"), "stem_relu")
    x = layers.MaxPooling2D(2, dtype=policy, name="stem_pool")(x)
    for b, (filters, halves) in enumerate(network.blocks, 1):
        shortcut = x
        x = convolution(x, filters, f"block{b}_conv1", stride=2 if halves else 1)
        x = relu(normalised(x, f"block{b}_norm1"), f"block{b}_relu1")
        x = normalised(convolution(x, filters, f"block{b}_conv2"), f"block{b}_norm2")
        if halves:
            shortcut = layers.AveragePooling2D(2, padding="same", dtype=policy, name=f"block{b}_pool")(shortcut)
        if shortcut.shape[-1] != filters:
            shortcut = convolution(shortcut, filters, f"block{b}_shortcut", kernel=1)
        x = relu(layers.Add(dtype=policy, name=f"block{b}_add")([x, shortcut]), f"block{b}_relu2")
    x = layers.GlobalAveragePooling2D(dtype=policy, name="mean")(x)
    x = layers.Dropout(network.dropout, seed=next(seeds), dtype=policy, name="dropout")(x)
    dense = layers.Dense(
        network.dense, activation="relu", kernel_initializer=_glorot(seeds), dtype=policy, name="features"
    )
    return dense(x)
