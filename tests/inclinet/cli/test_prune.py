"""`inclinet prune`, on a store in a folder."""

import os
import time

import pytest

RULES = ("--keep-runs", 1, "--keep-versions", 1, "--store", "store")


@pytest.fixture
def store(inclinet, tmp_path):
    """A store with images, an artifact that nobody has needed for 40 days, and a new one."""
    for name in ("artifacts/prep/old/manifest.json", "artifacts/prep/new/manifest.json", "input/galaxies/a.png"):
        path = tmp_path / "store" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x" * 2_000_000)
        if "new" not in name:
            os.utime(path, (time.time() - 40 * 86_400,) * 2)
    return tmp_path / "store"


def left(store):
    return sorted(path.parent.name for path in store.rglob("*") if path.is_file())


def row(text):
    [found] = [line.split()[1:] for line in text.splitlines() if line.split()[:1] == ["artifacts"]]
    return found


def test_a_dry_run_says_what_would_go_and_removes_nothing(inclinet, store):
    code, text = inclinet("prune", *RULES, "--older-than", "30d", "--dry-run", "--verbose")
    assert code == 0
    assert row(text) == ["1", "0.002", "1", "0.002"]
    assert "artifacts/prep/old  2,000,000 bytes" in text
    assert left(store) == ["galaxies", "new", "old"]


def test_what_is_older_goes(inclinet, store):
    code, text = inclinet("prune", *RULES, "--older-than", "41d")
    assert (code, row(text)[0]) == (0, "0")
    code, text = inclinet("prune", *RULES, "--older-than", "30d")
    assert code == 0
    assert "removed 0.002 GB from" in text
    assert left(store) == ["galaxies", "new"]
    code, text = inclinet("prune", *RULES, "--older-than", "soon")
    assert code != 0
    assert "--older-than" in text
