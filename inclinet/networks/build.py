"""The networks in Keras: pixels 0–255 in, one number in [−1, 1] (or class probabilities) out."""

import keras
from keras import layers

from inclinet.networks.architectures import KERNEL, MODELS, check_fits

__all__ = ["build"]


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

    def glorot() -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=next(seeds))

    inputs = x = keras.Input((size, size, 3), name="pixels")
    x = layers.Rescaling(1 / 255, dtype="float32", name="scale")(x)
    for b, block in enumerate(network.blocks, 1):
        for c in (1, 2):
            convolution = layers.Conv2D(
                block.filters,
                KERNEL,
                activation="relu",
                kernel_initializer=glorot(),
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
        x = layers.Dense(units, activation="relu", kernel_initializer=glorot(), dtype=policy, name=f"dense{d}")(x)
    # A twentieth of Glorot's weights: for any image, the output starts near 0, where tanh is steep.
    small = keras.initializers.VarianceScaling(0.05**2, "fan_avg", "uniform", seed=next(seeds))
    activation = "softmax" if classes else "tanh"
    last = layers.Dense(
        classes or 1, activation=activation, kernel_initializer=small, dtype="float32", name="inclination"
    )
    return keras.Model(inputs, last(x), name=name)
