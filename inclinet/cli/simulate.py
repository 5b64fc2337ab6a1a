"""The command `simulate`."""

from pathlib import Path
from typing import Annotated

import typer

from inclinet.cli.app import Verbose, Workers, app, console, track
from inclinet.cli.group import check_extra

__all__ = ["simulate"]


@app.command()
def simulate(
    n: Annotated[int, typer.Option("-n", min=1, help="Number of galaxies.")] = 300,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Folder to write to.")] = Path("galaxies"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the random numbers.")] = 0,
    size: Annotated[int, typer.Option("-s", "--size", min=32, max=2048, help="Pixels a side.")] = 256,
    face_on: Annotated[
        float, typer.Option("--face_on", min=0, max=0.4, help="Share of galaxies below 45 deg, labelled F.")
    ] = 0.06,
    useless: Annotated[
        float, typer.Option("--useless", min=0, max=0.4, help="Share of mergers and the like, labelled 0.")
    ] = 0.04,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Simulate galaxies of known inclination.

    In: nothing; this is to try Inclinet without real data.

    Out: images of each galaxy in four bands, and catalog.csv, in the layout of real ones. A few have defects, as real
    ones do.

    Example: inclinet simulate -n 300 -o galaxies
    """
    check_extra("simulate")
    from inclinet.simulation.simulate import simulate as simulate_galaxies

    catalog = simulate_galaxies(
        n, outfolder, seed=seed, size=size, face_on=face_on, useless=useless, workers=workers, track=track
    )
    console.print(f"{n} galaxies in {outfolder}, catalogue {catalog}")
