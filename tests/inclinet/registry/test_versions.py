import json

import pytest

from inclinet.errors import InclinetError
from inclinet.registry.champion import promote
from inclinet.registry.versions import PublishedVersion, VersionInfo, find_version, list_versions, publish
from tests.inclinet.registry.conftest import NETWORK

OLD_FILE = {
    "version": "20260101-0123456789",
    "published": "2026-01-01T00:00:00Z",
    "files": {NETWORK: {"size": 3, "sha256": "0" * 64}},
    "facts": {
        "size": 24,
        "bands": ["c", "g"],
        "settings": {},
        "lineage": {},
        "code": {"version": "0.1.0", "digest": "1" * 64},
        "made_of": "2" * 64,
        "run": "inclinet-0a1b2c3d",
        "test": {
            "prediction": "calibrated median",
            "rms": 5.0,
            "mae": 4.0,
            "bias": 0.1,
            "images": 90,
            "galaxies": 30,
        },
        "simulated": True,
    },
}
"""A `bundle.json` as earlier versions of Inclinet wrote it."""


def test_versions_are_listed_and_read(store, put):
    assert list_versions(store) == []
    first, second = put("one", fingerprint="this"), put("two")
    assert {published.version for published in list_versions(store)} == {first.version, second.version}
    assert find_version(store, first.version) == first
    assert first.networks == [NETWORK]
    assert first.network_names == ["model4_0"]


def test_exported_networks_are_preferred(store, put):
    published = put("one")
    names = ["Uset_000_model4.onnx", "Uset_000_model5.keras", "Uset_001_model4.keras", "Uset_001_model4.onnx"]
    files = published.files | dict.fromkeys(names, published.files[NETWORK])
    several = published.model_copy(update={"files": files})
    assert several.networks == ["Uset_000_model4.onnx", "Uset_000_model5.keras", "Uset_001_model4.onnx"]
    assert several.network_names == ["model4_0", "model5_0", "model4_1"]


def test_the_same_content_is_the_same_version_whatever_the_run(store, put):
    assert put("one", run="a").version == put("one", run="b").version
    assert put("one").version != put("one", fingerprint="else").version


def test_a_version_is_never_overwritten(store, put):
    published = put("one")
    key = f"registry/{published.version}/bundle.json"
    before = store.read(key)
    put("one", run="later")
    assert store.read(key) == before


@pytest.mark.parametrize("version", ["20200101-0123456789", "../other", "", "x" * 500])
def test_an_unknown_version_is_an_error(store, version):
    with pytest.raises(InclinetError, match="there is no version"):
        find_version(store, version)


def test_a_version_without_its_description_does_not_count(store, put):
    published = put("one")
    store.delete(f"registry/{published.version}/bundle.json")
    assert list_versions(store) == []
    assert put("one").version == published.version


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", ".hidden", "a/b"])
def test_file_names_that_leave_the_folder_are_refused(store, put, name):
    published = put("one")
    key = f"registry/{published.version}/bundle.json"
    content = json.loads(store.read(key))
    content["files"][name] = content["files"].pop(NETWORK)
    store.write(key, json.dumps(content).encode())
    with pytest.raises(InclinetError, match="damaged, it describes other files"):
        find_version(store, published.version)


def test_a_damaged_version_is_named_and_left_out(store, put, caplog):
    good, bad = put("one"), put("two")
    store.write(f"registry/{bad.version}/bundle.json", b"{}")
    assert [published.version for published in list_versions(store)] == [good.version]
    assert f"{bad.version}/bundle.json: damaged" in caplog.text
    # The same content can be published again.
    assert find_version(store, put("two").version).networks == [NETWORK]


def test_a_version_needs_a_network(store, tmp_path):
    (tmp_path / "README.md").write_text("nothing else")
    with pytest.raises(InclinetError, match="no network to publish"):
        publish(store, tmp_path, VersionInfo(size=24, bands=("c",)))


@pytest.mark.parametrize("test", [OLD_FILE["facts"]["test"], {}])
def test_a_version_of_earlier_code_is_read_and_can_be_used(store, test):
    content = OLD_FILE | {"facts": OLD_FILE["facts"] | {"test": test}}
    store.write(f"registry/{OLD_FILE['version']}/bundle.json", json.dumps(content).encode())
    [published] = list_versions(store)
    assert published.info.fingerprint == "2" * 64
    assert published.info.bands == ("c", "g")
    assert (published.info.test.rms if test else published.info.test) == (5.0 if test else None)
    assert published.info.steps == {}
    assert PublishedVersion.model_validate_json(published.model_dump_json()) == published
    assert promote(store, published.version, "still good").version == published.version
