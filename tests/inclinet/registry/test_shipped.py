"""A version of a store becomes the one that ships; here in a folder of its own, not in that of the package."""

import pytest

from inclinet.errors import InclinetError
from inclinet.registry import shipped
from inclinet.registry.shipped import install, read_shipped, shipped_folder
from inclinet.registry.versions import PublishedVersion, VersionInfo, publish
from inclinet.storage.addresses import open_store
from inclinet.storage.digests import sha256

FILES = {
    "Uset_000_model4.keras": "for Keras",
    "Uset_000_model4.onnx": "exported",
    "calibration.json": "{}",
    "novelty.json": "{}",
    "README.md": "a card",
    "report.html": "a report",
}


@pytest.fixture
def version(tmp_path):
    """Publish files; returns the store and the version."""

    def make(files=FILES):
        folder = tmp_path / "version"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        store = open_store(str(tmp_path / "store"))
        return store, publish(store, folder, VersionInfo(size=24, bands=("c",)))

    return make


def test_only_what_predicting_needs_ships(version, tmp_path, monkeypatch):
    monkeypatch.setenv("INCLINET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shipped, "shipped_folder", lambda: tmp_path / "shipped")
    assert read_shipped() is None
    store, published = version()
    folder = install(store, published)
    assert folder == tmp_path / "shipped"
    names = {"Uset_000_model4.onnx", "calibration.json", "novelty.json", "README.md"}
    assert {path.name for path in folder.iterdir()} == {*names, "bundle.json"}
    there = read_shipped()
    assert (there.version, there.info, there.networks) == (published.version, published.info, ["Uset_000_model4.onnx"])
    assert {name: file.sha256 for name, file in there.files.items()} == {name: sha256(folder / name) for name in names}
    (folder / "left over").touch()
    install(store, published)
    assert not (folder / "left over").exists()


def test_notes_are_added_to_the_model_card(version, tmp_path, monkeypatch):
    monkeypatch.setenv("INCLINET_CACHE", str(tmp_path / "cache"))
    store, published = version()
    folder = install(store, published, tmp_path / "shipped", notes="## Data\nFrom SDSS.")
    card = folder / "README.md"
    assert card.read_text().endswith("\n\n## Data\nFrom SDSS.\n")
    described = PublishedVersion.model_validate_json((folder / "bundle.json").read_bytes())
    assert described.files["README.md"].sha256 == sha256(card)
    assert described.files["README.md"].size == card.stat().st_size


@pytest.mark.parametrize(
    ("without", "problem"),
    [
        ("Uset_000_model4.onnx", "Uset_000_model4.keras is not exported; publish the networks again"),
        ("novelty.json", "has no novelty.json: it cannot ship"),
        ("calibration.json", "has no calibration.json: it cannot ship"),
    ],
)
def test_what_is_incomplete_cannot_ship(version, tmp_path, without, problem):
    store, published = version({name: text for name, text in FILES.items() if name != without})
    with pytest.raises(InclinetError, match=problem):
        install(store, published, tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()


def test_a_large_file_cannot_ship(version, tmp_path):
    store, published = version(FILES | {"Uset_000_model4.onnx": "x" * 5_000_000})
    with pytest.raises(InclinetError, match=r"model4\.onnx has 5,000,000 bytes; less than 5,000,000 can ship"):
        install(store, published, tmp_path / "shipped")


def test_a_damaged_file_cannot_ship(version, tmp_path, monkeypatch):
    monkeypatch.setenv("INCLINET_CACHE", str(tmp_path / "cache"))
    store, published = version()
    store.write(f"registry/{published.version}/novelty.json", b"other")
    with pytest.raises(InclinetError, match="its SHA-256 is not that of"):
        install(store, published, tmp_path / "shipped")
    assert not (tmp_path / "shipped").exists()


def test_the_folder_is_in_the_package():
    assert shipped_folder().parent.joinpath("py.typed").is_file()


def test_what_ships_is_whole():
    """Of the version that this copy of the code ships, if it ships one."""
    there = read_shipped()
    if there is None:
        pytest.skip("this copy of the code ships no version")
    for name, file in there.files.items():
        path = shipped_folder() / name
        assert (sha256(path), path.stat().st_size) == (file.sha256, file.size)
        assert file.size < shipped.MAX_FILE
    assert {path.name for path in shipped_folder().iterdir()} == {*there.files, "bundle.json"}
    assert all(name.endswith(".onnx") for name in there.networks)
