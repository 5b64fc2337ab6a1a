"""The Prefect server: its transactions on SQLite, its work pools."""

import asyncio
import os
import sqlite3
import subprocess
import sys

import pytest

pytest.importorskip("prefect", reason="needs the extra `service`")

from prefect import get_client
from sqlalchemy import text

from deployments.prefect_server import create_pools
from deployments.server import WriteLockingSqlite
from deployments.settings import Service
from tests.conftest import ROOT
from tests.tasks.conftest import prefect_api  # noqa: F401


def test_a_transaction_takes_the_write_lock_before_it_reads(tmp_path):
    path = tmp_path / "prefect.db"

    async def write_elsewhere_during_a_transaction():
        config = WriteLockingSqlite(f"sqlite+aiosqlite:///{path}")
        engine = await config.engine()
        async with await config.session(engine) as session, config.begin_transaction(session):
            await session.execute(text("SELECT 1"))
            with sqlite3.connect(path, timeout=0) as other:
                other.execute("CREATE TABLE runs (name)")

    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        asyncio.run(write_elsewhere_during_a_transaction())


def test_clients_of_the_service_send_no_telemetry(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("DO_NOT_TRACK", "CI")}
    code = "import deployments, os; from prefect._internal.analytics import is_telemetry_enabled as on; print(on())"
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
    (tmp_path / "auth-string").write_text("a:b\n")
    assert Service(tmp_path, ROOT, 1, 2).prefect_environment["DO_NOT_TRACK"] == "1"


@pytest.mark.service
@pytest.mark.xdist_group("tasks")
def test_a_work_pool_that_exists_by_now_is_taken_as_it_is(prefect_api, monkeypatch):  # noqa: F811
    """A slow server creates a pool, and its client, which waited for the answer too short a time, asks again."""
    with get_client(sync_client=True) as client:
        create_pools(client, limits={"gpu": 3})
        monkeypatch.setattr(client, "read_work_pools", lambda: [])  # as it was before
        create_pools(client, limits={"gpu": 5})
        assert client.read_work_pool("gpu").concurrency_limit == 3
