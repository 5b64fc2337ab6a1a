"""A run that is killed at any moment and resumed ends, bit for bit, like a run that was never killed."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from inclinet.storage.addresses import open_store
from inclinet.storage.store import FolderStore
from inclinet.training.filenames import checkpoint_folder, snapshot_file
from inclinet.training.snapshots import Snapshots
from tests.conftest import ROOT
from tests.inclinet.training.killed import PLAN, POINTS, STEP, training

pytestmark = pytest.mark.xdist_group("kill")  # its fixtures take long: once is enough

FOLDER = checkpoint_folder(0, "model4")


def command(stored, store, *point):
    return [sys.executable, "-m", "tests.inclinet.training.killed", str(stored), str(store), *point]


def run(stored, store):
    """Run to the end in this process; returns the step that it resumed after, and its last snapshot."""
    with training(stored, store) as live:
        before = live.step
        for step in range(before + 1, PLAN.steps + 1):
            live.reach(step)
        live.finish()
    return before, Snapshots(store, FOLDER).load(PLAN.steps)


@pytest.fixture(scope="module")
def straight(stored, tmp_path_factory):
    """The last snapshot of a run that was never killed."""
    return run(stored, FolderStore(tmp_path_factory.mktemp("straight")))[1]


@pytest.fixture(scope="module")
def killed(stored, tmp_path_factory):
    """The folder of a killed run for each point, by the name of the point."""
    folders = {point.__name__: tmp_path_factory.mktemp("killed") for point in POINTS}

    def kill(item):
        point, folder = item
        done = subprocess.run(command(stored, folder, point), cwd=ROOT, check=False, capture_output=True, timeout=300)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(kill, folders.items()))
    return folders


def assert_same(one, other):
    assert one.step == other.step
    assert np.array_equal(one.history, other.history, equal_nan=True)
    assert one.state.keys() == other.state.keys()
    assert [name for name in one.state if not np.array_equal(one.state[name], other.state[name])] == []


@pytest.mark.parametrize("point", [point.__name__ for point in POINTS])
def test_a_killed_run_resumes_exactly(killed, straight, stored, point):
    before, last = run(stored, FolderStore(killed[point]))
    assert_same(last, straight)
    # Only the current step and the one being saved may be lost.
    assert STEP - 2 <= before <= STEP or point == "in_drawing_the_figure"


class SlowProxy:
    """Passes bytes on to a server on 127.0.0.1; slows down uploads of one object, and counts their bytes."""

    def __init__(self, port, marker, rate=100_000):
        self.port, self.marker, self.rate, self.seen = port, marker, rate, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
                threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source, target, towards):
        slow = False
        with suppress(OSError):
            while data := source.recv(8192):
                slow = slow or (towards and self.marker in data)
                if slow:
                    self.seen += len(data)
                    time.sleep(len(data) / self.rate)
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.mark.slow
def test_killed_in_an_upload(stored, straight, s3_server, s3_uri):
    name = f"{FOLDER}/{snapshot_file(STEP)}".encode()
    proxy = SlowProxy(int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2]), name)
    process = subprocess.Popen(
        command(stored, s3_uri),
        cwd=ROOT,
        env=os.environ | {"AWS_ENDPOINT_URL": proxy.address},
        stderr=subprocess.DEVNULL,
    )
    for _ in range(1000):
        if proxy.seen > 100_000:
            break
        time.sleep(0.1)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert proxy.seen > 100_000, "the upload never began"
    proxy.listener.close()
    time.sleep(1)
    store = open_store(s3_uri)
    assert STEP not in Snapshots(store, FOLDER).steps()
    before, last = run(stored, store)
    assert before == STEP - 1
    assert_same(last, straight)


@pytest.mark.slow
def test_the_command_killed_again_and_again(stored, tmp_path):
    """`inclinet train`, killed twice at random moments, then completed."""
    rng = np.random.default_rng()

    def train(out, **how):
        options = f"-a {stored} -i {stored}/samples -o {out} -s 24 -m model4 -n 0 -b 2 -N 4 --training_batch_size 2"
        program = [Path(sys.executable).parent / "inclinet", "train", *options.split()]
        return subprocess.Popen(program, cwd=ROOT, stderr=subprocess.DEVNULL, **how)

    assert train(tmp_path / "straight").wait() == 0
    for _ in range(2):
        process = train(tmp_path / "killed")
        for _ in range(600):
            if list((tmp_path / "killed" / FOLDER).glob("*.npz")) or process.poll() is not None:
                break
            time.sleep(0.05)
        time.sleep(rng.uniform(0, 1.5))
        process.kill()
        process.wait()
    assert train(tmp_path / "killed").wait() == 0
    ends = [Snapshots(FolderStore(tmp_path / name), FOLDER).load(8) for name in ("straight", "killed")]
    assert_same(*ends)
    assert not list((tmp_path / "killed" / FOLDER).glob(".part-*"))
