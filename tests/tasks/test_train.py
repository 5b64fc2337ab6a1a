"""What the artifacts of a training run are found by, on a local store and without a server."""

import shutil

import pytest

from inclinet.data.filenames import batch_file, batch_folder, left_out_file
from inclinet.preparation.augment import left_out_batch
from inclinet.settings import Train
from inclinet.training.start import Start
from tasks.common import artifacts
from tasks.filenames import START_FILE, START_NETWORK_FILE
from tasks.train import Session
from tasks.training import Training
from tests.inclinet.conftest import SIZE, stored  # noqa: F401


@pytest.fixture
def training(stored, tmp_path, monkeypatch):  # noqa: F811
    """Return trainings on the stored batches of the plain discs, which share one store."""
    monkeypatch.setenv("INCLINET_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("INCLINET_CACHE", str(tmp_path / "cache"))

    def artifact(name, write):
        def work(folder):
            write(folder)
            return {"images": 1}

        return artifacts().make("test", name, inputs={}, settings=None, code="", work=work)

    def copy(number):
        name = batch_file(SIZE, number)
        return lambda folder: (folder / name).write_bytes((stored / batch_folder(0) / name).read_bytes())

    batches = [artifact(f"batch{number}", copy(number)) for number in (1, 2)]
    left = left_out_batch(stored / "samples", SIZE, 0, 4)
    left_out = artifact("left_out", lambda folder: left.write(folder / left_out_file(SIZE, 0)))

    def new(passes, first=None, **settings):
        settings = {"schedule": "constant", "training_batch_size": 24, "seed": 1} | settings
        how = Train(N_batch_iter=passes, **settings)
        what = {"batches": batches, "validation": None, "left_out": left_out, "samples": {}, "start": first}
        return Training(model="model4", subsample=0, size=SIZE, settings=how, **what)

    return new


def start_of(seed, galaxies=(1,)):
    """Return the artifact of a network to start from, which nothing has trained."""
    from inclinet.networks.build import build
    from inclinet.networks.save import save_network

    def work(folder):
        path = save_network(build("model4", SIZE, seed=seed), folder / START_NETWORK_FILE)
        record = Start.of_file(path, galaxies=galaxies).record
        (folder / START_FILE).write_text(record.model_dump_json())
        return {}

    settings = [seed, galaxies]
    return artifacts().make("weights", "model4", inputs={}, settings=settings, code="", work=work)


def train(training):
    """Take all steps; returns the history and the weights of the finished network."""
    with Session(training).run() as run:
        for step in range(run.step + 1, training.steps + 1):
            run.reach(step)
        network = run.finish()
    return run.history.tobytes(), [array.tobytes() for array in network.get_weights()]


def test_a_shorter_run_after_a_longer_one_gives_what_it_gives_at_once(training, tmp_path, monkeypatch):
    short, long = training(2), training(3)
    assert short.snapshot_folder() == long.snapshot_folder()
    train(long)
    after, again = train(short), train(training(3))
    monkeypatch.setenv("INCLINET_STORE", str(tmp_path / "other"))
    shutil.copytree(tmp_path / "store" / "artifacts" / "test", tmp_path / "other" / "artifacts" / "test")
    assert after == train(training(2))
    assert again == train(training(3))  # resumes from step 4


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"passes": 4}, True),
        ({"keep_every": 5}, True),
        ({"models": ("model4", "model5")}, True),
        ({"patience": 2}, False),
        ({"schedule": "cosine"}, False),
        ({"learning_rate": 0.01}, False),
        ({"training_batch_size": 12}, False),
        ({"precision": "float32"}, False),
        ({"seed": 2}, False),
    ],
)
def test_snapshots_are_shared_by_runs_that_take_the_same_steps(training, changed, same):
    assert (training(**{"passes": 3} | changed).snapshot_folder() == training(3).snapshot_folder()) is same


def test_with_the_cosine_schedule_the_number_of_passes_changes_every_step(training):
    assert training(3, schedule="cosine").snapshot_folder() != training(4, schedule="cosine").snapshot_folder()


def test_a_start_counts_by_its_weights_and_not_by_its_name(training):
    random, started = training(3), training(3, start_of(7))
    assert random.snapshot_folder() != started.snapshot_folder() != training(3, start_of(8)).snapshot_folder()
    assert started.snapshot_folder() == training(3, start_of(7), start="elsewhere.keras").snapshot_folder()
    other_galaxies = training(3, start_of(7, galaxies=(1, 2)))
    assert started.snapshot_folder() == other_galaxies.snapshot_folder()
    # The record beside the network names them.
    assert started.network_key_parts() != other_galaxies.network_key_parts()
    assert started.network_key_parts()["inputs"]["start"] == started.start.digest


def test_a_started_run_that_is_resumed_ends_as_at_once(training, tmp_path, monkeypatch):
    start = start_of(7)
    with Session(training(3, start)).run() as run:
        run.reach(2)
    after = train(training(3, start))
    assert after != train(training(3))
    monkeypatch.setenv("INCLINET_STORE", str(tmp_path / "other"))
    for stage in ("test", "weights"):
        shutil.copytree(tmp_path / "store" / "artifacts" / stage, tmp_path / "other" / "artifacts" / stage)
    assert train(training(3, start)) == after


@pytest.mark.parametrize("changed", [{"passes": 4}, {"patience": 2}, {"schedule": "cosine"}])
def test_a_network_is_found_by_everything_that_changes_it(training, changed):
    first, second = training(3), training(**{"passes": 3} | changed)
    assert first.network_key_parts() != second.network_key_parts()
