"""Trainings that start from a network: its weights, a new optimizer, and no galaxy that it has seen."""

import json
import zipfile

import numpy as np
import pytest

from inclinet.data.samples import find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.networks.build import build
from inclinet.networks.filenames import network_file
from inclinet.networks.load import load_keras
from inclinet.networks.save import save_network
from inclinet.preparation.augment import augment
from inclinet.preparation.split import left_out_galaxies, split
from inclinet.settings import Augment, Split, Train
from inclinet.storage.digests import sha256
from inclinet.storage.store import FolderStore
from inclinet.training.filenames import checkpoint_folder, start_file
from inclinet.training.plan import Plan
from inclinet.training.run import TrainingRun
from inclinet.training.start import (
    MAY_HAVE_SEEN,
    Start,
    StartRecord,
    beware,
    check_kind,
    measured_galaxies,
    read_starts,
)
from inclinet.training.step import network_weights
from inclinet.training.train import check_start, train_network

SIZE = 24
FOLDER = checkpoint_folder(0, "model4")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The file of a network that nothing has trained."""
    return save_network(build("model4", SIZE, seed=7), tmp_path_factory.mktemp("start") / "some.keras")


def run(stored, out, start=None, passes=2, **changes):
    settings = Train(N_batch_iter=passes, training_batch_size=24, seed=1, warm_up=0)
    return train_network(
        stored, stored / "samples", out, size=SIZE, nbatch=2, settings=settings, start=start, **changes
    )


def pgcs(stored, side, k=0):
    return {
        pgc for one in read_samples(find_samples(stored / "samples", SIZE, side, k), SIZE).values() for pgc in one.pgcs
    }


def test_a_training_starts_with_these_weights_and_a_new_optimizer(file, tmp_path):
    plan = Plan("model4", 0, SIZE, 2, Train(seed=1), sha256(file))
    expected = network_weights(load_keras(file))
    with TrainingRun(
        plan, lambda number: None, {}, FolderStore(tmp_path), start=lambda: network_weights(load_keras(file))
    ) as live:
        state = live._stepper.state()
    assert expected and all(np.array_equal(state[name], array) for name, array in expected.items())
    optimizer = {name: array for name, array in state.items() if name.startswith("optimizer/adamw/")}
    moments = [array for name, array in optimizer.items() if "learning_rate" not in name]
    assert moments and not any(array.any() for array in moments)


def test_it_changes_the_network_and_is_recorded(stored, file, tmp_path):
    start = Start.of_file(file, "20260101-0123456789", {9_000_001, 9_000_002})
    started, random = run(stored, tmp_path / "started", start), run(stored, tmp_path / "random")
    assert started.read_bytes() != random.read_bytes()
    record = StartRecord.model_validate_json((tmp_path / "started" / start_file(0, "model4")).read_bytes())
    assert record == start.record
    assert record.sha256 == sha256(file)
    assert not (tmp_path / "random" / start_file(0, "model4")).exists()
    assert json.loads((tmp_path / "started" / FOLDER / "settings.json").read_text())["start"] == sha256(file)


@pytest.mark.parametrize("left", [{1, 2}, set()])
def test_an_interrupted_run_ends_as_one_without_interruption(stored, file, tmp_path, left, monkeypatch):
    """Whatever snapshots are left: the starting weights only count where there is none."""
    monkeypatch.setattr("inclinet.training.saving._SHARE_OF_TIME", 1e9)
    start = Start.of_file(file, galaxies=())
    expected = run(stored, tmp_path / "straight", start)
    again = run(stored, tmp_path / "out", start)
    for path in (tmp_path / "out" / FOLDER).glob("*.npz"):
        if int(path.stem.rpartition("_")[2]) not in left:
            path.unlink()
    again.unlink()
    assert run(stored, tmp_path / "out", start).read_bytes() == expected.read_bytes()


def test_another_start_is_another_run(stored, file, tmp_path):
    start = Start.of_file(file, galaxies=())
    run(stored, tmp_path, start)
    with pytest.raises(InclinetError, match=r"other settings or data \(another network to start from\)") as caught:
        run(stored, tmp_path)
    assert caught.value.setting == "start"
    moved = Start.of_file(file.rename(file.with_name("moved.keras")), galaxies=())
    try:
        run(stored, tmp_path, moved)  # its place does not count
    finally:
        moved.file.rename(file)
    run(stored, tmp_path, restart=True)
    assert not (tmp_path / start_file(0, "model4")).exists()


@pytest.mark.parametrize(
    ("model", "size", "message"),
    [
        ("model6", 24, "holds model4 for images of 24 pixels; a training of model6 at 24 pixels cannot start from it"),
        ("model4", 32, "a training of model4 at 32 pixels cannot start"),
    ],
)
def test_another_architecture_or_size_is_refused(file, model, size, message):
    check_kind(file, "model4", SIZE)
    with pytest.raises(InclinetError, match=message) as caught:
        check_kind(file, model, size)
    assert caught.value.setting == "start"


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04", {"config": {"name": "model4", "layers": []}}, {}, []])
def test_a_file_that_is_no_network_is_refused(tmp_path, content):
    path = tmp_path / "no.keras"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(content))
    with pytest.raises(InclinetError, match="no such file|not a trained network"):
        check_kind(path, "model4", SIZE)


def test_weights_of_another_shape_are_refused(file, tmp_path):
    weights = network_weights(load_keras(file)) | {"network/conv1_1/kernel": np.zeros((3, 3, 3, 5))}
    with pytest.raises(InclinetError, match="the weights to start from do not belong to model4 at 24 pixels") as caught:
        TrainingRun(
            Plan("model4", 0, SIZE, 2, Train()), lambda n: None, {}, FolderStore(tmp_path), start=lambda: weights
        )
    assert caught.value.setting == "start"


def test_a_start_that_has_seen_test_galaxies_is_refused(stored, file, tmp_path):
    test = sorted(pgcs(stored, "test"))
    seen = Start.of_file(file, "20260101-0123456789", {*test[:2], 9_000_001})
    message = f"version 20260101-0123456789 was trained on 2 of the .* such as PGC {test[0]}: .* simulated"
    with pytest.raises(InclinetError, match=message) as caught:
        run(stored, tmp_path, seen)
    assert caught.value.setting == "start"
    assert not (tmp_path / network_file(0, "model4")).exists()


def test_left_out_galaxies_count_only_if_they_are_left_out(stored, file, tmp_path):
    training = read_samples(find_samples(stored / "samples", SIZE, "train", 0), SIZE)
    left = left_out_galaxies(training, 0).tolist()
    assert left
    seen = Start.of_file(file, galaxies=left)
    with pytest.raises(InclinetError, match=f"the network to start from was trained on {len(left)} of"):
        run(stored, tmp_path, seen)
    everything = Augment(nbatch=2, batchsize=4, leave_out=False)
    augment(stored / "samples", tmp_path, size=SIZE, niter=0, settings=everything)
    check_start(seen, tmp_path, stored / "samples", model="model4", size=SIZE, nbatch=2, subsamples=[0])


def test_the_galaxies_of_every_subsample_are_looked_at(stored, file, tmp_path):
    split(stored, tmp_path / "samples", size=SIZE, settings=Split(niter=2))
    augment(tmp_path / "samples", tmp_path, size=SIZE, niter=2, settings=Augment(nbatch=1, batchsize=2))
    samples = tmp_path / "samples"
    of_all, of_two = (set(measured_galaxies(samples, SIZE, k).tolist()) for k in (0, 2))
    seen = Start.of_file(file, galaxies=of_two - of_all)
    how = {"model": "model4", "size": SIZE, "nbatch": 1}
    check_start(seen, tmp_path, samples, subsamples=[0], **how)
    with pytest.raises(InclinetError, match=f"trained on {len(of_two - of_all)} of"):
        check_start(seen, tmp_path, samples, subsamples=[0, 1, 2], **how)


def test_unknown_galaxies_are_warned_of(stored, file, tmp_path, caplog):
    run(stored, tmp_path, Start.of_file(file), passes=1)
    assert MAY_HAVE_SEEN in caplog.text


def test_starts_lie_beside_their_networks(tmp_path):
    known = StartRecord(version="20260101-0123456789", sha256="0" * 64, galaxies=(1,))
    (tmp_path / start_file(1, "model4")).write_text(known.model_dump_json())
    starts = read_starts(tmp_path / network_file(k, "model4") for k in (0, 1))
    assert starts == {"model4_1": known}
    assert beware(starts.values()) == ""
    assert beware([known, StartRecord(sha256="0" * 64)]) == MAY_HAVE_SEEN
