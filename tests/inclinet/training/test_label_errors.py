import numpy as np
import pytest

from inclinet.data.catalog import read_catalog
from inclinet.data.inclination import UNIT
from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.settings import Train
from inclinet.storage.npz import read_arrays
from inclinet.training.label_errors import label_weights, read_label_errors, write_label_errors
from inclinet.training.step import NetworkStepper
from inclinet.training.train import train_network
from tests.conftest import write_catalog
from tests.inclinet.conftest import SIZE


def test_a_label_weighs_less_the_larger_its_error():
    weights = label_weights(np.array([1, 2, 3, 4]), {1: 1.0, 2: 2.6, 3: 10.0})
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [15.76 / 10, 1, 15.76 / 109, 1], rtol=1e-6)


def test_errors_are_those_of_labels_that_regression_uses(tmp_path):
    rows = [
        {"pgc": 1, "inc": 60, "INC_E": 2.5, "inc_flg": 0, "fon": "", "inc_note": ""},
        {"pgc": 2, "inc": 40, "INC_E": 3, "inc_flg": 0, "fon": "", "inc_note": ""},
        {"pgc": 3, "inc": 70, "INC_E": 0, "inc_flg": 0, "fon": "", "inc_note": ""},
        {"pgc": 4, "inc": 70, "INC_E": "?", "inc_flg": 0, "fon": "", "inc_note": ""},
        {"pgc": 5, "inc": 0, "INC_E": 4, "inc_flg": 1, "fon": "F", "inc_note": ""},
    ]
    errors = read_catalog(write_catalog(tmp_path / "catalog.csv", rows)).errors
    assert errors == {1: 2.5}
    assert read_label_errors(write_label_errors(tmp_path / "errors.json", errors)) == errors


def test_a_catalogue_without_errors_has_none(small_sample):
    assert read_catalog(small_sample / "catalog.csv").errors == {}


def batch(labels, pgcs):
    images = np.random.default_rng(1).integers(0, 255, (len(labels), SIZE, SIZE, 3), np.uint8)
    return Batch(images, np.array(labels, np.int32), np.array(pgcs, np.int32), np.full(len(labels), "c", "S1"))


@pytest.mark.parametrize("loss", ["huber", "mse"])
def test_labels_of_large_errors_hardly_pull_the_network(loss):
    """Galaxies 1 to 16 are labelled 50 deg, the others 85; whichever labels are trusted, the network follows them."""
    labels, pgcs = [50] * 16 + [85] * 16, range(1, 33)
    settings = Train(loss=loss, training_batch_size=32, warm_up=0, learning_rate=3e-3)
    answers = []
    for doubtful in (range(1, 17), range(17, 33)):
        stepper = NetworkStepper("model6", SIZE, 40, settings, label_errors=dict.fromkeys(doubtful, 60.0))
        noise = batch(labels, pgcs)
        same = Batch(np.repeat(noise.images[:1], 32, axis=0), noise.labels, noise.pgcs, noise.filters)
        for _ in range(40):
            stepper.advance(same)
        answers.append(float(stepper.network(same.images[:1].astype(np.float32))[0, 0]) * UNIT)
    assert answers[0] - answers[1] > 10  # deg, of images that are all the same


def test_without_errors_the_bytes_are_those_of_equal_weights(stored, tmp_path):
    done = {}
    for name, errors, settings in (
        ("none", None, {}),
        ("empty", {}, {}),
        ("equal", {1: 5.0}, {"label_weights": "equal"}),
        ("weighted", {pgc: 1 + pgc % 7 for pgc in range(1, 61)}, {}),
    ):
        how = Train(training_batch_size=24, **settings)
        path = train_network(
            stored, stored / "samples", tmp_path / name, size=SIZE, nbatch=2, settings=how, label_errors=errors
        )
        snapshots = sorted(path.parent.rglob("*.npz"))
        done[name] = {each.name: read_arrays(each) for each in snapshots}
    for name, same in {"empty": True, "equal": True, "weighted": False}.items():
        for file, arrays in done["none"].items():
            weights = [key for key in arrays if key.startswith("network/")]
            assert weights
            assert all(np.array_equal(done[name][file][key], arrays[key]) for key in weights) is same


def test_a_run_with_other_errors_does_not_continue(stored, tmp_path):
    def train(errors):
        how = Train(training_batch_size=24)
        places = stored, stored / "samples", tmp_path
        return train_network(*places, size=SIZE, nbatch=2, settings=how, label_errors=errors)

    train({1: 5.0})
    with pytest.raises(InclinetError, match="other errors of labels") as error:
        train({1: 6.0})
    assert error.value.setting == "catalog"
    train({1: 5.0})
