"""The command `cutouts`."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from inclinet.cli.app import Verbose, app, console, default, name_reasons, option, parse_columns, settings, track
from inclinet.cutouts.settings import MEANINGS, Cutouts
from inclinet.errors import InclinetError

__all__ = ["cutouts"]

_NAMED = 5  # reasons on screen


@app.command()
def cutouts(
    catalog: Annotated[Path, typer.Argument(help="Catalogue with names or positions: CSV, ECSV, FITS or VOTable.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder to write to.")] = Path("galaxies"),
    survey: Annotated[str, option(Cutouts, "survey", "--survey")] = default(Cutouts, "survey"),
    bands: Annotated[
        str, typer.Option("-b", "--bands", help="Bands to fetch, separated by commas: g, r, i; gri for colour.")
    ] = ",".join(default(Cutouts, "bands")),
    width: Annotated[float, option(Cutouts, "width", "--width")] = default(Cutouts, "width"),
    pixels: Annotated[int, option(Cutouts, "pixels", "-s", "--pixels")] = default(Cutouts, "pixels"),
    size: Annotated[str, option(Cutouts, "size", "--size")] = default(Cutouts, "size"),
    column: Annotated[
        list[str],
        typer.Option(
            "--column",
            help=f"What a column means, such as ra=RA_GAL; may be repeated. Meanings: {', '.join(MEANINGS)}.",
        ),
    ] = [],  # noqa: B006 (Typer copies it)
    turn: Annotated[bool, option(Cutouts, "turn", "--turn/--no-turn")] = default(Cutouts, "turn"),
    imroot: Annotated[str, option(Cutouts, "imroot", "-r", "--imroot")] = default(Cutouts, "imroot"),
    url: Annotated[str, option(Cutouts, "url", "--url")] = default(Cutouts, "url"),
    rate: Annotated[float, option(Cutouts, "rate", "--rate")] = default(Cutouts, "rate"),
    parallel: Annotated[int, option(Cutouts, "parallel", "--parallel")] = default(Cutouts, "parallel"),
    attempts: Annotated[int, option(Cutouts, "attempts", "--attempts")] = default(Cutouts, "attempts"),
    timeout: Annotated[float, option(Cutouts, "timeout", "--timeout")] = default(Cutouts, "timeout"),
    verbose: Verbose = False,
) -> None:
    """Fetch images of galaxies by name or position.

    In: a catalogue with a column pgc or name, or with ra and dec (deg, or hours and degrees in parts). Sizes are in d25
    (arcmin), logd25 or SMA, position angles in pa. What is missing is looked up by name.

    Out: images from SDSS, the Legacy Surveys or Pan-STARRS, 2 D25 wide, the major axis level, named as `inclinet prep`
    reads them; and cutouts.csv: a row for each galaxy and band, with what was fetched or why nothing was. A second run
    fetches what is missing.

    Example: inclinet cutouts catalog.csv -o galaxies --survey ls-dr10
    """
    if out.parts and out.parts[0].endswith(":"):
        raise InclinetError(f"{out} is no local folder; the flow cutouts/batch writes to stores", setting="out")
    what = settings(
        Cutouts,
        survey=survey,
        bands=tuple(bands.replace(",", " ").split()),
        width=width,
        pixels=pixels,
        size=size,
        turn=turn,
        imroot=imroot,
        url=url,
        rate=rate,
        parallel=parallel,
        attempts=attempts,
        timeout=timeout,
    )
    # What these import takes a second.
    from inclinet.cutouts.batch import make_cutouts
    from inclinet.cutouts.targets import parse_size, read_catalogue

    size_given = parse_size(what.size) if what.size else None
    targets = read_catalogue(catalog, columns=parse_columns(column), size=size_given)
    rows = make_cutouts(targets, out, what, track)
    _report([row.problem for row in rows], out)


def _report(problems: list[str], out: Path) -> None:
    """Say how many cutouts there are, and why there are no others; `problems` has an empty text for each that is there.

    Raises
    ------
    InclinetError
        When there is none.
    """
    reasons = Counter(filter(None, problems))
    why = name_reasons(reasons, _NAMED)
    if reasons.total() == len(problems):
        raise InclinetError(f"no cutouts: {why or 'the catalogue has no rows'}")
    console.print(f"{len(problems) - reasons.total():,} cutouts in {out}", markup=False, highlight=False)
    if reasons:
        text = f"{reasons.total():,} of {len(problems):,} not fetched: {why}"
        console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
