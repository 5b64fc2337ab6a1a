"""A process whose run was given up ends, on a real Prefect server."""

import subprocess
import sys
import time

import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL
from prefect.states import Crashed, Running, Scheduled

from tests.conftest import ROOT

pytestmark = pytest.mark.xdist_group("tasks")

CODE = """
import subprocess, sys, time
from pathlib import Path
from prefect import flow
import flows.fence
from flows.fence import fenced

@flow(flow_run_name=sys.argv[1])
def long():
    flows.fence._LOOK_SECONDS = float(sys.argv[2])
    with fenced():
        child = subprocess.Popen(["sleep", "60"])
        Path("child").write_text(str(child.pid))
        while not Path("go").exists():
            time.sleep(0.05)
        child.kill()
    return "done"

print(long())
"""


@pytest.fixture
def start(prefect_api, tmp_path):
    """A function that starts a run in a process of its own; returns the process and the id of the run."""
    processes = []

    def go(name, seconds):
        environment = {
            "PREFECT_API_URL": PREFECT_API_URL.value(),
            "PREFECT_API_AUTH_STRING": PREFECT_API_AUTH_STRING.value(),
            "PYTHONPATH": str(ROOT),
            "PATH": "/usr/bin:/bin",
        }
        command = [sys.executable, "-c", CODE, name, str(seconds)]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE)
        processes.append(process)
        with get_client(sync_client=True) as client:
            for _ in range(600):
                named = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(any_=[name])))
                if named and named[0].state.is_running() and (tmp_path / "child").exists():
                    break
                time.sleep(0.1)
        return process, named[0].id

    yield go
    for process in processes:
        process.kill()
        process.wait()


def state_of(run):
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run).state.name


def set_states(run, *states):
    with get_client(sync_client=True) as client:
        for state in states:
            client.set_flow_run_state(run, state, force=True)


def test_a_run_that_is_left_alone_completes(start, tmp_path):
    process, run = start("fence-alone", 0.1)
    (tmp_path / "go").touch()
    assert "done" in process.communicate(timeout=60)[0]
    assert state_of(run) == "Completed"


def test_a_process_ends_whose_run_was_marked_as_crashed(start, tmp_path):
    process, run = start("fence-crashed", 0.1)
    set_states(run, Crashed(message="silent"))
    assert process.wait(60) == 0
    assert state_of(run) == "Crashed"
    child = int((tmp_path / "child").read_text())
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True).stdout
    assert not shown.strip() or shown.startswith("Z")


def test_a_process_that_ends_before_it_has_looked_does_not_complete_its_run(start, tmp_path):
    process, run = start("fence-end", 3600)
    set_states(run, Crashed(message="silent"))
    (tmp_path / "go").touch()
    assert process.wait(60) == 0
    assert state_of(run) == "Crashed"


def test_a_process_leaves_its_run_to_another_one(start):
    process, run = start("fence-other", 0.1)
    set_states(run, Crashed(message="silent"), Scheduled(), Running())
    assert process.wait(60) == 0
    assert state_of(run) == "Running"
