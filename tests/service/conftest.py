"""One real service for the tests of this folder: object store, Prefect server, workers, deployments."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from deployments.service import BUCKET, bucket_client, down, up
from tests.conftest import ROOT, free_port


@pytest.fixture(scope="package")
def service(tmp_path_factory):
    """The service, started on free ports, its environment set for clients while these tests run."""
    folder = tmp_path_factory.mktemp("service")
    running = up(folder, ROOT, prefect_port=free_port(), store_port=free_port())
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with pytest.MonkeyPatch.context() as patch, temporary_settings({PREFECT_API_URL: running.api}):
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running
    down(folder)


@pytest.fixture(scope="package")
def put(service):
    """Upload a sample's folder under a name; gives its `sample` parameter."""

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
