"""A real Prefect API and a real S3 endpoint for the tests of tasks and flows."""

import pytest

from deployments.prefect_server import prefect_client, server_program
from deployments.processes import Launch, stop_programs
from deployments.settings import Service
from tests.conftest import ROOT, free_port


@pytest.fixture(scope="session")
def prefect_api(tmp_path_factory):
    """A Prefect server as the service has it."""
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_URL,
        PREFECT_LOGGING_TO_API_ENABLED,
        temporary_settings,
    )

    folder = tmp_path_factory.mktemp("prefect")
    (folder / "logs").mkdir()
    service = Service(folder, ROOT, free_port(), free_port())
    launch = Launch(folder)
    with prefect_client(service, timeout=5) as client:
        server = server_program(service, client)
        launch.start(server)
        launch.wait(server)
    # Logs on their way would be waited for when the server is gone.
    settings = {PREFECT_API_URL: service.api, PREFECT_API_AUTH_STRING: service.auth_string}
    with temporary_settings(settings | {PREFECT_LOGGING_TO_API_ENABLED: False}):
        yield
    stop_programs(folder, ["prefect-server"])


@pytest.fixture
def store(prefect_api, s3_uri, monkeypatch, tmp_path):
    """An artifact store of its own on the S3 server, named to the tasks as a worker's environment does."""
    from inclinet.storage.addresses import open_store

    monkeypatch.setenv("INCLINET_STORE", s3_uri)
    monkeypatch.setenv("INCLINET_CACHE", str(tmp_path / "cache"))
    return open_store(s3_uri)
