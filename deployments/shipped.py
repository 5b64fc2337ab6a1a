"""`make shipped`: makes a version of a store the one that ships with the package."""

from pathlib import Path
from typing import Annotated

import typer

from deployments.terminal import run_commands
from inclinet.errors import InclinetError
from inclinet.registry.champion import read_champion
from inclinet.registry.shipped import install
from inclinet.registry.statement import state
from inclinet.registry.versions import find_version
from inclinet.storage.addresses import open_named_store

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def _install(
    version: Annotated[str | None, typer.Option(help="Version; by default the one in use.")] = None,
    store: Annotated[str | None, typer.Option(help="Its store; by default the one that INCLINET_STORE names.")] = None,
    notes: Annotated[Path | None, typer.Option(help="File with text to add to the model card.")] = None,
) -> None:
    """Copy what predicting with a version needs into inclinet/shipped."""
    opened = open_named_store(store)
    if version is None:
        champion = read_champion(opened)
        if champion is None:
            raise InclinetError(f"{opened.uri}: no version is in use; name one", setting="version")
        version = champion.version
    published = find_version(opened, version)
    folder = install(opened, published, notes=notes.read_text() if notes else "")
    for path in sorted(folder.iterdir()):
        typer.echo(f"{path.stat().st_size:>9,} bytes  {path}")
    typer.echo(f"version {published.version}: {state(published.info)}")


if __name__ == "__main__":
    run_commands(app)
