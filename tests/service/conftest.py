"""One real service for the tests of this folder: object store, Prefect server, workers and deployments."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from prefect import get_client

from deployments.service import BUCKET, bucket_client, down, up
from deployments.settings import WORKER_SETTINGS
from tests.conftest import ROOT, free_port
from tests.service.runs import forget, run_full


@pytest.fixture(scope="package")
def project(tmp_path_factory):
    """A copy of the code for the service to run, which tests may change."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("inclinet", "tasks", "flows", "deployments"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", folder)
    return folder


@pytest.fixture(scope="package")
def service(tmp_path_factory, project):
    """The service, started on free ports; its environment is set for clients while these tests run."""
    folder = tmp_path_factory.mktemp("service")
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(project))
        patch.setitem(WORKER_SETTINGS, "PREFECT_WORKER_QUERY_SECONDS", "0.5")
        running = up(folder, project, prefect_port=free_port(), store_port=free_port())
        for name, value in running.environment.items():
            patch.setenv(name, value)
        with temporary_settings({PREFECT_API_URL: running.api, PREFECT_API_AUTH_STRING: running.auth_string}):
            yield running
    down(folder)


@pytest.fixture(scope="package")
def put(service):
    """A function that uploads a sample's folder under a name and returns the `sample` parameter for it."""

    def upload(folder, name, **changes):
        client = bucket_client(service)
        files = {f"galaxies/{path.name}": path for path in (folder / "galaxies").iterdir()}
        files["catalog.csv"] = folder / "catalog.csv"

        def put_one(item):
            client.put_object(Bucket=BUCKET, Key=f"input/{name}/{item[0]}", Body=item[1].read_bytes())

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put_one, files.items()))
        return {"images": f"input/{name}/galaxies", "catalog": f"input/{name}/catalog.csv", **changes}

    return upload


@pytest.fixture(scope="package")
def first(service, put, small_sample):
    """The first run of the plain discs; other modules may have run them before, so their artifacts are removed."""
    forget(bucket_client(service), service)
    with get_client(sync_client=True) as client:
        return run_full(client, sample=put(small_sample, "discs"))
