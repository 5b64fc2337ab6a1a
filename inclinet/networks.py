"""The VGG-style networks: pixels 0–255 in, one number in [−1, 1] (or class probabilities) out."""

from dataclasses import dataclass

import keras
from keras import layers

from inclinet.errors import InclinetError

__all__ = ["MODELS", "Block", "Network", "build", "check_model", "smallest_size"]

_KERNEL = 3


@dataclass(frozen=True)
class Block:
    """Two 3×3 convolutions, then batch normalisation if wanted, pooling and dropout."""

    filters: int
    pool: int
    normalised: bool = True
    dropout: float = 0.25


@dataclass(frozen=True)
class Network:
    """Convolution blocks followed by dense layers."""

    blocks: tuple[Block, ...]
    dense: tuple[int, ...]


MODELS = {
    "model4": Network((Block(16, 2, normalised=False), Block(32, 4)), (256, 32, 8)),
    "model5": Network((Block(128, 2, normalised=False), Block(256, 4), Block(256, 4, dropout=0)), (256, 128, 64, 8)),
    "model6": Network((Block(32, 2, normalised=False), Block(64, 4)), (128, 64, 8)),
}


def check_model(name: str) -> None:
    """Raise `InclinetError` when there is no such network."""
    if name not in MODELS:
        raise InclinetError(f"there is no network {name!r} (option --modelName); choose one of {', '.join(MODELS)}")


def smallest_size(name: str) -> int:
    """Return the smallest image side (pixels) that a network takes."""
    size = 1
    for block in reversed(MODELS[name].blocks):
        size = size * block.pool + 2 * (_KERNEL - 1)
    return size


def build(name: str, size: int, *, classes: int | None = None, seed: int = 0) -> keras.Model:
    """Return an untrained network.

    Parameters
    ----------
    size : int
        Side (pixels) of the images, which are (N, size, size, 3) with values 0–255; the network scales them.
    classes : int or None
        None for regression: one `tanh` output (N, 1). Else `softmax` over so many classes.
    seed : int
        Seed of the initial weights.

    Raises
    ------
    InclinetError
        When there is no such network or the images are too small for it.
    """
    check_model(name)
    least = smallest_size(name)
    if size < least:
        raise InclinetError(f"--size {size} is too small for {name}: the smallest size that works is {least}")
    network = MODELS[name]
    seeds = iter(range(1000 * seed, 1000 * seed + 1000))

    def start() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=next(seeds))

    inputs = x = keras.Input((size, size, 3), name="pixels")
    x = layers.Rescaling(1 / 255, name="scale")(x)
    for b, block in enumerate(network.blocks, 1):
        for c in (1, 2):
            convolution = layers.Conv2D(
                block.filters, _KERNEL, activation="relu", kernel_initializer=start(), name=f"conv{b}_{c}"
            )
            x = convolution(x)
        if block.normalised:
            # Runs here have hundreds of updates, not the tens of thousands that Keras's 0.99 is made for.
            x = layers.BatchNormalization(momentum=0.9, name=f"norm{b}")(x)
        x = layers.MaxPooling2D(block.pool, name=f"pool{b}")(x)
        if block.dropout:
            x = layers.Dropout(block.dropout, seed=next(seeds), name=f"dropout{b}")(x)
    x = layers.Flatten(name="flat")(x)
    for d, units in enumerate(network.dense, 1):
        x = layers.Dense(units, activation="relu", kernel_initializer=start(), name=f"dense{d}")(x)
    # A twentieth of Glorot's weights: the output starts near 0, where tanh is steep, whatever the image.
    small = keras.initializers.VarianceScaling(0.05**2, "fan_avg", "uniform", seed=next(seeds))
    activation = "softmax" if classes else "tanh"
    outputs = layers.Dense(classes or 1, activation=activation, kernel_initializer=small, name="inclination")(x)
    return keras.Model(inputs, outputs, name=name)
