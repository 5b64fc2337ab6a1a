"""Exported networks answer as Keras does, in few bytes, and the same network gives the same bytes."""

import keras
import numpy as np
import pytest
from keras import layers

from inclinet.data.inclination import UNIT
from inclinet.errors import InclinetError
from inclinet.networks import export
from inclinet.networks.architectures import MODELS, smallest_size
from inclinet.networks.build import build
from inclinet.networks.export import export_network
from inclinet.networks.runtime import ExportedNetwork
from tests.conftest import disc

N = 12


def residual(size=32, channels=3, precision="float32"):
    """A small residual network: strides, same padding, averages, and a shortcut."""

    def convolution(x, filters, stride=1, kernel=3):
        x = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, dtype=policy)(x)
        return layers.BatchNormalization(dtype=policy)(x)

    policy = keras.DTypePolicy(precision)
    inputs = keras.Input((size, size, channels))
    x = layers.Rescaling(1 / 127.5, -1)(inputs)
    x = layers.MaxPooling2D(2, dtype=policy)(layers.Activation("relu", dtype=policy)(convolution(x, 24)))
    for filters, stride in ((32, 1), (48, 2), (80, 2)):
        shortcut = layers.AveragePooling2D(2, padding="same", dtype=policy)(x) if stride > 1 else x
        shortcut = layers.Conv2D(filters, 1, use_bias=False, dtype=policy)(shortcut)
        x = layers.Activation("relu", dtype=policy)(convolution(x, filters, stride))
        x = layers.Add(dtype=policy)([convolution(x, filters), shortcut])
        x = layers.Activation("relu", dtype=policy)(x)
    x = layers.Dropout(0.2, dtype=policy)(layers.GlobalAveragePooling2D(dtype=policy)(x))
    x = layers.Dense(16, activation="relu", dtype=policy, name="features")(x)
    return keras.Model(inputs, layers.Dense(1, activation="tanh", dtype="float32", name="inclination")(x))


def trained(network):
    """Train a network a little, so that no weight is what it was made as, and its answers lie far apart."""
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.7  # so few updates are enough
    network.compile(keras.optimizers.Adam(2e-3), "mse")
    images, targets = pixels(network), np.linspace(-0.9, 0.9, N)
    for _ in range(20):
        for _ in range(5):
            network.train_on_batch(images, targets)
        if np.ptp(network.predict_on_batch(images)) * UNIT > 4:
            break
    return network


def pixels(network):
    """Discs from 45 to 90 deg."""
    _, size, _, channels = network.input_shape
    return np.stack([disc(size, angle)[..., :channels] for angle in np.linspace(45, 90, N)])


def exported(network, path, **options):
    return ExportedNetwork(export_network(network, path / "network.onnx", **options))


def difference(network, other):
    """Return the largest difference between the answers of a Keras network and another (deg)."""
    images = pixels(network)
    answers = np.asarray(network.predict_on_batch(images))[:, 0]
    assert UNIT * np.ptp(answers) > 4
    return UNIT * np.abs(other(images) - answers).max()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in ("model5", "model6"))) for name in MODELS]
)
def test_every_architecture_answers_as_keras_does(tmp_path, name):
    network = trained(build(name, max(24, smallest_size(name))))
    assert difference(network, exported(network, tmp_path, compact=False)) < 1e-4
    assert difference(network, exported(network, tmp_path, compact=True)) < 0.01


@pytest.mark.parametrize(("size", "channels"), [(32, 3), (33, 1), (50, 3)])
def test_a_residual_network_of_any_size_answers_as_keras_does(tmp_path, size, channels):
    """Odd sides: what `same` padding adds is no longer the same at both ends."""
    network = trained(residual(size, channels))
    assert difference(network, exported(network, tmp_path)) < 1e-4


def test_a_network_trained_in_bfloat16_is_exported_in_float32(tmp_path):
    network = trained(residual())
    other = residual(precision="mixed_bfloat16")
    other.set_weights(network.get_weights())
    assert difference(network, exported(other, tmp_path)) < 1e-4


def test_any_number_of_images(tmp_path):
    network = trained(residual())
    other = exported(network, tmp_path)
    images = pixels(network)
    for n in (0, 1, 5):
        np.testing.assert_allclose(other(images[:n]), other(images)[:n], atol=1e-5)


def test_the_same_network_gives_the_same_bytes(tmp_path):
    network = residual()
    keras.Sequential([layers.Dense(1)])  # Keras numbers layers as they come
    paths = [export_network(network, tmp_path / f"{n}.onnx") for n in range(2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert export_network(residual(), paths[1]).stat().st_size > 0


def test_large_networks_are_stored_in_16_bits(tmp_path, monkeypatch):
    network = residual()
    exact = export_network(network, tmp_path / "exact.onnx").read_bytes()
    assert len(exact) == pytest.approx(4 * network.count_params(), rel=0.1)
    monkeypatch.setattr(export, "MAX_BYTES", len(exact) - 1)
    compact = export_network(network, tmp_path / "compact.onnx").read_bytes()
    assert len(compact) < 0.6 * len(exact)
    assert export_network(network, tmp_path / "asked.onnx", compact=True).read_bytes() == compact
    assert export_network(network, tmp_path / "not.onnx", compact=False).read_bytes() == exact


@pytest.mark.parametrize(
    ("layer", "problem"),
    [
        (layers.Activation("elu"), "activation elu cannot be exported"),
        (layers.SeparableConv2D(4, 3), "layers of the kind SeparableConv2D cannot be exported"),
        (layers.BatchNormalization(axis=1), "only layers with the channels last"),
    ],
)
def test_what_cannot_be_exported_is_named(tmp_path, layer, problem):
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(layer(inputs))))
    with pytest.raises(InclinetError, match=f"layer {layer.name}: .*{problem}"):
        export_network(network, tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())
