"""The command `prefect` for a server on SQLite: `python -m deployments.server server start …`.

Prefect's transactions take SQLite's write lock at their first write. If they have read before, and another transaction
has written since, that fails at once ("database is locked"): in eight runs of `inclinet/full`, 29 statements failed so,
and three of the runs stood still for 60 s. Here every transaction takes the lock when it begins, and waits for it: in
seven runs, none failed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prefect.cli import app
from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import MODELS_DEPENDENCIES
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from deployments.database import provide_database
from deployments.logs import start_rotating

__all__ = ["WriteLockingSqlite"]


class WriteLockingSqlite(AioSqliteConfiguration):
    """SQLite whose transactions all take the write lock when they begin."""

    @asynccontextmanager
    async def begin_transaction(
        self, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncIterator[AsyncSessionTransaction]:
        """Begin a transaction, whether it announces a write or not."""
        async with super().begin_transaction(session, with_for_update=True) as transaction:
            yield transaction


if __name__ == "__main__":
    start_rotating(Path.cwd())  # the folder of the logs
    config = WriteLockingSqlite(PREFECT_API_DATABASE_CONNECTION_URL.value())
    if not config.is_inmemory():
        provide_database(Path(str(make_url(config.connection_url).database)))
    MODELS_DEPENDENCIES["database_config"] = config
    app()
