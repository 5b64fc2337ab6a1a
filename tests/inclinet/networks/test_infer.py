import numpy as np
import pytest

from inclinet.errors import InclinetError
from inclinet.networks.build import build
from inclinet.networks.infer import load_network, predict_images
from inclinet.networks.save import save_network

SIZE = 24


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_network(build("model4", SIZE, seed=3), tmp_path_factory.mktemp("network") / "a.keras")


def test_the_same_network_gives_the_same_bytes(saved, tmp_path):
    again = save_network(build("model4", SIZE, seed=3), tmp_path / "b.keras")
    assert again.read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:3000],
        lambda data: data[:-5],
        lambda data: data[:3000] + bytes([data[3000] ^ 255]) + data[3001:],
        lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 255]) + data[len(data) // 2 + 1 :],
        lambda data: data.replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xeb"),  # of a later zip
    ],
)
def test_a_damaged_network_is_named(saved, tmp_path, damage):
    path = tmp_path / "damaged.keras"
    path.write_bytes(damage(saved.read_bytes()))
    with pytest.raises(InclinetError, match="damaged.keras: not a trained network"):
        load_network(path)


def test_predictions_do_not_depend_on_orientation_and_polarity(saved):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (3, SIZE, SIZE, 3), dtype=np.uint8)
    network = load_network(saved)
    mean, spread = predict_images(network, images)
    assert mean.shape == spread.shape == (3,)
    for same in (np.rot90(images, axes=(1, 2)), images[:, :, ::-1], 255 - images):
        again = predict_images(network, np.ascontiguousarray(same))
        np.testing.assert_allclose(again, (mean, spread), atol=1e-3)


def test_no_image_gives_no_prediction(saved):
    mean, spread = predict_images(load_network(saved), np.empty((0, SIZE, SIZE, 3), np.uint8))
    assert mean.shape == spread.shape == (0,)
