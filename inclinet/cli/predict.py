"""The command `predict`."""

import math
import shlex
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

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
    name_reasons,
    option,
    parse_columns,
    show_table,
    track,
)
from inclinet.cutouts.settings import Cutouts
from inclinet.data.bands import band_title
from inclinet.data.columns import network_columns
from inclinet.errors import InclinetError
from inclinet.prediction.catalogues import join_columns, read_joined
from inclinet.prediction.gallery import check_gallery, summarize, write_gallery
from inclinet.prediction.remote import fetch_source, is_galaxy_name
from inclinet.prediction.source import printable
from inclinet.prediction.sources import find_sources
from inclinet.prediction.tables import STANDARD_OUTPUT, check_out, write_table
from inclinet.progress import silent
from inclinet.registry.choice import Choice, choose

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["predict"]

_SHOWN = 40  # rows of predictions on screen
_NAMED = 3  # reasons why images were not predicted
_ROUNDING = 0.05  # deg
_CORRECTION = (
    "correction: added to the median of the networks, whose mean error on galaxies that they were not trained on is as "
    "much"
)


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
    if out:
        check_out(out, kind, overwrite=overwrite)
    elif kind:
        raise InclinetError(f"a table in the format {kind} needs a file, or - for the standard output", setting="out")
    if gallery:
        check_gallery(gallery, overwrite=overwrite)
    columns = parse_columns(column, image_column)
    names = _named(images, at)
    fetched = [fetch_source(one, size=size, survey=survey, alone=len(images) + bool(at) == 1) for one in names]
    given = [one for one in images if not is_galaxy_name(one)]
    sources = [*find_sources(given, impath, columns, recursive=recursive), *fetched]
    joined = read_joined(given, join) if join else None
    choice = choose(store, version)
    # Only now, when the input is known to be right.
    from inclinet.prediction.flags import FLAGS
    from inclinet.prediction.galaxies import by_galaxy
    from inclinet.prediction.predictor import open_predictor

    predictor = open_predictor(choice)
    shown = track if len(sources) > _SHOWN else silent
    by_image = predictor.predict(sources, per_image=True, workers=workers, track=shown)
    table = by_image if per_image else by_galaxy(by_image, predictor.calibration)
    if joined is not None:
        table = join_columns(table, joined)
    if out != STANDARD_OUTPUT:
        _show_predictions(table, f"version {predictor.version}; angles in degrees")
    seen = {flag for flags in table["flag"] for flag in flags.split("; ") if flag}
    for flag in sorted(seen):
        console.print(f"{flag}: {FLAGS[flag]}", style="dim", markup=False, highlight=False)
    style = "" if choice.is_for_science else "yellow"
    console.print(predictor.statement, style=style, markup=False, highlight=False, soft_wrap=True)
    if out:
        write_table(table, out, _header(choice), kind)
        if out != STANDARD_OUTPUT:
            console.print(f"wrote {len(table)} rows to {out}", markup=False)
    if gallery:
        write_gallery(table, sources, gallery, _about(choice), warning=not choice.is_for_science)
        console.print(f"wrote {gallery}", markup=False)
    console.print(summarize(table), markup=False, highlight=False)
    _report_failures(by_image["problem"].tolist())


def _named(images: list[str], at: str) -> list[str]:
    """Return names and position of the galaxies whose images are to be fetched.

    Raises
    ------
    InclinetError
        When there is nothing to predict at all.
    """
    if not images and not at:
        raise InclinetError("name images, folders, catalogues or galaxies, or give a position with --at", setting="at")
    return [one for one in images if is_galaxy_name(one)] + ([at] if at else [])


def _header(choice: Choice) -> dict[str, str]:
    """Return what the header of a table says of where it comes from."""
    return {
        "version": choice.published.version,
        "store": choice.origin,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": printable(shlex.join(["inclinet", *sys.argv[1:]])),
        "about": choice.statement,
    }


def _about(choice: Choice) -> dict[str, str]:
    """Return what the top of a gallery says of where its answers come from."""
    header = _header(choice)
    about = {
        "Version": choice.statement.removeprefix("version "),
        "Store": choice.origin if choice.store else "",
        "Date": f"{datetime.fromisoformat(header['date']):%Y-%m-%d %H:%M} UTC",
        "Command": header["command"],
    }
    return {name: text for name, text in about.items() if text}


def _report_failures(problems: list[str]) -> None:
    """Say how many images were not predicted, and why; `problems` holds one text per row, empty where predicted.

    Raises
    ------
    InclinetError
        When no image was predicted.
    """
    reasons = Counter(filter(None, problems))
    if not reasons:
        return
    why = name_reasons(reasons, _NAMED)
    if reasons.total() == len(problems):
        raise InclinetError(f"nothing was predicted: {why}")
    console.print(
        f"{reasons.total():,} of {len(problems):,} images not predicted: {why}", markup=False, highlight=False
    )


def _show_predictions(table: "pd.DataFrame", title: str) -> None:
    """Print the first rows of a table of predictions."""
    networks = network_columns(table)
    rows = [_row_on_screen(row, networks) for row in table.head(_SHOWN).to_dict("records")]
    if not any(row["correction"] for row in rows):
        rows = [{name: text for name, text in row.items() if name != "correction"} for row in rows]
    if rows:
        show_table(rows, title, texts=["flag"])
    if any(row.get("correction") for row in rows):
        console.print(_CORRECTION, style="dim", markup=False, highlight=False)
    if len(table) > _SHOWN:
        console.print(f"… and {len(table) - _SHOWN:,} more rows; --out writes all")


def _row_on_screen(row: dict[Any, Any], networks: list[str]) -> dict[str, str]:
    shown = {
        **_what(row),
        "inclination": _angle(row["inclination"]),
        "error": _angle(row["error"]),
        "95 %": "–" if math.isnan(row["low95"]) else f"{row['low95']:.1f}\N{EN DASH}{row['high95']:.1f}",
    }
    shown["correction"] = _correction(row["inclination"], [row[name] for name in networks])
    if "truth" in row:
        shown["truth"] = _angle(row["truth"])
    return shown | {"flag": row["problem"] if math.isnan(row["inclination"]) else row["flag"]}


def _correction(inclination: float, answers: list[float]) -> str:
    """Return what the calibration added to the median answer of the networks, where that left the range of theirs."""
    if math.isnan(inclination) or min(answers) - _ROUNDING <= inclination <= max(answers) + _ROUNDING:
        return ""
    return f"{inclination - median(answers):+.1f}"


def _what(row: dict[Any, Any]) -> dict[str, str]:
    """Return what a row is about: an image, or a galaxy and the number of its images with an answer."""
    if "image" in row:
        image = row["image"].rpartition("/")[2]
        return {"galaxy": row["galaxy"] or "–", "image": image or "–", "band": band_title(row["band"])}
    from inclinet.prediction.galaxies import title_of

    return {"galaxy": title_of(row["galaxy"], row["images"]) or "–", "images": str(row["n_images"])}


def _angle(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}"
