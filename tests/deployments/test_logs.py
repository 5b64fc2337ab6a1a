"""Logs stay small while programs append to them, and are JSON if that is wanted."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from deployments import logs
from deployments.logs import rotate, start_rotating
from tests.conftest import ROOT, free_port

FLOW = """
import logging
from prefect import flow

@flow
def failing():
    logging.getLogger("inclinet").warning("of the library\\nin two lines")
    raise ValueError("no galaxy " + 300 * "x")
"""


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


@pytest.fixture
def json_logs(tmp_path, monkeypatch):
    """The logs of a server, which says more than usual, and a worker after a run that failed, and the run."""
    pytest.importorskip("prefect", reason="needs the extra `service`")
    from deployments.prefect_server import create_pools, prefect_client, server_program, worker_program
    from deployments.processes import Launch, stop_programs
    from deployments.settings import WORKER_SETTINGS, Service
    from tests.deployments.tiny import wait_for_state

    monkeypatch.setenv("INCLINET_LOGS", "json")
    monkeypatch.setitem(WORKER_SETTINGS, "PREFECT_WORKER_QUERY_SECONDS", "0.5")
    for name in ("logs", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "failing.py").write_text(FLOW)
    service = Service(tmp_path, ROOT, free_port(), free_port())
    launch = Launch(tmp_path)
    with prefect_client(service, timeout=30) as client:
        server = server_program(service, client)
        more = {"PREFECT_SERVER_LOGGING_LEVEL": "INFO"}
        launch.start(replace(server, environment=server.environment | more))
        try:
            launch.wait(server)
            create_pools(client, limits={})
            worker = worker_program(service, client, "cpu")
            launch.start(worker)
            launch.wait(worker)
            deployment = client.create_deployment(
                client.create_flow_from_name("failing"),
                name="failing",
                work_pool_name="cpu",
                entrypoint="failing.py:failing",
                path=str(tmp_path),
                pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(tmp_path)}}],
            )
            run = client.create_flow_run_from_deployment(deployment)
            wait_for_state(client, run.id, "Failed", 120)
        finally:
            stop_programs(tmp_path, ["worker-cpu", "prefect-server"])
    return {name: (tmp_path / "logs" / f"{name}.log").read_text() for name in ("prefect-server", "worker-cpu")}, run


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.xdist_group("deployments")
def test_logs_of_server_workers_and_runs_are_json(json_logs):
    logs, run = json_logs
    lines = {name: [json.loads(line) for line in text.splitlines() if line[:1] == "{"] for name, text in logs.items()}
    names = {one["name"] for one in lines["prefect-server"]}
    assert names >= {"uvicorn.error", "uvicorn.access"}
    assert any(name.startswith("prefect.server.") for name in names)

    of_worker = lines["worker-cpu"]
    assert any(one["name"].startswith("prefect.flow_runs.worker") for one in of_worker)
    assert "of the library\nin two lines" in [one["msg"] for one in of_worker if one["name"] == "inclinet"]
    of_run = [one for one in of_worker if one.get("flow_run_name") == run.name]
    # Prefect may report the same error once more, as the end of its own process.
    [failed] = [one for one in of_run if one["msg"].startswith("Encountered exception during execution")]
    assert (failed["levelname"], failed["exc_info"]["type"]) == ("ERROR", "ValueError")
    assert failed["exc_info"]["message"] == "no galaxy " + 300 * "x"
    assert "failing.py" in failed["exc_info"]["traceback"]
    # What is plain text comes before all logging, and tells of no error.
    for name, text in logs.items():
        plain = [line for line in text.splitlines() if line[:1] != "{"]
        assert not [line for line in plain if any(word in line for word in ("WARN", "ERROR", "Traceback"))], name
