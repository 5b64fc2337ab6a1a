import json
from dataclasses import replace

import pytest

from inclinet.storage.addresses import open_store
from inclinet.storage.artifacts import Artifacts, DamagedArtifactError
from inclinet.storage.digests import json_digest
from inclinet.storage.lineage import lineage


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


def test_an_artifact_is_made_once_then_found(artifacts, tmp_path):
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


def test_other_settings_make_another_artifact(artifacts):
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


def test_a_damaged_local_copy_is_fetched_again(artifacts, tmp_path):
    reference = make(artifacts)
    artifacts.fetch(reference, tmp_path / "out")
    kept = artifacts.cache / reference.files["a.txt"]
    kept.chmod(0o644)
    kept.write_text("hallo")
    assert artifacts.fetch(reference, tmp_path / "out")[0].read_text() == "hello"
    assert kept.read_text() == "hello"


@pytest.mark.parametrize("harm", ["delete", "truncate", "flip"])
def test_a_damaged_file_is_noticed_and_the_artifact_remade(artifacts, tmp_path, harm):
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
def test_no_name_in_a_reference_leads_out_of_the_folder(artifacts, tmp_path, files):
    reference = replace(make(artifacts), files=files)
    for name in files:
        artifacts.store.write(f"{reference.folder}/x", b"hello")
        with pytest.raises(DamagedArtifactError, match="no artifact holds a file"):
            artifacts.fetch(reference, tmp_path / "a" / "out", [name])
    assert not list(tmp_path.rglob("escaped*"))


def test_two_runs_that_make_the_same_artifact_do_not_clash(artifacts, tmp_path):
    """Their files may differ, as those of networks do: both references stay valid."""
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


MALFORMED = {
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "a text": b'"manifest"',
    "nothing": b"",
    "not JSON": b"{",
    "not UTF-8": b'{"key": "\xff"}',
    "nested deeply": b"[" * 100_000,
    "an empty object": b"{}",
}
WRONG_FIELDS = {
    "files": [None, [], 3, {"a.txt": None}, {"a.txt": {"size": "many", "sha256": "0" * 64}}, {"a.txt": {"size": 5}}],
    "facts": [None, [], 3],
    "inputs": [None, [], {"in": 1}],
    "code": [None, 3],
    "run": [None],
    "key": [None, "artifacts/stage/another-0123"],
    "sha256": [None, 3, "0" * 64],
    "more": [1],
}


def sealed(manifest):
    """Return the bytes of a manifest with the right SHA-256 of itself."""
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return json.dumps({"sha256": json_digest(rest)} | manifest).encode()


def wrong_manifest(field, value):
    def change(content):
        manifest = {name: kept for name, kept in json.loads(content).items() if name != "sha256"}
        return sealed(manifest | {field: value})

    return change


def escaping_manifest(content):
    """A manifest whose files lead out of the folder they are fetched into."""
    manifest = json.loads(content)
    files = {"../" + name: file for name, file in manifest["files"].items()}
    return wrong_manifest("files", files)(content)


@pytest.mark.parametrize(
    "change",
    [
        *(pytest.param(lambda _, content=content: content, id=name) for name, content in MALFORMED.items()),
        *(
            pytest.param(wrong_manifest(name, value), id=f"{name}={value}")
            for name, values in WRONG_FIELDS.items()
            for value in values
        ),
        escaping_manifest,
    ],
)
def test_a_malformed_manifest_means_that_there_is_no_artifact(artifacts, tmp_path, change):
    reference = make(artifacts)
    key = f"{reference.key}/manifest.json"
    artifacts.store.write(key, change(artifacts.store.read(key)))
    for read in (artifacts.manifest, lambda one: lineage(artifacts, [one])):
        with pytest.raises(DamagedArtifactError, match=r"manifest\.json is missing or damaged"):
            read(reference)
    remade = make(artifacts)
    assert remade.is_new
    assert artifacts.manifest(remade).facts == {"images": 3}
    assert artifacts.fetch(remade, tmp_path / "out", ["a.txt"])[0].read_text() == "hello"
