"""Logs stay small while programs append to them."""

import subprocess
import sys
import time

from deployments import logs
from deployments.logs import rotate, start_rotating


def test_a_small_log_is_left_alone(tmp_path):
    log = tmp_path / "server.log"
    log.write_text("hello")
    rotate(log, largest=5)
    rotate(tmp_path / "none.log", largest=5)
    assert [path.name for path in tmp_path.iterdir()] == ["server.log"]


def test_three_older_logs_are_kept(tmp_path):
    log = tmp_path / "server.log"
    for n in range(6):
        log.write_text(f"log {n}")
        rotate(log, largest=1)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "server.log": "",
        "server.log.1": "log 5",
        "server.log.2": "log 4",
        "server.log.3": "log 3",
    }


def test_a_program_writes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "_SECONDS", 0.05)
    monkeypatch.setattr(logs, "rotate", lambda log, rotate=rotate: rotate(log, 100_000))
    code = "import time\nfor n in range(300):\n    print('x' * 9_999, flush=True)\n    time.sleep(0.005)"
    with (tmp_path / "server.log").open("a") as stream:
        program = subprocess.Popen([sys.executable, "-c", code], stdout=stream)
    start_rotating(tmp_path)
    assert program.wait(60) == 0
    for _ in range(100):
        sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
        if sizes["server.log"] <= 100_000:
            break
        time.sleep(0.05)
    assert len(sizes) == 4
    assert sum(sizes.values()) < 1_500_000 < 300 * 10_000
