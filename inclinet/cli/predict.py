"""The command `predict`."""

from pathlib import Path
from typing import Annotated

import typer

from inclinet.cli.app import (
    ColumnsOption,
    ImageColumnOption,
    StoreOption,
    Verbose,
    Workers,
    app,
    console,
    default,
    option,
    parse_columns,
    track,
)
from inclinet.cutouts.settings import Cutouts
from inclinet.errors import InclinetError
from inclinet.progress import silent

__all__ = ["predict"]


@app.command()
def predict(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Images, folders, catalogues (CSV, ECSV, FITS, VOTable), s3:// addresses of images or folders, or "
            "names of galaxies, whose images are fetched."
        ),
    ] = [],  # noqa: B006 (Typer copies it)
    impath: Annotated[
        Path | None, typer.Option("-p", "--impath", help="Folder with the images of a catalogue's galaxies.")
    ] = None,
    column: ColumnsOption = [],  # noqa: B006 (Typer copies it)
    image_column: ImageColumnOption = "",
    join: Annotated[
        str,
        typer.Option("--join", help="Columns of the catalogue to carry over, separated by commas, or all."),
    ] = "",
    at: Annotated[
        str, typer.Option("--at", help="Position of a galaxy whose image is fetched: RA and Dec, such as 140.51,50.98.")
    ] = "",
    size: Annotated[
        str, typer.Option("--size", help="Diameter D25 of the galaxies that are fetched, such as 8.1arcmin.")
    ] = "",
    survey: Annotated[str, option(Cutouts, "survey", "--survey")] = default(Cutouts, "survey"),
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="Table to write: .csv, .ecsv, .fits, .vot or .xml (VOTable), .parquet, .json or .jsonl; - writes to "
            "the standard output, as CSV unless --format names another text.",
        ),
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            help="Format of the table, whatever its suffix: csv, ecsv, fits, votable, parquet, json or jsonl. FITS and "
            "Parquet are no texts for the standard output.",
        ),
    ] = "",
    gallery: Annotated[
        Path | None,
        typer.Option("--gallery", help="Page to write (.html): pictures beside answers, flagged galaxies first."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace table and page if they exist.")] = False,
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Search the folders in a folder of images, too.")
    ] = False,
    store: StoreOption = None,
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            help="Version to predict with; shipped: the one that comes with Inclinet. Default: the one in use in the "
            "store, else the shipped one.",
        ),
    ] = None,
    per_image: Annotated[bool, typer.Option("--per-image", help="A row for each image, not for each galaxy.")] = False,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Predict the inclination of galaxies from their images.

    In: images of any size (FITS, PNG, JPEG, TIFF, WebP, BMP, GIF or JPEG 2000), in colour or gray, bright on a dark sky
    or dark on a bright sky.

    Out: for each galaxy inclination, error (half the width of the 68 % interval), 68 % and 95 % intervals, how far its
    images disagree, sin i and log10(1/sin i), the answer of each network, flags and the version; on screen, and in a
    table with --out. One line says what the version was trained on, and its tested error. With --gallery, a page of the
    pictures beside their answers.

    Every row of a catalogue gets its own row, in the same order; where there is no image, it says so.

    Example: inclinet predict galaxies/ -o inclinations.fits

    Example: inclinet predict "NGC 2841"

    Example: inclinet predict catalog.fits -p cutouts --column galaxy=SGA_ID --join ra,dec,W20 -o inclinations.fits
    """
    # What these import takes half a second.
    from inclinet.cli.predicting import (
        SHOWN,
        about,
        explain_flags,
        header_of,
        named,
        report_failures,
        show_predictions,
    )
    from inclinet.prediction.catalogues import join_columns, read_joined
    from inclinet.prediction.gallery import check_gallery, summarize, write_gallery
    from inclinet.prediction.remote import fetch_source, is_galaxy_name
    from inclinet.prediction.sources import find_sources
    from inclinet.prediction.tables import STANDARD_OUTPUT, check_out, write_table
    from inclinet.registry.choice import choose

    if out:
        check_out(out, kind, overwrite=overwrite)
    elif kind:
        raise InclinetError(f"a table in the format {kind} needs a file, or - for the standard output", setting="out")
    if gallery:
        check_gallery(gallery, overwrite=overwrite)
    columns = parse_columns(column, image_column)
    names = named(images, at)
    fetched = [fetch_source(one, size=size, survey=survey, alone=len(images) + bool(at) == 1) for one in names]
    given = [one for one in images if not is_galaxy_name(one)]
    sources = [*find_sources(given, impath, columns, recursive=recursive), *fetched]
    joined = read_joined(given, join) if join else None
    choice = choose(store, version)
    # Only now, when the input is known to be right.
    from inclinet.prediction.galaxies import by_galaxy
    from inclinet.prediction.predictor import open_predictor

    predictor = open_predictor(choice)
    shown = track if len(sources) > SHOWN else silent
    by_image = predictor.predict(sources, per_image=True, workers=workers, track=shown)
    table = by_image if per_image else by_galaxy(by_image, predictor.calibration)
    if joined is not None:
        table = join_columns(table, joined)
    if out != STANDARD_OUTPUT:
        show_predictions(table, f"version {predictor.version}; angles in degrees")
    explain_flags(table["flag"])
    style = "" if choice.is_for_science else "yellow"
    console.print(predictor.statement, style=style, markup=False, highlight=False, soft_wrap=True)
    if out:
        write_table(table, out, header_of(choice), kind)
        if out != STANDARD_OUTPUT:
            console.print(f"wrote {len(table)} rows to {out}", markup=False)
    if gallery:
        write_gallery(table, sources, gallery, about(choice), warning=not choice.is_for_science)
        console.print(f"wrote {gallery}", markup=False)
    console.print(summarize(table), markup=False, highlight=False)
    report_failures(by_image["problem"].tolist())
