"""A worker of `make up`: `python -m deployments.pool_worker --pool …`, with the options of `prefect worker start`.

It loads Prefect, which takes seconds, while the server still starts, and begins when the server has its work pool: a
worker that begins before makes a pool of its own.
"""

import sys
from typing import Annotated

import typer
from prefect.cli import app, worker  # noqa: F401 - loaded now, and not when the pool is there
from prefect.client.orchestration import get_client
from prefect.workers.process import ProcessWorker  # noqa: F401 - likewise

from deployments.prefect_server import wait_for_pools
from deployments.terminal import run_commands

waiting = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@waiting.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def _serve(context: typer.Context, pool: Annotated[str, typer.Option(help="Work pool to serve.")]) -> None:
    """Wait for a work pool, then serve it."""
    with get_client(sync_client=True) as client:
        wait_for_pools(client, [pool])
    sys.argv = ["prefect", "worker", "start", "--pool", pool, *context.args]
    app()


if __name__ == "__main__":
    run_commands(waiting)
