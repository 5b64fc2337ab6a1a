import numpy as np
import pytest

from inclinet.errors import InclinetError
from inclinet.networks.architectures import MODELS, smallest_size
from inclinet.networks.build import build


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
    with pytest.raises(InclinetError, match="no network 'model9'.*choose model4, model5, model6"):
        build("model9", 128)
