import numpy as np
import pytest
from PIL import Image

from inclinet.errors import InclinetError
from inclinet.networks.architectures import MODELS, smallest_size
from inclinet.networks.build import build
from inclinet.networks.load import load_keras
from inclinet.networks.save import save_network


@pytest.mark.parametrize(("name", "weights"), [("model4", 1_631_169), ("model5", 2_522_705), ("model6", 1_680_369)])
def test_weights_are_the_published_numbers(name, weights):
    assert build(name, 128).count_params() == weights


@pytest.mark.parametrize("name", MODELS)
def test_the_smallest_size_works_and_one_less_does_not(name):
    least = smallest_size(name)
    assert np.asarray(build(name, least)(np.zeros((1, least, least, 3)))).shape == (1, 1)
    with pytest.raises(InclinetError, match=f"smallest size that works is {least}"):
        build(name, least - 1)


def test_model5_needs_76_pixels():
    assert smallest_size("model5") == 76


def test_classes_give_probabilities():
    out = np.asarray(build("model4", 32, classes=3)(np.zeros((2, 32, 32, 3))))
    assert out.shape == (2, 3)
    assert out.sum(axis=1) == pytest.approx(1)


def test_the_seed_decides_the_weights():
    first, same, other = (build("model4", 32, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_unknown_network():
    with pytest.raises(InclinetError, match="no network 'model9'.*choose residual, model4, model5, model6"):
        build("model9", 128)


def test_the_residual_network_takes_any_size_with_the_same_weights():
    assert smallest_size("residual") == 16
    small, large = build("residual", 16), build("residual", 64)
    assert small.count_params() == large.count_params() == 1_319_100
    assert [weight.shape for weight in small.weights] == [weight.shape for weight in large.weights]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_residual_network_sees_gray_and_survives_its_file(tmp_path, precision):
    network = build("residual", 32, precision=precision)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    gray = np.asarray([np.asarray(Image.fromarray(image).convert("L")) for image in pixels])
    answers = network.predict_on_batch(pixels)
    assert answers == pytest.approx(network.predict_on_batch(np.repeat(gray[..., None], 3, 3)), abs=2e-4)
    loaded = load_keras(save_network(network, tmp_path / "network.keras"))
    assert np.array_equal(loaded.predict_on_batch(pixels), answers)
    assert "gray" not in {weight.path.split("/")[0] for weight in loaded.trainable_weights}
