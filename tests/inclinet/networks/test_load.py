import json
import os
import re
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from inclinet.errors import InclinetError
from inclinet.networks import load
from inclinet.networks.architectures import MODELS, smallest_size
from inclinet.networks.build import build
from inclinet.networks.export import export_network
from inclinet.networks.load import load_network
from inclinet.networks.save import save_network
from tests.conftest import ROOT

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


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:3000], lambda data: b"\xff" + data[1:]])
def test_a_damaged_exported_network_is_named(tmp_path, damage, capfd):
    path = export_network(build("model4", SIZE), tmp_path / "damaged.onnx")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InclinetError, match="damaged.onnx: not an exported network"):
        load_network(path)
    assert capfd.readouterr().err == ""


def test_a_missing_network_is_named(tmp_path):
    with pytest.raises(InclinetError, match="none.onnx: no such network"):
        load_network(tmp_path / "none.onnx")


def test_without_keras_only_exported_networks_can_be_loaded(saved, monkeypatch):
    monkeypatch.setattr(load, "is_installed", lambda module: module != "keras")
    with pytest.raises(InclinetError, match=r"a\.keras: needs Keras, because it is not exported to ONNX"):
        load_network(saved)


def config_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def options(config):
    """Yield the names of all options in a configuration."""
    if isinstance(config, dict):
        yield from config
    for value in config.values() if isinstance(config, dict) else config if isinstance(config, list) else ():
        yield from options(value)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", MODELS)
def test_saved_networks_name_no_option_of_a_later_keras(tmp_path, name, precision):
    path = save_network(build(name, smallest_size(name), precision=precision), tmp_path / "a.keras")
    names = set(options(config_of(path)))
    assert "kernel_initializer" in names
    assert not {"input_axes", "output_axes", "renorm", "renorm_clipping", "renorm_momentum"} & names


def rewritten(path, saved, metadata):
    """Copy a network, with an option that no Keras knows, and metadata; returns `path`."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name).replace(b'"filters": 16', b'"filters": 16, "wavelets": null')
            new.writestr(name, json.dumps(metadata) if name == "metadata.json" else content)
    return path


def test_a_network_of_another_keras_names_both_versions(saved, tmp_path):
    import keras

    path = rewritten(tmp_path / "later.keras", saved, {"keras_version": "9.1.0"})
    with pytest.raises(InclinetError) as caught:
        load_network(path)
    message = str(caught.value)
    assert f"Keras {keras.__version__}, which is installed, does not read this network" in message
    assert "which Keras 9.1.0 saved" in message
    assert "wavelets" in message
    assert message.endswith("pip install keras==9.1.0")
    with pytest.raises(InclinetError, match="not a trained network"):
        load_network(rewritten(tmp_path / "nameless.keras", saved, {}))


_ANSWER = """
import sys
from pathlib import Path
import keras, numpy as np
from inclinet.networks.load import load_network
print(keras.__version__)
for path in map(Path, sys.argv[1:]):
    np.save(path.with_suffix(".npy"), load_network(path)(np.load(path.with_name("images.npy"))))
"""


@pytest.mark.slow
def test_the_oldest_keras_allowed_reads_saved_networks_and_answers_alike(tmp_path):
    oldest = re.search(r'"keras>=([\d.]+)"', (ROOT / "pyproject.toml").read_text())[1]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "keras"]
    if subprocess.run([*pip, f"keras=={oldest}.0"], check=False).returncode:
        pytest.skip(f"keras {oldest}.0 cannot be installed here")
    np.save(tmp_path / "images.npy", np.random.default_rng(0).uniform(0, 255, (2, 96, 96, 3)).astype(np.float32))
    paths = [save_network(build(name, 96, seed=5), tmp_path / f"{name}.keras") for name in MODELS]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'keras'}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", _ANSWER, *paths], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"{oldest}.0"]
    for path in paths:
        answers = load_network(path)(np.load(tmp_path / "images.npy"))
        assert np.load(path.with_suffix(".npy")) == pytest.approx(answers, abs=1e-4)
