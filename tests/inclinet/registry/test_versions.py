import json

import pytest

from inclinet.errors import InclinetError
from inclinet.registry.versions import (
    VersionInfo,
    describe,
    fetch_version,
    find_version,
    list_versions,
    promote,
    publish,
    read_champion,
)
from inclinet.storage.store import open_store

NETWORK = "Uset_000_model4.keras"


@pytest.fixture(params=["folder", "s3"])
def store(request, tmp_path):
    uri = str(tmp_path / "store") if request.param == "folder" else request.getfixturevalue("s3_uri")
    return open_store(uri)


@pytest.fixture
def put(store, tmp_path):
    """Publish a bundle with one network of the given content."""

    def publish_one(content, **facts):
        folder = tmp_path / f"bundle-{content}"
        folder.mkdir(exist_ok=True)
        (folder / NETWORK).write_text(content)
        (folder / "README.md").write_text("a card")
        return publish(store, folder, VersionInfo(**{"size": 24, "bands": ("c",), **facts}))

    return publish_one


def test_versions_are_listed_and_read_again(store, put):
    assert list_versions(store) == []
    first, second = put("one", fingerprint="this"), put("two")
    assert {bundle.version for bundle in list_versions(store)} == {first.version, second.version}
    assert find_version(store, first.version) == first
    assert first.networks == [NETWORK]
    assert describe(first, None)["networks"] == "model4_0"


def test_the_same_again_is_the_same_version_whoever_made_it(store, put):
    assert put("one", run="a").version == put("one", run="b").version
    assert put("one").version != put("one", fingerprint="else").version


def test_a_version_is_never_written_again(store, put):
    bundle = put("one")
    key = f"registry/{bundle.version}/bundle.json"
    before = store.read(key)
    put("one", run="later")
    assert store.read(key) == before


def test_promoted_and_rolled_back(store, put):
    assert read_champion(store) is None
    with pytest.raises(InclinetError, match="no version is in use; run `inclinet models`"):
        find_version(store)
    first, second = put("one"), put("two")
    promote(store, first.version, "first")
    current = promote(store, second.version, "better")
    assert (current.version, current.previous, current.why) == (second.version, first.version, "better")
    assert find_version(store) == second
    assert promote(store, second.version, "again") == current
    promote(store, current.previous, "rolled back")
    assert find_version(store) == first
    assert describe(first, read_champion(store))["in use"] == "yes"


@pytest.mark.parametrize("version", ["20200101-0123456789", "../other", "", "x" * 500])
def test_there_is_no_such_version(store, version):
    with pytest.raises(InclinetError, match="there is no version"):
        promote(store, version, "why")


def test_half_a_version_does_not_count(store, put):
    bundle = put("one")
    store.delete(f"registry/{bundle.version}/bundle.json")
    assert list_versions(store) == []
    assert put("one").version == bundle.version


def test_files_are_fetched_once_and_checked(store, put, tmp_path):
    bundle = put("one")
    folder = fetch_version(store, bundle, tmp_path / "cache")
    assert (folder / NETWORK).read_text() == "one"
    (folder / NETWORK).write_text("changed here")
    assert (fetch_version(store, bundle, tmp_path / "cache") / NETWORK).read_text() == "one"
    store.write(f"registry/{bundle.version}/{NETWORK}", b"changed there")
    assert (fetch_version(store, bundle, tmp_path / "cache") / NETWORK).read_text() == "one"
    with pytest.raises(InclinetError, match=f"{NETWORK}: its SHA-256 is not that of bundle.json"):
        fetch_version(store, bundle, tmp_path / "new")
    store.delete(f"registry/{bundle.version}/{NETWORK}")
    with pytest.raises(InclinetError, match=f"{NETWORK} is missing"):
        fetch_version(store, bundle, tmp_path / "new")


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", ".hidden", "a/b"])
def test_names_that_leave_the_folder_are_refused(store, put, tmp_path, name):
    bundle = put("one")
    key = f"registry/{bundle.version}/bundle.json"
    content = json.loads(store.read(key))
    content["files"][name] = content["files"].pop(NETWORK)
    store.write(key, json.dumps(content).encode())
    with pytest.raises(InclinetError, match="damaged, it speaks of other files"):
        find_version(store, bundle.version)


def test_a_damaged_record_is_named(store, put, caplog):
    good, bad = put("one"), put("two")
    store.write(f"registry/{bad.version}/bundle.json", b"{}")
    assert [bundle.version for bundle in list_versions(store)] == [good.version]
    assert f"{bad.version}/bundle.json: damaged" in caplog.text
    store.write("registry/champion.json", b"[]")
    with pytest.raises(InclinetError, match=r"champion\.json is damaged"):
        find_version(store)
    assert promote(store, good.version, "mended").previous is None
    # What cannot be read does not stand in the way of the same content.
    assert find_version(store, put("two").version).networks == [NETWORK]


def test_a_bundle_needs_a_network(store, tmp_path):
    (tmp_path / "README.md").write_text("nothing else")
    with pytest.raises(InclinetError, match="no network to publish"):
        publish(store, tmp_path, VersionInfo(size=24, bands=("c",)))
