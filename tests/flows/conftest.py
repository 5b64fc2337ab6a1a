"""A real Prefect API and a real S3 endpoint, as the tests of tasks have them."""

from tests.tasks.conftest import prefect_api, store

__all__ = ["prefect_api", "store"]
