"""A real Prefect API and a real S3 endpoint for the tests of tasks and flows."""

import pytest
from prefect.testing.utilities import prefect_test_harness


@pytest.fixture(scope="session")
def prefect_api():
    """A temporary Prefect server."""
    with prefect_test_harness(server_startup_timeout=60):
        yield


@pytest.fixture
def store(prefect_api, s3_uri, monkeypatch, tmp_path):
    """An artifact store of its own on the S3 server, named to the tasks as a worker's environment does."""
    from inclinet.store import open_store

    monkeypatch.setenv("INCLINET_STORE", s3_uri)
    monkeypatch.setenv("INCLINET_CACHE", str(tmp_path / "cache"))
    return open_store(s3_uri)
