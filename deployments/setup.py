"""Sets up the service of containers: bucket, work pools, deployments, automations.

`python -m deployments.setup`, in the folder of `prefect.yaml`, at every start. Of what exists, it changes only what
`deployments.deploy` and `deployments.automations` do.
"""

from pathlib import Path

import typer

from deployments.automations import apply_automations
from deployments.deploy import connect, deploy
from deployments.object_store import create_bucket
from deployments.prefect_server import create_pools
from deployments.terminal import run_commands
from inclinet.storage.addresses import open_named_store
from inclinet.storage.bucket import S3Store
from inclinet.storage.s3 import s3_client

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def _setup() -> None:
    with connect() as client:
        store = open_named_store()
        if isinstance(store, S3Store):
            create_bucket(s3_client(store.bucket), store.bucket)
        create_pools(client, limits={})  # each worker limits its runs by its GPUs
        for line in deploy(client, Path.cwd()):
            typer.echo(line)
        for line in apply_automations(client):
            typer.echo(line)


if __name__ == "__main__":
    run_commands(app)
