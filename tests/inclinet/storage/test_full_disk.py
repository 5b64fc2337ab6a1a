"""A disk that fills: one clear error, no half file, and once there is room the work goes on."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inclinet.data.filenames import band_folder
from inclinet.errors import InclinetError
from inclinet.storage.artifacts import Artifacts
from inclinet.storage.store import FolderStore
from inclinet.training.filenames import checkpoint_folder
from inclinet.training.snapshots import Snapshots
from tests.inclinet.training.killed import PLAN, training

INCLINET = Path(sys.executable).parent / "inclinet"


class Disk:
    """A file system of a size of its own."""

    def __init__(self, folder):
        self.folder = folder

    def mount(self, kilobytes, *, again=False):
        options = f"{'remount,' * again}size={kilobytes}k"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.folder]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def unmount(self):
        subprocess.run(["umount", self.folder], check=True)

    def parts(self):
        return [path for path in self.folder.rglob("*") if ".part-" in str(path)]


@pytest.fixture
def disk(tmp_path):
    """A disk of 100 kB."""
    disk = Disk(tmp_path / "disk")
    disk.folder.mkdir()
    if not disk.mount(100):
        pytest.skip("file systems cannot be mounted here")
    yield disk
    disk.unmount()


def test_the_command_line_says_so_and_works_when_there_is_room(small_sample, disk):
    command = [INCLINET, "prep", "-p", small_sample / "galaxies", "-c", small_sample / "catalog.csv"]
    command += ["-b", "gri", "-s", "128", "-o", disk.folder]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{disk.folder}: no space left" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
    assert not disk.parts()
    assert not (disk.folder / band_folder(128, "gri")).exists()
    disk.mount(10_000, again=True)
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert len(list((disk.folder / band_folder(128, "gri")).iterdir())) == 60


def test_training_keeps_its_last_snapshot_and_goes_on(stored, disk, tmp_path):
    folder = checkpoint_folder(0, "model4")
    straight = FolderStore(tmp_path)
    with training(stored, straight) as live:
        live.reach(PLAN.steps)
        live.finish()
    [size] = {path.stat().st_size for path in (tmp_path / folder).iterdir() if path.name.endswith("0006.npz")}
    disk.mount(size * 3 // 2048, again=True)
    with training(stored, FolderStore(disk.folder)) as live:
        live.reach(1)
        with pytest.raises(InclinetError, match="no space left"):
            live.reach(2)
            live.finish()
        assert next(Snapshots(FolderStore(disk.folder), folder).newest_first()).step == 1
        assert not disk.parts()
        disk.mount(size * 10 // 1024, again=True)
        for step in range(2, PLAN.steps + 1):
            live.reach(step)
        live.finish()
    ends = [Snapshots(store, folder).load(PLAN.steps) for store in (straight, FolderStore(disk.folder))]
    assert all(np.array_equal(ends[0].state[name], ends[1].state[name]) for name in ends[0].state)


@pytest.mark.parametrize("where", ["store", "cache", "temporary folder"])
def test_an_artifact_is_whole_or_not_there(disk, tmp_path, monkeypatch, where):
    places = {"store": tmp_path / "store", "cache": tmp_path / "cache"} | {where: disk.folder}
    if where == "temporary folder":
        monkeypatch.setattr("tempfile.tempdir", str(disk.folder))
    artifacts = Artifacts(FolderStore(places["store"]), places["cache"])

    def make():
        def work(folder):
            (folder / "a.bin").write_bytes(bytes(300_000))
            return {}

        reference = artifacts.make("stage", "a", inputs={}, settings=None, code="split", work=work)
        return artifacts.fetch(reference, tmp_path / "out")[0].stat().st_size

    with pytest.raises(InclinetError, match=f"{disk.folder}.*no space left"):
        make()
    assert not disk.parts()
    disk.mount(10_000, again=True)
    assert make() == 300_000
