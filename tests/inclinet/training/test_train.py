import json
import shutil

import keras
import numpy as np
import pytest

from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.evaluation.evaluate import predict_galaxies, report
from inclinet.networks.devices import onednn_may_use_bfloat16
from inclinet.networks.filenames import network_file
from inclinet.preparation.augment import augment, left_out_batch
from inclinet.settings import Augment, Train
from inclinet.storage.npz import read_arrays
from inclinet.training.filenames import checkpoint_folder, metrics_file, parse_snapshot, snapshot_file
from inclinet.training.schedule import batch_of_step, learning_rates
from inclinet.training.snapshots import Snapshot
from inclinet.training.step import NetworkStepper
from inclinet.training.train import train_network

SIZE = 24


def run(stored, out, passes=2, **changes):
    settings = Train(N_batch_iter=passes, training_batch_size=24, seed=1, **changes.pop("settings", {}))
    return train_network(stored, stored / "samples", out, size=SIZE, nbatch=2, settings=settings, **changes)


def weights(path):
    return keras.models.load_model(path).get_weights()


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def snapshots(out, k=0):
    return {parse_snapshot(path.name) for path in (out / checkpoint_folder(k, "model4")).glob("*.npz")}


def test_every_pass_takes_every_batch_once_in_its_own_order():
    passes = [[batch_of_step(s, 6, 0) for s in range(6 * p + 1, 6 * p + 7)] for p in range(8)]
    assert all(sorted(order) == [1, 2, 3, 4, 5, 6] for order in passes)
    assert len({tuple(order) for order in passes}) > 1


def test_learning_rate_falls_as_half_a_cosine():
    settings = Train(schedule="cosine", warm_up=0)
    rates = [learning_rates(step, 10, 3, settings) for step in range(1, 11)]
    assert all(len(set(of_step)) == 1 for of_step in rates)
    assert rates[0][0] == pytest.approx(1e-3)
    assert rates[5][0] == pytest.approx(5e-4)
    assert [of_step[0] for of_step in rates] == sorted((of_step[0] for of_step in rates), reverse=True)
    assert set(learning_rates(7, 10, 3, Train(schedule="constant", warm_up=0))) == {1e-3}


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_learning_rate_rises_in_the_warm_up_mini_batch_by_mini_batch(schedule):
    settings = Train(schedule=schedule, warm_up=2)
    rates = np.concatenate([learning_rates(step, 10, 4, settings) for step in range(1, 11)])
    assert rates[:8] == pytest.approx(1e-3 * np.arange(1, 9) / 8)
    assert rates.max() == pytest.approx(1e-3)
    assert np.all(np.diff(rates[7:]) <= 0)
    assert rates[-1] == pytest.approx(1e-5 if schedule == "cosine" else 1e-3)


def test_what_a_run_writes(stored, tmp_path):
    path = run(stored, tmp_path)
    assert path == tmp_path / network_file(0, "model4")
    metrics = json.loads((tmp_path / metrics_file(0, "model4")).read_text())
    assert list(metrics) == ["1", "2", "3", "4"]
    wanted = {f"{of}{metric}" for of in ("", "val_", "left_") for metric in ("loss", "mse", "mae")}
    wanted |= {"batchNo", "batchFile"}
    assert set(metrics["1"]) == wanted
    assert metrics["1"]["batchFile"] == f"24x24_train_aug_0{metrics['1']['batchNo']}.npz"
    assert {metrics["1"]["batchNo"], metrics["2"]["batchNo"]} == {1, 2}
    assert {3, 4} <= snapshots(tmp_path)
    assert (tmp_path / "Uset_000_model4_evalFig.jpg").stat().st_size > 5000


def test_a_finished_run_does_nothing_more(stored, tmp_path):
    run(stored, tmp_path)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / checkpoint_folder(0, "model4")).iterdir()}
    run(stored, tmp_path)
    assert all(path.stat().st_mtime_ns == time for path, time in times.items() if path.suffix == ".npz")


@pytest.mark.parametrize("damage", [lambda data: data[:-1000], lambda data: data[:60000] + b"x" + data[60001:]])
def test_a_damaged_snapshot_is_named_and_made_again(stored, tmp_path, caplog, damage):
    straight = run(stored, tmp_path / "straight")
    run(stored, tmp_path / "out")
    snapshot = tmp_path / "out" / checkpoint_folder(0, "model4") / "step_0004.npz"
    snapshot.write_bytes(damage(snapshot.read_bytes()))
    assert same(straight, run(stored, tmp_path / "out"))
    assert "step_0004.npz" in caplog.text
    assert snapshot.read_bytes() == (tmp_path / "straight" / snapshot.relative_to(tmp_path / "out")).read_bytes()


def test_the_last_two_the_best_and_every_kth_snapshot_are_kept(stored, tmp_path):
    run(stored, tmp_path, passes=5, settings={"keep_every": 3})
    metrics = json.loads((tmp_path / metrics_file(0, "model4")).read_text())
    best = min(metrics, key=lambda step: metrics[step]["left_mse"])
    assert snapshots(tmp_path) == {9, 10, 3, 6, int(best)}


def test_patience_ends_the_run_with_the_best_network(stored, tmp_path, caplog):
    path = run(stored, tmp_path, passes=20, settings={"patience": 2, "learning_rate": 0.03})
    metrics = json.loads((tmp_path / metrics_file(0, "model4")).read_text())
    best = int(min(metrics, key=lambda step: metrics[step]["left_mse"]))
    assert len(metrics) == best + 2 < 40
    snapshot = Snapshot.read(tmp_path / checkpoint_folder(0, "model4") / snapshot_file(best))
    kernels = {name: array for name, array in snapshot.state.items() if name.startswith("network/")}
    assert all(np.array_equal(a, b) for a, b in zip(kernels.values(), saved_weights(path, kernels), strict=True))
    assert (
        f"stopped early at step {best + 2} of 40: no better on the left-out galaxies since step {best}" in caplog.text
    )


def saved_weights(path, names):
    variables = {f"network/{v.path}": v for v in keras.models.load_model(path).weights}
    return [keras.ops.convert_to_numpy(variables[name]) for name in names]


def test_patience_needs_left_out_galaxies(stored, tmp_path):
    augment(stored / "samples", tmp_path, size=SIZE, niter=0, settings=Augment(nbatch=2, batchsize=4, leave_out=False))
    settings = Train(patience=2, training_batch_size=24)
    with pytest.raises(InclinetError, match="patience needs left-out galaxies"):
        train_network(tmp_path, stored / "samples", tmp_path / "out", size=SIZE, nbatch=2, settings=settings)


def test_what_is_left_out_is_in_no_stored_batch(stored):
    left = set(left_out_batch(stored / "samples", SIZE, 0, 40).pgcs.tolist())
    test = read_arrays(stored / "samples" / f"g_{SIZE}x{SIZE}_test_000.npz", ["pgcIDs"])["pgcIDs"]
    assert not left & set(test.tolist())
    for path in (stored / "Uset_000_npz").iterdir():
        assert left and not left & set(Batch.read(path).pgcs.tolist())


def test_batches_that_hold_the_left_out_galaxies_are_noticed(stored, tmp_path, caplog):
    augment(stored / "samples", tmp_path, size=SIZE, niter=0, settings=Augment(nbatch=2, batchsize=4, leave_out=False))
    settings = Train(training_batch_size=24)
    train_network(tmp_path, stored / "samples", tmp_path / "out", size=SIZE, nbatch=2, settings=settings)
    assert "left-out galaxies are not used" in caplog.text
    metrics = json.loads((tmp_path / "out" / metrics_file(0, "model4")).read_text())
    assert metrics["2"]["left_mse"] is None


def spoil(monkeypatch, variable, step):
    """Put NaN into a variable of the live network before a step."""
    advance = NetworkStepper.advance

    def spoiled(self, batch):
        if self.step + 1 == step:
            state = self.state()
            state[variable].flat[0] = np.nan
            self.restore(state, self.step)
        return advance(self, batch)

    monkeypatch.setattr(NetworkStepper, "advance", spoiled)


def test_a_loss_that_is_not_finite_ends_the_run(stored, tmp_path, monkeypatch):
    spoil(monkeypatch, "network/inclination/kernel", 3)
    message = (
        r"model4, subsample 0: step 3, stored batch 24x24_train_aug_0\d.npz: the loss is nan at learning rate 0.01"
    )
    with pytest.raises(InclinetError, match=message):
        run(stored, tmp_path, settings={"schedule": "constant", "learning_rate": 0.01})
    assert snapshots(tmp_path) <= {1, 2}
    assert not (tmp_path / network_file(0, "model4")).exists()


@pytest.mark.parametrize("step", [3, 4])
@pytest.mark.parametrize("variable", ["network/conv1_1/kernel", "network/norm2/moving_mean"])
def test_weights_that_are_not_finite_are_never_saved(stored, tmp_path, monkeypatch, variable, step):
    """Whatever the loss: with AVX-512, ReLU turns the NaN of a convolution into 0."""
    spoil(monkeypatch, variable, step)
    with pytest.raises(InclinetError, match="model4, subsample 0: .*(not finite|loss is nan)"):
        run(stored, tmp_path)
    assert snapshots(tmp_path) <= set(range(1, step))
    assert not (tmp_path / network_file(0, "model4")).exists()


def test_a_snapshot_that_is_not_finite_is_not_resumed(stored, tmp_path, caplog):
    straight = run(stored, tmp_path / "straight")
    run(stored, tmp_path / "out")
    path = tmp_path / "out" / checkpoint_folder(0, "model4") / snapshot_file(4)
    snapshot = Snapshot.read(path)
    snapshot.state["network/conv1_1/kernel"][0] = np.nan
    snapshot.write(path)
    assert same(straight, run(stored, tmp_path / "out"))
    assert "step_0004.npz: network/conv1_1/kernel holds numbers that are not finite" in caplog.text


def test_a_damaged_stored_batch_is_not_trained_on(stored, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(stored / "Uset_000_npz", damaged / "Uset_000_npz")
    path = damaged / "Uset_000_npz" / "24x24_train_aug_02.npz"
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    with pytest.raises(InclinetError, match=r"24x24_train_aug_02\.npz: not a readable array file \(damaged"):
        train_network(damaged, stored / "samples", tmp_path / "out", size=SIZE, nbatch=2)


def test_missing_batches_are_named(stored, tmp_path):
    with pytest.raises(InclinetError, match="24x24_train_aug_03.npz.*inclinet augment"):
        train_network(stored, stored / "samples", tmp_path, size=SIZE, nbatch=3)


def test_the_network_learns_and_takes_plain_pixels(stored, tmp_path):
    path = run(stored, tmp_path, passes=30, settings={"learning_rate": 2e-3})
    table, left_out = predict_galaxies(tmp_path, stored / "samples", size=SIZE)
    assert not set(left_out["model4_0"]["pgc"]) & set(table["pgc"])
    result = report(table, tmp_path / "evaluation", left_out=left_out)
    assert result["networks"]["model4_0"]["rms"] < 0.7 * result["std"]
    for name in ("predictions.csv", "metrics.json", "metrics.md", "error_against_truth.png", "error_histogram.png"):
        assert (tmp_path / "evaluation" / name).stat().st_size > 100
    out = keras.models.load_model(path)(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    assert -1 <= float(out[0, 0]) <= 1


def test_no_network_to_evaluate(stored, tmp_path):
    with pytest.raises(InclinetError, match="no network such as Uset_000_model4.keras"):
        predict_galaxies(tmp_path, stored / "samples", size=SIZE)


def test_a_minibatch_too_large_for_the_memory_is_refused():
    n = 60_000
    batch = Batch(np.broadcast_to(np.uint8(0), (n, 512, 512, 3)), np.full(n, 60), np.arange(n), np.full(n, b"c"))
    with pytest.raises(InclinetError, match="lower training_batch_size .now 65536."):
        NetworkStepper("model4", 512, 1, Train(training_batch_size=65536)).advance(batch)


@pytest.mark.skipif(not onednn_may_use_bfloat16(), reason="ONEDNN_MAX_CPU_ISA forbids bfloat16")
def test_bfloat16_is_only_for_the_arithmetic(stored):
    stepper = NetworkStepper("model4", SIZE, 2, Train(training_batch_size=24), "bfloat16")
    batch = Batch.read(stored / "Uset_000_npz" / "24x24_train_aug_01.npz")
    losses = [stepper.advance(batch)["loss"] for _ in range(2)]
    assert np.isfinite(losses).all()
    assert {layer.compute_dtype for layer in stepper.network.layers if layer.weights} == {"bfloat16", "float32"}
    assert {str(array.dtype) for name, array in stepper.state().items() if "iteration" not in name} == {"float32"}
    assert stepper.network.layers[-1].compute_dtype == "float32"
    finished = stepper.finished()
    assert {layer.compute_dtype for layer in finished.layers} == {"float32"}
    assert all(np.array_equal(a, b) for a, b in zip(finished.get_weights(), stepper.network.get_weights(), strict=True))
