"""The command `prefect` for a server on SQLite: `python -m deployments.server server start …`.

Prefect's transactions take SQLite's write lock at their first write. When they have read before and another one has
written in between, that fails at once ("database is locked"): in eight runs of `inclinet/full` 29 statements failed so,
and three of the runs stood still for 60 s. Here every transaction takes the lock when it begins, and waits for it: in
seven runs none failed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from prefect.cli import app
from prefect.server.database.configurations import AioSqliteConfiguration
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

_begin = AioSqliteConfiguration.begin_transaction


@asynccontextmanager
async def _begin_for_writing(
    self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
) -> AsyncIterator[AsyncSessionTransaction]:
    async with _begin(self, session, with_for_update=True) as transaction:
        yield transaction


if __name__ == "__main__":
    AioSqliteConfiguration.begin_transaction = _begin_for_writing
    app()
