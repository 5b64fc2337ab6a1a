"""A run gives the network it was asked for, whatever snapshots another run left in the same folder."""

import json
import shutil

import numpy as np
import pytest

from inclinet.data.filenames import batch_file, batch_folder
from inclinet.data.samples import Batch
from inclinet.errors import InclinetError
from inclinet.networks.filenames import network_file
from inclinet.preparation.augment import augment
from inclinet.settings import Augment, Train
from inclinet.storage.store import FolderStore
from inclinet.training.filenames import checkpoint_folder, metrics_file, snapshot_file
from inclinet.training.plan import Plan
from inclinet.training.run import TrainingRun
from inclinet.training.snapshots import Snapshot
from inclinet.training.train import train_network

SIZE = 24
FOLDER = checkpoint_folder(0, "model4")
PATIENT = {"schedule": "constant", "patience": 2, "learning_rate": 0.03}


def run(stored, out, passes, *, restart=False, samples=None, **settings):
    settings = {"schedule": "constant", "training_batch_size": 24, "seed": 1} | settings
    return train_network(
        stored,
        samples or stored / "samples",
        out,
        size=SIZE,
        nbatch=2,
        settings=Train(N_batch_iter=passes, **settings),
        restart=restart,
    )


def outputs(out):
    """Return what a user gets: the bytes of the network, and the metrics."""
    return (out / network_file(0, "model4")).read_bytes(), (out / metrics_file(0, "model4")).read_text()


@pytest.fixture(scope="module")
def at_once(stored, tmp_path_factory):
    """The folder of a run that was alone in it, by passes and settings; not to be changed."""
    folders = {}

    def run_at_once(passes, **settings):
        key = passes, *sorted(settings.items())
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("at_once")
            run(stored, folders[key], passes, **settings)
        return folders[key]

    return run_at_once


@pytest.fixture
def after(at_once, tmp_path):
    """A copy of the folder of such a run, for another run to go into."""

    def copy(passes, **settings):
        return shutil.copytree(at_once(passes, **settings), tmp_path / "models")

    return copy


def test_a_shorter_run_is_not_given_the_longer_one(stored, at_once, after):
    out = after(6)
    run(stored, out, 3)
    assert outputs(out) == outputs(at_once(3))
    assert len(json.loads(outputs(out)[1])) == 6


def test_a_longer_run_continues_a_shorter_one_exactly(stored, at_once, after, caplog):
    out = after(3)
    with caplog.at_level("INFO", "inclinet"):
        run(stored, out, 6)
    assert "resuming model4, subsample 0 after step 6" in caplog.text
    assert outputs(out) == outputs(at_once(6))


def test_runs_of_any_length_take_turns(stored, at_once, after):
    out = after(2)
    for passes in (3, 2, 6):
        run(stored, out, passes)
        assert outputs(out) == outputs(at_once(passes))


def test_another_number_of_passes_is_refused_where_it_changes_every_step(stored, at_once, after):
    out = after(1, schedule="cosine")
    before = outputs(out)
    with pytest.raises(InclinetError, match="other settings or data.*N_batch_iter 1 → 2") as error:
        run(stored, out, 2, schedule="cosine")
    assert error.value.setting == "N_batch_iter"
    assert outputs(out) == before
    run(stored, out, 2, schedule="cosine", restart=True)
    assert outputs(out) == outputs(at_once(2, schedule="cosine"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"patience": 2}, "patience 0 → 2"),
        ({"schedule": "cosine"}, "schedule constant → cosine"),
        ({"learning_rate": 0.01}, "learning_rate 0.001 → 0.01"),
        ({"seed": 2}, "seed 1 → 2"),
    ],
)
def test_other_settings_do_not_continue_a_run(stored, after, changed, message):
    out = after(2)
    with pytest.raises(InclinetError, match=message) as error:
        run(stored, out, 2, **changed)
    assert error.value.setting == next(iter(changed))


def test_settings_without_effect_may_change(stored, at_once, after):
    out = after(2)
    run(stored, out, 3, keep_every=3)
    assert outputs(out) == outputs(at_once(3))


def test_other_stored_batches_do_not_continue_a_run(stored, after, tmp_path):
    augment(stored / "samples", tmp_path, size=SIZE, niter=0, settings=Augment(nbatch=2, batchsize=4, seed=9))
    with pytest.raises(InclinetError, match="other stored batches") as error:
        run(tmp_path, after(2), 3, samples=stored / "samples")
    assert error.value.setting == "augmented"


def test_another_test_set_does_not_continue_a_run(stored, after, tmp_path):
    """The metrics on two test sets would be mixed."""
    shutil.copytree(stored / "samples", tmp_path / "samples")
    (tmp_path / "samples" / f"g_{SIZE}x{SIZE}_test_000.npz").unlink()
    with pytest.raises(InclinetError, match="other samples") as error:
        run(stored, after(2), 3, samples=tmp_path / "samples")
    assert error.value.setting == "samples"


@pytest.mark.parametrize("content", [None, "", "[]", '{"model": "model4", "size": 24}'])
def test_snapshots_of_unknown_settings_are_refused(stored, after, content):
    out = after(2)
    noted = out / FOLDER / "settings.json"
    noted.unlink()
    if content is not None:
        noted.write_text(content)
    with pytest.raises(InclinetError, match="not known which settings and data.*set restart") as error:
        run(stored, out, 2)
    assert error.value.setting == "restart"


def best_of(out):
    """Return the best step of a run, and its number of steps."""
    metrics = json.loads((out / metrics_file(0, "model4")).read_text())
    return int(min(metrics, key=lambda step: metrics[step]["left_mse"])), len(metrics)


@pytest.mark.parametrize("passes", [1, 3])
def test_patience_gives_a_shorter_run_its_own_best_network(stored, at_once, after, passes):
    out = after(20, **PATIENT)
    best, steps = best_of(out)
    assert best + 2 == steps < 40
    run(stored, out, passes, **PATIENT)
    assert outputs(out) == outputs(at_once(passes, **PATIENT))


def test_patience_gives_a_longer_run_its_own_best_network(stored, at_once, after):
    out = after(1, **PATIENT)
    run(stored, out, 20, **PATIENT)
    assert outputs(out) == outputs(at_once(20, **PATIENT))


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")])
def test_a_lost_best_snapshot_is_trained_again(stored, at_once, after, caplog, damage):
    out = after(20, **PATIENT)
    best, _ = best_of(out)
    damage(out / FOLDER / snapshot_file(best))
    run(stored, out, 20, **PATIENT)
    assert "because the best one is lost" in caplog.text
    assert outputs(out) == outputs(at_once(20, **PATIENT))
    assert Snapshot.read(out / FOLDER / snapshot_file(best)).step == best


def before_finishing(monkeypatch, do):
    """Call `do` with the run before its network is finished."""
    finish = TrainingRun.finish

    def changed(self):
        do(self)
        return finish(self)

    monkeypatch.setattr(TrainingRun, "finish", changed)


def test_the_best_network_needs_no_snapshot_while_the_run_lives(stored, tmp_path, at_once, monkeypatch):
    """Another run in the same folder may have deleted it."""

    def delete_snapshots(run):
        for path in (tmp_path / FOLDER).glob("step_*.npz"):  # not the one that is being written
            path.unlink()

    before_finishing(monkeypatch, delete_snapshots)
    run(stored, tmp_path, 20, **PATIENT)
    best, steps = best_of(tmp_path)
    assert best < steps
    assert outputs(tmp_path) == outputs(at_once(20, **PATIENT))


def test_a_best_network_that_is_not_finite_is_never_finished(stored, after, monkeypatch):
    def spoil(run):
        next(iter(run._best_weights.values())).flat[0] = np.inf

    out = after(20, **PATIENT)
    (out / network_file(0, "model4")).unlink()
    before_finishing(monkeypatch, spoil)
    with pytest.raises(InclinetError, match="not finite: lower learning_rate") as error:
        run(stored, out, 20, **PATIENT)
    assert error.value.setting == "learning_rate"
    assert not (out / network_file(0, "model4")).exists()


@pytest.mark.slow
def test_a_residual_network_is_resumed_within_its_warm_up(stored, tmp_path):
    plan = Plan("residual", 0, SIZE, 2, Train(N_batch_iter=2, training_batch_size=24, warm_up=2))
    networks = []
    for stops in ((4,), (1, 2, 4)):
        store = FolderStore(tmp_path / str(len(stops)))
        for stop in stops:
            with TrainingRun(plan, lambda number: Batch.read(_batch(stored, number)), {}, store) as live:
                live.reach(stop)
                networks.append(live.finish().get_weights())
    assert all(np.array_equal(one, other) for one, other in zip(networks[0], networks[-1], strict=True))


def _batch(stored, number):
    return stored / batch_folder(0) / batch_file(SIZE, number)
