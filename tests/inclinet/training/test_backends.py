"""The same code on TensorFlow and on JAX: each reads the snapshots and networks of the other."""

import importlib.util
import os
import subprocess
import sys

import numpy as np
import pytest

from inclinet.networks.load import load_keras
from inclinet.storage.store import FolderStore
from inclinet.training.filenames import checkpoint_folder
from inclinet.training.snapshots import Snapshots
from tests.conftest import ROOT
from tests.inclinet.training.killed import PLAN, training

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="the extra `jax` is not installed")

FOLDER = checkpoint_folder(0, "model4")


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu(tmp_path_factory):
    """The environment of the processes started here: each reuses what an earlier one compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_PLATFORMS", "cpu")
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("compiled")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        yield


def run_on_jax(module, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": "jax"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def run(stored, store):
    with training(stored, store) as live:
        for step in range(live.step + 1, PLAN.steps + 1):
            live.reach(step)
        return live.finish()


@pytest.fixture(scope="module")
def on_jax(stored, tmp_path_factory):
    """A folder with two runs on JAX: `straight`, and `killed`, which was killed after some steps and resumed."""
    folder = tmp_path_factory.mktemp("jax")
    run_on_jax("tests.inclinet.training.killed", stored, folder / "straight")
    killed = [sys.executable, "-m", "tests.inclinet.training.killed", stored, folder / "killed", "in_a_minibatch"]
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    assert subprocess.run(killed, cwd=ROOT, env=environment, check=False, capture_output=True).returncode == -9
    run_on_jax("tests.inclinet.training.killed", stored, folder / "killed")
    return folder


def test_jax_resumes_exactly_too(on_jax):
    ends = [Snapshots(FolderStore(on_jax / name), FOLDER).load(PLAN.steps) for name in ("straight", "killed")]
    assert np.array_equal(ends[0].history, ends[1].history, equal_nan=True)
    assert all(np.array_equal(ends[0].state[name], ends[1].state[name]) for name in ends[0].state)


def test_tensorflow_resumes_a_run_of_jax(on_jax, stored, tmp_path):
    jax = Snapshots(FolderStore(on_jax / "straight"), FOLDER)
    store = FolderStore(tmp_path)
    Snapshots(store, FOLDER).save(jax.load(PLAN.steps - 1))
    run(stored, store)
    mine = Snapshots(store, FOLDER).load(PLAN.steps)
    theirs = jax.load(PLAN.steps)
    assert mine.state.keys() == theirs.state.keys()
    assert np.array_equal(mine.history[:-1], theirs.history[:-1], equal_nan=True)
    assert np.isfinite(mine.history[:, 0]).all()
    # Dropout draws other numbers there: similar, not equal.
    assert mine.history[-1, 0] == pytest.approx(theirs.history[-1, 0], rel=0.5)


def test_a_network_trained_on_jax_predicts_on_tensorflow(on_jax, stored, tmp_path):
    run_on_jax("tests.inclinet.training.networks_of", "save", stored, on_jax / "straight", tmp_path)
    theirs = np.load(tmp_path / "predictions.npy")
    pixels = np.load(tmp_path / "pixels.npy")
    mine = load_keras(tmp_path / "network.keras")(pixels, training=False)
    np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.slow
def test_a_minibatch_is_shared_among_devices(stored, tmp_path):
    """Two CPU devices stand for two GPUs; the steps are the same up to the order of sums."""
    flags = "--xla_force_host_platform_device_count=2"
    run_on_jax("tests.inclinet.training.networks_of", "compare", stored, tmp_path / "one")
    run_on_jax("tests.inclinet.training.networks_of", "compare", stored, tmp_path / "two", XLA_FLAGS=flags)
    (one, *apart), (two, *shared) = (np.load(tmp_path / name) for name in ("one.npy", "two.npy"))
    assert (one, two) == (1, 2)
    np.testing.assert_allclose(apart, shared, rtol=1e-3)


def test_too_little_memory_names_the_setting():
    told = run_on_jax("tests.inclinet.training.networks_of", "exhaust").stdout
    assert "does not have enough memory for model4 at 64 pixels: lower training_batch_size (now 2048)" in told
