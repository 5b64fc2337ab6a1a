import errno
import os
import time

import pytest

from inclinet.errors import InclinetError
from inclinet.storage.addresses import open_store
from inclinet.storage.artifacts import Artifacts
from inclinet.storage.cache import cache_limit, make_room


@pytest.fixture
def fetch(tmp_path):
    """Make an artifact of some bytes and fetch it through a cache of a given limit; gives its local path."""

    def fetch(content, limit=10_000):
        def work(folder):
            (folder / "a.txt").write_text(content)
            return {}

        artifacts = Artifacts(open_store(str(tmp_path / "store")), tmp_path / "cache", cache_bytes=limit)
        reference = artifacts.make("stage", "a", inputs={}, settings=content, code="split", work=work)
        return artifacts.fetch(reference, tmp_path / "out")[0]

    return fetch


def put(path, size, used):
    """Write a file that was last used at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (used, used))


def names(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_cache_stays_below_its_limit(fetch, tmp_path):
    for n in range(4):
        content = str(n) * 1000
        assert fetch(content, limit=2500).read_text() == content
        for path in (tmp_path / "cache").iterdir():
            if path.read_text() == content:
                os.utime(path, (n, n))
    kept = {path.read_text()[0] for path in (tmp_path / "cache").iterdir()}
    assert kept == {"2", "3"}


def test_a_cache_smaller_than_a_file_still_gives_the_file(fetch):
    assert fetch("x" * 1000, limit=10).read_text() == "x" * 1000
    assert fetch("y" * 1000, limit=10).read_text() == "y" * 1000


def test_the_cache_may_lie_on_another_file_system(fetch, monkeypatch):
    def refuse(source, target):
        if not source.exists():
            raise FileNotFoundError(source)
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    assert fetch("hello").read_text() == "hello"


@pytest.mark.parametrize(
    ("needed", "limit", "kept"),
    [
        (0, 600, {"a", "b/c", "b/d/e"}),
        (1, 600, {"a", "b/d/e"}),
        (100, 600, {"a", "b/d/e"}),
        (101, 600, {"b/d/e"}),
        (10**9, 600, set()),
        (0, 599, {"a", "b/d/e"}),
    ],
)
def test_room_is_made_by_last_use_in_all_subfolders(tmp_path, needed, limit, kept):
    put(tmp_path / "a", 200, used=2)
    put(tmp_path / "b" / "c", 100, used=1)
    put(tmp_path / "b" / "d" / "e", 300, used=3)
    make_room(tmp_path, needed, limit)
    assert names(tmp_path) == kept


def test_files_being_written_count_and_are_not_removed(tmp_path):
    put(tmp_path / ".get-1" / "file", 1000, used=time.time() - 3600)
    put(tmp_path / "b" / ".part-2", 1000, used=time.time())
    put(tmp_path / "a", 100, used=2)
    make_room(tmp_path, 10, 2110)
    assert names(tmp_path) == {".get-1/file", "b/.part-2", "a"}
    make_room(tmp_path, 11, 2110)
    assert names(tmp_path) == {".get-1/file", "b/.part-2"}


def test_what_killed_processes_left_is_removed_after_a_day(tmp_path):
    put(tmp_path / ".get-1" / "file", 1000, used=time.time() - 100_000)
    put(tmp_path / "b" / ".part-2", 1000, used=time.time() - 100_000)
    put(tmp_path / "b" / "c", 100, used=2)
    put(tmp_path / ".ssh" / "key", 100, used=2)  # somebody's, in a folder that was ill chosen
    make_room(tmp_path, 0, 10_000)
    assert names(tmp_path) == {"b/c", ".ssh/key"}
    assert {path.name for path in tmp_path.iterdir()} == {"b", ".ssh"}


def test_room_in_a_folder_that_does_not_exist(tmp_path):
    make_room(tmp_path / "none", 10, 5)


def test_the_limit_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("INCLINET_CACHE_GB", raising=False)
    assert cache_limit() == 20 * 2**30
    monkeypatch.setenv("INCLINET_CACHE_GB", "0.5")
    assert cache_limit() == 2**29


@pytest.mark.parametrize("value", ["", "much", "-1", "0", "nan", "inf", "1e400"])
def test_a_limit_that_is_no_number_is_an_error(monkeypatch, value):
    monkeypatch.setenv("INCLINET_CACHE_GB", value)
    with pytest.raises(InclinetError, match="INCLINET_CACHE_GB"):
        cache_limit()
