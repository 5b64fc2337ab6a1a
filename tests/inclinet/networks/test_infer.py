import numpy as np
import pytest

from inclinet.networks.build import build
from inclinet.networks.export import export_network
from inclinet.networks.infer import ORIENTATIONS, predict_images
from inclinet.networks.load import as_network, load_network

SIZE = 24


@pytest.fixture(scope="module", params=["Keras", "onnxruntime"])
def network(request, tmp_path_factory):
    model = build("model4", SIZE, seed=3)
    if request.param == "Keras":
        return as_network(model)
    return load_network(export_network(model, tmp_path_factory.mktemp("network") / "a.onnx"))


def test_predictions_do_not_depend_on_orientation_and_polarity(network):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (3, SIZE, SIZE, 3), dtype=np.uint8)
    mean, spread = predict_images(network, images)
    assert mean.shape == spread.shape == (3,)
    for same in (np.rot90(images, axes=(1, 2)), images[:, :, ::-1], 255 - images):
        again = predict_images(network, np.ascontiguousarray(same))
        np.testing.assert_allclose(again, (mean, spread), atol=1e-3)


def test_no_image_gives_no_prediction(network):
    mean, spread = predict_images(network, np.empty((0, SIZE, SIZE, 3), np.uint8))
    assert mean.shape == spread.shape == (0,)


def test_all_orientations_differ_and_any_views_can_be_averaged():
    image = np.zeros((1, 4, 4, 3), np.uint8)
    image[0, 0, 1] = 1
    views = [view.of(image) for view in ORIENTATIONS]
    assert len({view.tobytes() for view in map(np.ascontiguousarray, views)}) == 8
    calls = []

    def brightest_row(images):
        calls.append(len(images))
        return images.max(axis=(2, 3)).argmax(axis=1).astype(float)

    mean, spread = predict_images(brightest_row, np.repeat(image, 300, axis=0), ORIENTATIONS[:2])
    assert calls == [64] * 9 + [24]
    assert (mean[0], spread[0]) == (pytest.approx(45 + 22.5 * 2), pytest.approx(22.5))
    assert len(mean) == 300


def test_views_take_the_frames_of_a_galaxy_in_turn():
    images = np.zeros((2, 3, 4, 4, 3), np.uint8)
    images[1] = np.arange(3)[:, None, None, None]

    def brightness(images):
        return images.mean(axis=(1, 2, 3)).astype(float)

    mean, spread = predict_images(brightness, images)
    np.testing.assert_allclose(mean, [67.5, 67.5 + 22.5 * (3 * 0 + 3 * 1 + 2 * 2) / 8])
    np.testing.assert_array_equal(spread, 0)


def test_the_spread_of_several_frames_is_that_of_one(network):
    images = np.random.default_rng(0).integers(0, 100, (40, SIZE, SIZE, 3), dtype=np.uint8)
    mean, spread = predict_images(network, images)
    again, same = predict_images(network, np.repeat(images[:, None], 3, axis=1))
    np.testing.assert_allclose(again, mean, atol=1e-3)
    assert same.mean() == pytest.approx(spread.mean(), rel=0.1)
