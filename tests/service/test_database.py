"""The database of the Prefect server: PostgreSQL, away for a while, and restored from a copy."""

import re
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prefect import get_client
from prefect.client.schemas.actions import VariableCreate
from prefect.deployments import run_deployment
from prefect.flows import Flow
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


def server_on(url, service, client):
    """Return a Prefect server as the containers have it, on a database."""
    server = server_program(service, client)
    return replace(
        server,
        command=[part.replace("deployments.server", "prefect") for part in server.command],
        environment=server.environment | {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url},
    )


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
        server = server_on(postgres.url, service, client)
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


def documented(program):
    """Return the command line in docs/operations.md that calls a program of PostgreSQL, without its container."""
    page = (ROOT / "docs" / "operations.md").read_text()
    [line] = re.findall(rf"^docker compose exec -T postgres ({program} .*)$", page, re.MULTILINE)
    return line


def test_a_database_is_restored_from_a_copy_made_while_the_server_works(postgres, tmp_path):
    postgres.shell("createuser --superuser prefect && createdb --owner=prefect prefect", tmp_path)
    (tmp_path / "logs").mkdir()
    service = Service(tmp_path, ROOT, free_port(), free_port())
    launch = Launch(tmp_path)
    with prefect_client(service, timeout=30) as client:
        server = server_on(postgres.url_of("prefect", "prefect"), service, client)
        try:
            launch.start(server)
            launch.wait(server)
            run = client.create_flow_run(Flow(lambda: None, name="nightly"), name="before")
            client.create_variable(VariableCreate(name="setting", value="a person's"))
            postgres.shell(documented("pg_dump"), tmp_path)
            client.delete_variable_by_name("setting")
            client.create_flow_run(Flow(lambda: None, name="later"), name="after")
            stop_programs(tmp_path, ["prefect-server"])
            postgres.shell(documented("pg_restore"), tmp_path)
            launch.start(server)
            launch.wait(server)
            assert client.read_variable_by_name("setting").value == "a person's"
            assert [(one.id, one.name) for one in client.read_flow_runs()] == [(run.id, "before")]
        finally:
            stop_programs(tmp_path, ["prefect-server"])
    # Into the empty database of another machine.
    postgres.shell("dropdb prefect && createdb --owner=prefect prefect", tmp_path)
    postgres.shell(documented("pg_restore"), tmp_path)
    assert postgres.shell("psql -At -d prefect -c 'SELECT name FROM flow_run'", tmp_path) == "before\n"
