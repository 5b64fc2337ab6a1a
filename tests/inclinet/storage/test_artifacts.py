import errno
import json
import os
from dataclasses import replace

import pytest

from inclinet.storage.artifacts import Artifacts, DamagedArtifactError
from inclinet.storage.store import open_store


@pytest.fixture
def artifacts(tmp_path):
    return Artifacts(open_store(str(tmp_path / "store")), tmp_path / "cache")


def make(artifacts, content="hello", settings=None, calls=None):
    def work(folder):
        if calls is not None:
            calls.append(content)
        (folder / "a.txt").write_text(content)
        (folder / "b.txt").write_text("b")
        return {"images": 3}

    return artifacts.make("stage", "g", inputs={"in": "1"}, settings=settings, code="split", work=work)


def test_made_once_then_found(artifacts, tmp_path):
    calls = []
    first = make(artifacts, calls=calls)
    again = make(artifacts, calls=calls)
    assert (first.is_new, again.is_new, len(calls)) == (True, False, 1)
    assert first == again
    assert first.facts == {"images": 3}
    [path] = artifacts.fetch(first, tmp_path / "out", ["a.txt"])
    assert path.read_text() == "hello"
    manifest = json.loads(artifacts.store.read(f"{first.key}/manifest.json"))
    assert manifest["files"]["a.txt"]["size"] == 5
    assert manifest["inputs"] == {"in": "1"}


def test_other_settings_make_another(artifacts):
    assert make(artifacts, settings={"size": 1}).key != make(artifacts, settings={"size": 2}).key


def test_the_digest_is_that_of_the_content(artifacts):
    one, two = make(artifacts, settings=1), make(artifacts, settings=2)
    assert one.key != two.key
    assert one.digest == two.digest
    assert make(artifacts, content="other", settings=3).digest != one.digest


def test_without_a_manifest_there_is_no_artifact(artifacts):
    reference = make(artifacts)
    artifacts.store.delete(f"{reference.key}/manifest.json")
    assert artifacts.find(reference.key) is None
    assert make(artifacts).is_new


def test_a_flipped_bit_in_a_manifest_is_found(artifacts):
    reference = make(artifacts)
    key = f"{reference.key}/manifest.json"
    content = artifacts.store.read(key)
    artifacts.store.write(key, content.replace(b'"images": 3', b'"images": 2'))
    assert artifacts.find(reference.key) is None
    assert make(artifacts).is_new


def test_a_damaged_local_copy_is_fetched_anew(artifacts, tmp_path):
    reference = make(artifacts)
    artifacts.fetch(reference, tmp_path / "out")
    kept = artifacts.cache / reference.files["a.txt"]
    kept.chmod(0o644)
    kept.write_text("hallo")
    assert artifacts.fetch(reference, tmp_path / "out")[0].read_text() == "hello"
    assert kept.read_text() == "hello"


@pytest.mark.parametrize("harm", ["delete", "truncate", "flip"])
def test_damage_is_found_and_healed(artifacts, tmp_path, harm):
    reference = make(artifacts)
    path = tmp_path / "store" / reference.folder / "a.txt"
    if harm == "delete":
        path.unlink()
    elif harm == "truncate":
        path.write_text("hel")
    else:
        path.write_text("hallo")
    with pytest.raises(DamagedArtifactError, match="a.txt"):
        artifacts.fetch(reference, tmp_path / "out")
    healed = make(artifacts)
    assert healed.is_new
    assert artifacts.fetch(healed, tmp_path / "out")[0].read_text() == "hello"


@pytest.mark.parametrize(
    "files", [{"../escaped.txt": "0" * 64}, {"/tmp/escaped.txt": "0" * 64}, {"..": "0" * 64}, {"a.txt": "../escaped"}]
)
def test_no_name_in_a_manifest_leads_out_of_the_folder(artifacts, tmp_path, files):
    reference = replace(make(artifacts), files=files)
    for name in files:
        artifacts.store.write(f"{reference.folder}/x", b"hello")
        with pytest.raises(DamagedArtifactError, match="called so"):
            artifacts.fetch(reference, tmp_path / "a" / "out", [name])
    assert not list(tmp_path.rglob("escaped*"))


def test_the_cache_stays_within_its_size(tmp_path):
    artifacts = Artifacts(open_store(str(tmp_path / "store")), tmp_path / "cache", cache_bytes=2500)
    for n in range(4):
        reference = make(artifacts, content=str(n) * 1000, settings=n)
        [path] = artifacts.fetch(reference, tmp_path / "out", ["a.txt"])
        os.utime(tmp_path / "cache" / reference.files["a.txt"], (n, n))
        assert path.read_text() == str(n) * 1000
    kept = list((tmp_path / "cache").iterdir())
    assert sum(file.stat().st_size for file in kept) <= 2500
    assert len(kept) == 2


def test_two_who_make_the_same_at_once_do_not_clash(artifacts, tmp_path):
    """Files of other bytes under one key, as network files are: both references stay good."""
    key = "artifacts/stage/g-1"
    references = []
    for content in ("one", "two"):
        folder = tmp_path / content
        folder.mkdir()
        (folder / "a.txt").write_text(content)
        references.append(artifacts.publish(key, folder, inputs={}, settings=None, code="split", facts={}))
    for reference, content in zip(references, ("one", "two"), strict=True):
        assert artifacts.fetch(reference, tmp_path / "out")[0].read_text() == content
    assert artifacts.find(key) == references[1]


def test_the_cache_may_lie_on_another_file_system(artifacts, tmp_path, monkeypatch):
    def refuse(source, target):
        if not source.exists():
            raise FileNotFoundError(source)
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    reference = make(artifacts)
    assert artifacts.fetch(reference, tmp_path / "out", ["a.txt"])[0].read_text() == "hello"


def test_a_cache_smaller_than_a_file_still_gives_the_file(tmp_path):
    artifacts = Artifacts(open_store(str(tmp_path / "store")), tmp_path / "cache", cache_bytes=10)
    reference = make(artifacts, content="x" * 1000)
    assert len(artifacts.fetch(reference, tmp_path / "out")) == 2
