import os

import pytest

from inclinet.errors import InclinetError
from inclinet.registry.copies import fetch_version
from tests.inclinet.registry.conftest import NETWORK


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def limit(monkeypatch):
    """Set the size of the cache in bytes."""
    return lambda size: monkeypatch.setenv("INCLINET_CACHE_GB", repr(size / 2**30))


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def made_old(folder, seconds):
    """Set the time of the last use of all files in a folder to long ago."""
    for path in folder.rglob("*"):
        os.utime(path, (seconds, seconds))


def test_files_are_fetched_once_and_checked(store, put, cache, tmp_path):
    published = put("one")
    folder = fetch_version(store, published, cache)
    assert (folder / NETWORK).read_text() == "one"
    (folder / NETWORK).write_text("changed here")
    assert (fetch_version(store, published, cache) / NETWORK).read_text() == "one"
    store.write(f"registry/{published.version}/{NETWORK}", b"changed there")
    assert (fetch_version(store, published, cache) / NETWORK).read_text() == "one"
    with pytest.raises(InclinetError, match=f"{NETWORK}: its SHA-256 is not that of bundle.json"):
        fetch_version(store, published, tmp_path / "new")
    store.delete(f"registry/{published.version}/{NETWORK}")
    with pytest.raises(InclinetError, match=f"{NETWORK} is missing"):
        fetch_version(store, published, tmp_path / "new")


def test_only_the_named_files_are_fetched(store, put, cache):
    folder = fetch_version(store, put("one"), cache, names=["README.md", "calibration.json"])
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_versions_used_longest_ago_are_removed(store, put, cache, limit):
    limit(3000)
    versions = [put(f"{k}" * 1000) for k in range(4)]
    for k, published in enumerate(versions[:2]):
        made_old(fetch_version(store, published, cache), 1000 + k)
    fetch_version(store, versions[0], cache)  # used again: the other one goes first
    fetch_version(store, versions[2], cache)
    assert size_of(cache) <= 3000
    kept = {path.parent.name for path in cache.rglob(NETWORK)}
    assert kept == {versions[0].version, versions[2].version}


def test_files_of_artifacts_in_the_same_cache_make_room_too(store, put, cache, limit):
    cache.mkdir()
    (cache / ("a" * 64)).write_bytes(bytes(2500))
    made_old(cache, 1000)
    limit(3000)
    fetch_version(store, put("1" * 1000), cache)
    assert size_of(cache) <= 3000
    assert not (cache / ("a" * 64)).exists()


def test_a_version_larger_than_the_cache_is_complete(store, put, cache, limit):
    published = put("1" * 1000)
    limit(500)
    fetch_version(store, published, cache, names=["README.md"])
    for _ in range(2):
        folder = fetch_version(store, published, cache)
        assert {path.name for path in folder.iterdir()} == {"README.md", NETWORK}


@pytest.mark.parametrize("value", ["many", "-1", "0", "nan", "inf"])
def test_a_limit_that_is_no_positive_number_is_an_error(store, put, cache, monkeypatch, value):
    monkeypatch.setenv("INCLINET_CACHE_GB", value)
    with pytest.raises(InclinetError, match=f"INCLINET_CACHE_GB is '{value}'"):
        fetch_version(store, put("one"), cache)
