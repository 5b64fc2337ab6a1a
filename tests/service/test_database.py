"""The database of the Prefect server: PostgreSQL, away for a while."""

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prefect import get_client
from prefect.deployments import run_deployment
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from deployments.prefect_server import create_pools, prefect_client, server_program, worker_program
from deployments.processes import Launch, stop_programs
from deployments.settings import WORKER_SETTINGS, Service
from tests.conftest import ROOT, free_port
from tests.service.postgres import running_postgres
from tests.service.runs import finish

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.xdist_group("service")]

FLOW = """
import time
from prefect import flow, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact

@task
def step(number):
    return number

@flow
def busy(steps: int):
    progress = create_progress_artifact(0, key="busy")
    for number in range(steps):
        step(number)
        update_progress_artifact(progress, number)
        time.sleep(0.5)
"""


@pytest.fixture
def postgres():
    # pytest's own folders are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running_postgres(Path(folder) / "data") as server:
            yield server


@pytest.fixture
def on_postgres(postgres, tmp_path, monkeypatch):
    """A Prefect server on PostgreSQL, a worker, and a deployment with the environment of `prefect.yaml`."""
    monkeypatch.setitem(WORKER_SETTINGS, "PREFECT_WORKER_QUERY_SECONDS", "0.5")
    (tmp_path / "logs").mkdir()
    (tmp_path / "busy.py").write_text(FLOW)
    service = Service(tmp_path, ROOT, free_port(), free_port())
    launch = Launch(tmp_path)
    environment = yaml.safe_load((ROOT / "prefect.yaml").read_text())["definitions"]["environment"]
    with prefect_client(service, timeout=5) as client:
        server = server_program(service, client)
        server = replace(
            server,
            command=[part.replace("deployments.server", "prefect") for part in server.command],
            environment=server.environment | {"PREFECT_SERVER_DATABASE_CONNECTION_URL": postgres.url},
        )
        launch.start(server)
        launch.wait(server)
        create_pools(client, limits={})
        flow = client.create_flow_from_name("busy")
        client.create_deployment(
            flow,
            name="busy",
            work_pool_name="cpu",
            entrypoint="busy.py:busy",
            path=str(tmp_path),
            job_variables={"env": environment},
            pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(tmp_path)}}],
        )
        worker = worker_program(service, client, "cpu")
        launch.start(worker)
        launch.wait(worker)
    with temporary_settings({PREFECT_API_URL: service.api, PREFECT_API_AUTH_STRING: service.auth_string}):
        yield postgres
    stop_programs(tmp_path, ["worker-cpu", "prefect-server"])
    shutil.rmtree(tmp_path / "prefect", ignore_errors=True)


def test_a_run_survives_a_database_that_is_away_for_15_seconds(on_postgres):
    with get_client(sync_client=True) as client:
        run = run_deployment("busy/busy", parameters={"steps": 60}, timeout=0)
        while not client.read_flow_run(run.id).state.is_running():
            time.sleep(0.2)
        time.sleep(3)
        on_postgres.stop()
        time.sleep(15)
        on_postgres.start()
        for _ in range(60):
            try:
                client.read_flow_run(run.id)
                break
            except Exception:
                time.sleep(1)
        done = finish(client, run.id)
    assert done.state.name == "Completed", done.state.message
    assert done.run_count == 1
