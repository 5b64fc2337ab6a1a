"""Where the weights of a training come from: versions of a store, and files."""

import shutil

import numpy as np
import pytest

from inclinet.data.samples import Samples
from inclinet.errors import InclinetError
from inclinet.networks.build import build
from inclinet.networks.filenames import network_file
from inclinet.networks.save import save_network
from inclinet.registry.galaxies import GALAXIES_FILE, write_galaxies
from inclinet.registry.start import find_starts
from inclinet.registry.versions import VersionInfo, publish
from inclinet.storage.addresses import open_store
from inclinet.storage.digests import sha256

SIZE = 24


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """A folder with networks that nothing has trained."""
    folder = tmp_path_factory.mktemp("networks")
    for k, model in ((1, "model4"), (2, "model4"), (0, "model6")):
        save_network(build(model, SIZE, seed=k), folder / network_file(k, model))
    return folder


@pytest.fixture
def version(store, networks, tmp_path):
    """A version with these networks, trained on the galaxies 3 and 4."""
    folder = tmp_path / "version"
    shutil.copytree(networks, folder)
    two = Samples(np.zeros((2, SIZE, SIZE, 3), np.uint8), np.full(2, 60), np.array([3, 4]))
    write_galaxies(folder / GALAXIES_FILE, {"RGB": two}, [])
    return publish(store, folder, VersionInfo(size=SIZE, bands=("c",)))


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("INCLINET_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("INCLINET_STORE", raising=False)


def test_nothing_to_start_from():
    assert find_starts("", ["model4"], SIZE) == {}


def test_a_version_gives_each_architecture_its_network_of_the_lowest_subsample(store, version, networks):
    starts = find_starts(version.version, ["model4", "model6"], SIZE, store.uri)
    assert list(starts) == ["model4", "model6"]
    for model, k in (("model4", 1), ("model6", 0)):
        record = starts[model].record
        assert record.sha256 == sha256(starts[model].file) == sha256(networks / network_file(k, model))
        assert (record.version, record.galaxies) == (version.version, (3, 4))


def test_the_store_may_be_named_by_the_environment(store, version, monkeypatch):
    with pytest.raises(InclinetError, match="no artifact store is named"):
        find_starts(version.version, ["model4"], SIZE)
    monkeypatch.setenv("INCLINET_STORE", store.uri)
    assert find_starts(version.version, ["model4"], SIZE)["model4"].record.version == version.version


@pytest.mark.parametrize(
    ("model", "size", "message"),
    [
        ("model5", SIZE, "has no network of model5 that can be trained further; its networks are of model4, model6"),
        ("model4", 32, "takes images of 24 pixels a side, not 32: set that size"),
    ],
)
def test_a_version_of_other_networks_is_refused(store, version, model, size, message):
    with pytest.raises(InclinetError, match=message) as caught:
        find_starts(version.version, [model], size, store.uri)
    assert caught.value.setting == "start"


def test_a_version_that_does_not_exist(store):
    with pytest.raises(InclinetError, match="there is no version '20260101-0123456789'"):
        find_starts("20260101-0123456789", ["model4"], SIZE, store.uri)


def test_the_galaxies_of_an_earlier_version_are_not_known(store, networks, tmp_path):
    earlier = publish(store, networks, VersionInfo(size=SIZE, bands=("c",)))
    assert find_starts(earlier.version, ["model4"], SIZE, store.uri)["model4"].record.galaxies is None


def test_what_a_file_was_trained_on_is_not_known(networks):
    path = networks / network_file(1, "model4")
    start = find_starts(str(path), ["model4"], SIZE)["model4"]
    assert (start.file, start.record.version, start.record.galaxies) == (path, "", None)
    with pytest.raises(InclinetError, match="holds model4 .* a training of model6"):
        find_starts(str(path), ["model6"], SIZE)
    with pytest.raises(InclinetError, match=r"nowhere.keras: there is no such file"):
        find_starts("nowhere.keras", ["model4"], SIZE)


def test_unless_it_lies_unchanged_in_the_folder_of_a_version(networks, tmp_path):
    store = open_store(str(tmp_path / "store"))
    folder = tmp_path / "version"
    shutil.copytree(networks, folder)
    write_galaxies(folder / GALAXIES_FILE, {}, [])
    published = publish(store, folder, VersionInfo(size=SIZE, bands=("c",)))
    path = tmp_path / "store" / "registry" / published.version / network_file(1, "model4")
    record = find_starts(str(path), ["model4"], SIZE)["model4"].record
    assert (record.version, record.galaxies) == (published.version, ())
    shutil.copyfile(networks / network_file(2, "model4"), path)
    record = find_starts(str(path), ["model4"], SIZE)["model4"].record
    assert (record.version, record.galaxies) == ("", None)
