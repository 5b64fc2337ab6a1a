import json

import keras
import numpy as np
import pytest

from inclinet.augment import augment
from inclinet.compress import compress
from inclinet.errors import InclinetError
from inclinet.naming import checkpoint_folder, metrics_file, network_file
from inclinet.prep import prep
from inclinet.report import evaluate_networks, report
from inclinet.schedule import batch_of_step, learning_rate
from inclinet.settings import Augment, Split, Train
from inclinet.split import split
from inclinet.train import train

SIZE = 24


@pytest.fixture(scope="module")
def stored(tmp_path_factory, small_sample):
    """Samples and two stored batches of the plain discs."""
    folder = tmp_path_factory.mktemp("stored")
    for band in ("g", "gri"):
        done = prep(small_sample / "galaxies", small_sample / "catalog.csv", band, size=SIZE, outfolder=folder)
        compress(done.folder, folder, size=SIZE)
    split(folder, folder / "samples", size=SIZE, settings=Split(niter=0))
    augment(folder / "samples", folder, size=SIZE, niter=0, settings=Augment(nbatch=2, batchsize=4))
    return folder


def run(stored, out, passes=2, **changes):
    settings = Train(N_batch_iter=passes, training_batch_size=16, seed=1, **changes.pop("settings", {}))
    return train(stored, stored / "samples", out, size=SIZE, nbatch=2, settings=settings, **changes)


def weights(path):
    return keras.models.load_model(path).get_weights()


def test_every_pass_takes_every_batch_once_in_its_own_order():
    passes = [[batch_of_step(s, 6, 0) for s in range(6 * p + 1, 6 * p + 7)] for p in range(8)]
    assert all(sorted(order) == [1, 2, 3, 4, 5, 6] for order in passes)
    assert len({tuple(order) for order in passes}) > 1


def test_learning_rate_falls_as_half_a_cosine():
    rates = [learning_rate(step, 10, Train(schedule="cosine")) for step in range(1, 11)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates[5] == pytest.approx(5e-4)
    assert rates == sorted(rates, reverse=True)
    assert learning_rate(7, 10, Train(schedule="constant")) == 1e-3


def test_what_a_run_writes(stored, tmp_path):
    path = run(stored, tmp_path)
    assert path == tmp_path / network_file(0, "model4")
    metrics = json.loads((tmp_path / metrics_file(0, "model4")).read_text())
    assert list(metrics) == ["1", "2", "3", "4"]
    wanted = {"loss", "mse", "mae", "val_loss", "val_mse", "val_mae", "batchNo", "batchFile"}
    assert set(metrics["1"]) == wanted
    assert metrics["1"]["batchFile"] == f"24x24_train_aug_0{metrics['1']['batchNo']}.npz"
    assert {metrics["1"]["batchNo"], metrics["2"]["batchNo"]} == {1, 2}
    snapshots = sorted(path.name for path in (tmp_path / checkpoint_folder(0, "model4")).glob("*.npz"))
    assert snapshots == ["step_0001.npz", "step_0002.npz", "step_0003.npz", "step_0004.npz"]
    assert (tmp_path / "Uset_000_model4_evalFig.jpg").stat().st_size > 5000


def test_an_interrupted_run_ends_with_the_same_weights(stored, tmp_path):
    settings = {"settings": {"schedule": "constant"}}
    straight = weights(run(stored, tmp_path / "straight", passes=2, **settings))
    run(stored, tmp_path / "resumed", passes=1, **settings)
    resumed = weights(run(stored, tmp_path / "resumed", passes=2, **settings))
    assert all(np.array_equal(a, b) for a, b in zip(straight, resumed, strict=True))


def test_a_finished_run_does_nothing_more(stored, tmp_path):
    run(stored, tmp_path)
    snapshots = {path: path.stat().st_mtime_ns for path in (tmp_path / checkpoint_folder(0, "model4")).iterdir()}
    run(stored, tmp_path)
    assert all(path.stat().st_mtime_ns == time for path, time in snapshots.items() if path.suffix == ".npz")


def test_other_settings_do_not_continue_a_run(stored, tmp_path):
    run(stored, tmp_path, passes=1)
    with pytest.raises(InclinetError, match="learning_rate 0.001 → 0.01"):
        run(stored, tmp_path, settings={"learning_rate": 0.01})
    run(stored, tmp_path, passes=1, settings={"learning_rate": 0.01}, restart=True)


def test_other_stored_batches_do_not_continue_a_run(stored, tmp_path):
    run(stored, tmp_path / "out", passes=1)
    augment(stored / "samples", tmp_path, size=SIZE, niter=0, settings=Augment(nbatch=2, batchsize=4, seed=9))
    settings = Train(N_batch_iter=2, training_batch_size=16, seed=1)
    with pytest.raises(InclinetError, match="other stored batches"):
        train(tmp_path, stored / "samples", tmp_path / "out", size=SIZE, nbatch=2, settings=settings)


def test_a_damaged_snapshot_is_named(stored, tmp_path):
    run(stored, tmp_path, passes=1)
    snapshot = tmp_path / checkpoint_folder(0, "model4") / "step_0002.npz"
    snapshot.write_bytes(snapshot.read_bytes()[:1000])
    with pytest.raises(InclinetError, match="step_0002.npz"):
        run(stored, tmp_path)


def test_missing_batches_are_named(stored, tmp_path):
    with pytest.raises(InclinetError, match="24x24_train_aug_03.npz.*inclinet augment"):
        train(stored, stored / "samples", tmp_path, size=SIZE, nbatch=3)


def test_the_network_learns_and_takes_plain_pixels(stored, tmp_path):
    path = run(stored, tmp_path, passes=30, settings={"learning_rate": 2e-3})
    table = evaluate_networks(tmp_path, stored / "samples", size=SIZE)
    result = report(table, tmp_path / "evaluation")
    assert result["networks"]["model4_0"]["rms"] < 0.7 * result["std"]
    for name in ("predictions.csv", "metrics.json", "metrics.md", "error_against_truth.png", "error_histogram.png"):
        assert (tmp_path / "evaluation" / name).stat().st_size > 100
    out = keras.models.load_model(path)(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    assert -1 <= float(out[0, 0]) <= 1


def test_no_network_to_evaluate(stored, tmp_path):
    with pytest.raises(InclinetError, match="no network such as Uset_000_model4.keras"):
        evaluate_networks(tmp_path, stored / "samples", size=SIZE)
