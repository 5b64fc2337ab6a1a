import signal
import subprocess
import sys

import pytest

from inclinet.storage.atomic import atomic_file, atomic_folder, write_text
from tests.conftest import ROOT

KILLED_WRITER = """
import os, pathlib, signal, sys
from inclinet.storage.atomic import atomic_folder

folder, function, calls = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
owner = {"Path.replace": pathlib.Path, "os.unlink": os}[function]
name = function.partition(".")[2]
real = getattr(owner, name)

def killed_at(*args, **kwargs):
    global calls
    calls -= 1
    if calls < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)

with atomic_folder(folder) as part:
    for n in range(3):
        (part / f"{n}.txt").write_text("new")
    setattr(owner, name, killed_at)
"""


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


OLD = {f"{n}.txt": "old" for n in range(4)}
NEW = {f"{n}.txt": "new" for n in range(3)}


@pytest.fixture
def folder(tmp_path):
    """A folder with files, beside another whose name starts the same."""
    for name, files in (("out", OLD), ("out-put", OLD)):
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text)
    return tmp_path / "out"


def test_a_folder_is_replaced_when_the_block_ends(folder):
    with atomic_folder(folder) as part:
        for name, text in NEW.items():
            (part / name).write_text(text)
        assert contents(folder) == OLD
    assert contents(folder) == NEW
    assert sorted(path.name for path in folder.parent.iterdir()) == ["out", "out-put"]


def test_an_error_leaves_the_old_folder_and_nothing_else(folder):
    with pytest.raises(ValueError, match="half way"), atomic_folder(folder) as part:
        (part / "0.txt").write_text("new")
        raise ValueError("half way")
    assert contents(folder) == OLD
    assert sorted(path.name for path in folder.parent.iterdir()) == ["out", "out-put"]


@pytest.mark.parametrize(
    ("function", "calls"),
    [("Path.replace", 0), ("Path.replace", 1), ("Path.replace", 2), ("os.unlink", 0), ("os.unlink", 2)],
)
def test_a_kill_at_any_moment_leaves_a_complete_folder(folder, function, calls):
    """Killed at the nth renaming, or at the nth file that is removed."""
    command = [sys.executable, "-c", KILLED_WRITER, folder, function, str(calls)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    with pytest.raises(ValueError, match="next"), atomic_folder(folder):  # the next writer, who fails
        raise ValueError("next")
    assert contents(folder) in (OLD, NEW)
    assert contents(folder.parent / "out-put") == OLD
    with atomic_folder(folder) as part:
        for name, text in NEW.items():
            (part / name).write_text(text)
    assert contents(folder) == NEW
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".old-")]


def test_another_writers_folder_is_replaced_too(folder):
    with atomic_folder(folder) as first:
        (first / "0.txt").write_text("first")
        with atomic_folder(folder) as second:
            (second / "0.txt").write_text("second")
        assert contents(folder) == {"0.txt": "second"}
    assert contents(folder) == {"0.txt": "first"}


def test_a_file_is_replaced_only_when_the_block_ends(tmp_path):
    path = write_text(tmp_path / "a" / "b.txt", "öld")
    with pytest.raises(ValueError, match="half way"), atomic_file(path) as part:
        part.write_text("new")
        raise ValueError("half way")
    assert path.read_bytes() == "öld".encode()
    assert list(path.parent.iterdir()) == [path]
