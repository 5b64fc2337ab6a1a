import pytest
from prefect.logging import disable_run_logger

from flows.repair import remake_damaged
from inclinet.errors import InclinetError
from inclinet.storage.artifacts import Artifacts, DamagedArtifactError
from inclinet.storage.store import FolderStore


@pytest.fixture(autouse=True)
def without_a_run():
    with disable_run_logger():
        yield


def test_a_damaged_artifact_is_remade_with_what_depends_on_it(tmp_path):
    store = FolderStore(tmp_path / "store")
    made = []

    def make(name, content, **inputs):
        def work(folder):
            made.append(name)
            (folder / "file").write_bytes(content)
            return {}

        return artifacts.make(name, "all", inputs=inputs, settings=None, code="", work=work)

    def run():
        first = make("first", b"image")
        [path] = artifacts.fetch(first, tmp_path / "fetched")
        return make("second", path.read_bytes() * 2, first=first.digest)

    artifacts = Artifacts(store, tmp_path / "cache")
    expected = remake_damaged(run)
    first = artifacts.make("first", "all", inputs={}, settings=None, code="", work=pytest.fail)
    store.write(f"{first.folder}/file", b"imagf")
    artifacts = Artifacts(store, tmp_path / "another cache")
    assert remake_damaged(run) == expected
    # The content is as before, so what was made from it is reused.
    assert made == ["first", "second", "first"]
    assert store.read(f"{first.folder}/file") == b"image"


def test_a_store_that_damages_everything_ends_the_run():
    calls = []

    def always_damaged():
        calls.append(1)
        raise DamagedArtifactError("flipped")

    with pytest.raises(DamagedArtifactError, match="flipped"):
        remake_damaged(always_damaged)
    assert len(calls) == 4


def test_other_errors_end_the_run_at_once():
    calls = []

    def bad_input():
        calls.append(1)
        raise InclinetError("bad catalogue")

    with pytest.raises(InclinetError):
        remake_damaged(bad_input)
    assert len(calls) == 1
