"""The Prefect server's transactions on SQLite."""

import asyncio
import sqlite3

import pytest

pytest.importorskip("prefect", reason="needs the extra `service`")

from sqlalchemy import text

from deployments.server import WriteLockingSqlite


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
