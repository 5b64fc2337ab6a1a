"""One service on a project with one small flow, for the tests of this folder that are in the group `deployments`."""

import pytest

from tests.conftest import ROOT, free_port
from tests.deployments.tiny import write_project


@pytest.fixture(scope="package")
def running(tmp_path_factory):
    """A running service with ports, folder and project of its own."""
    from deployments.service import down, up
    from deployments.settings import WORKER_SETTINGS

    root = tmp_path_factory.mktemp("service")
    project = write_project(root / "project", healed=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(WORKER_SETTINGS, "PREFECT_WORKER_QUERY_SECONDS", "0.5")
        patch.setenv("PYTHONPATH", str(ROOT))
        started = up(root / "state", project, free_port(), free_port())
    yield started
    down(root / "state")


@pytest.fixture
def client(running):
    """A client of its Prefect server."""
    from deployments.prefect_server import prefect_client

    with prefect_client(running) as client:
        yield client
