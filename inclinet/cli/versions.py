"""The commands around published versions: list them, put one in use, predict with it."""

import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inclinet.cli.app import SIZE, SizeOption, Verbose, Workers, app, console, show_table, track
from inclinet.data.bands import FILTERS
from inclinet.data.samples import find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.networks.listing import list_networks
from inclinet.prediction.sources import find_sources
from inclinet.prediction.tables import check_format, write_table
from inclinet.progress import silent
from inclinet.registry.admission import promote_first, what_is_in_use
from inclinet.registry.card import assemble, code_facts, count_training
from inclinet.registry.champion import choose_version, describe, read_champion
from inclinet.registry.champion import promote as promote_version
from inclinet.registry.versions import PublishedVersion, VersionInfo, list_versions
from inclinet.registry.versions import publish as publish_folder
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.digests import sha256
from inclinet.storage.store import Store, open_named_store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["models", "predict", "promote", "publish", "publish_networks"]

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="INCLINET_STORE",
        help="Artifact store: s3://bucket/prefix, or a folder; endpoint and credentials are boto3's (AWS_…).",
    ),
]
_SHOWN = 40  # rows of predictions on screen


@app.command()
def publish(
    models: Annotated[Path, typer.Option("-m", "--models", help="Folder of the networks.")] = Path("models"),
    samples: Annotated[Path, typer.Option("-i", "--samples", help="Folder of the samples.")] = Path("samples"),
    evaluation: Annotated[Path, typer.Option("-e", "--evaluation", help="Folder of their evaluation.")] = Path(
        "evaluation"
    ),
    size: SizeOption = SIZE,
    store: StoreOption = None,
    verbose: Verbose = False,
) -> None:
    """Publish trained networks as a version; it comes into use if none is and it is better than simple baselines.

    In: the networks of `inclinet train`, the samples of `inclinet split`, the outputs of `inclinet evaluate`.

    Out: in the store registry/<version>/ with networks, metrics, calibration and model card.

    Example: inclinet publish -m models -i samples -e evaluation --store ~/inclinet
    """
    opened = open_named_store(store)
    published = publish_networks(models, samples, evaluation, size, opened)
    console.print(what_is_in_use(published.version, *promote_first(opened, published)), markup=False)


def publish_networks(
    models: Path,
    samples: Path,
    evaluation: Path,
    size: int,
    store: Store,
    how: dict[str, Any] | None = None,
    files: Collection[str] | None = None,
) -> PublishedVersion:
    """Publish the networks in a folder (all, or those named `files`), trained with the settings `how`."""
    train_files = find_samples(samples, size, "train", 0)
    train = read_samples(train_files, size)
    networks = list_networks(models, files)
    info = VersionInfo(
        size=size,
        bands=tuple(FILTERS[band] for band in train),
        settings={"size": size, **(how or {})},
        lineage={path.name: sha256(path) for path in train_files.values()},
        code=code_facts(),
    )
    with temporary_folder("publish") as folder:
        info = assemble(folder, networks, evaluation, info, count_training(train))
        published = publish_folder(store, folder, info)
    console.print(f"published {published.version} in {store.uri}/registry", markup=False)
    return published


@app.command()
def models(store: StoreOption = None, verbose: Verbose = False) -> None:
    """List the published versions, and say which one is in use.

    In: the registry of the store.

    Out: on screen one line a version.

    Example: inclinet models --store s3://inclinet
    """
    opened = open_named_store(store)
    try:
        current = read_champion(opened)
    except InclinetError as error:  # whoever mends it needs the list
        console.print(f"{error}", style="yellow", markup=False)
        current = None
    rows = [describe(published, current) for published in list_versions(opened)]
    if not rows:
        raise InclinetError(f"{opened.uri}: no version is published yet; run `inclinet publish` or inclinet/full")
    show_table(rows, texts=["in use", "published", "networks", "run"])


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Version, as `inclinet models` lists it.")],
    store: StoreOption = None,
    why: Annotated[str, typer.Option("--why", help="Reason, for the record.")] = "promoted by hand",
    verbose: Verbose = False,
) -> None:
    """Put a version in use; the way back is the same with the version before.

    In: a published version.

    Out: in the store registry/champion.json.

    Example: inclinet promote 20261123-0a1b2c3d4e --store s3://inclinet
    """
    current = promote_version(open_named_store(store), version, why)
    before = f"; before it was {current.previous}" if current.previous else ""
    console.print(f"in use is {current.version}, since {current.since:%Y-%m-%d %H:%M} UTC{before}")


@app.command()
def predict(
    images: Annotated[
        list[str],
        typer.Argument(
            help="Images, folders, catalogues (columns split by '|'), s3:// addresses of images or folders."
        ),
    ],
    impath: Annotated[Path | None, typer.Option("-p", "--impath", help="Folder of the images of catalogues.")] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Table to write: .csv, .json, .fits, .vot or .xml (VOTable).")
    ] = None,
    store: StoreOption = None,
    version: Annotated[str | None, typer.Option("--version", help="Version; the one in use if omitted.")] = None,
    workers: Workers = None,
    verbose: Verbose = False,
) -> None:
    """Tell the inclination of galaxies from their images.

    In: images of any size, PNG or JPEG, in colour or gray, bright on dark or dark on bright.

    Out: for each image inclination, error (half of the interval of 68 %), intervals of 68 and 95 %, what each network
    says, and flags; on screen, and in a table with --out.

    Example: inclinet predict galaxies/ -o inclinations.fits
    """
    if out:
        check_format(out)
    sources = find_sources(images, impath)
    opened = open_named_store(store)
    found = choose_version(opened, version)
    # Keras takes seconds to import: what is wrong with the input is said before.
    from inclinet.prediction.predictor import FLAGS, open_predictor

    predictor = open_predictor(opened, found.version)
    table = predictor.predict(sources, workers=workers, track=track if len(sources) > _SHOWN else silent)
    _show(table, f"version {predictor.version}; angles in degrees")
    seen = {flag for flags in table["flags"] for flag in flags.split("; ") if flag}
    for flag in sorted(seen):
        console.print(f"{flag}: {FLAGS[flag]}", style="dim", markup=False, highlight=False)
    if out:
        write_table(table, out, {"version": predictor.version, "store": opened.uri})
        console.print(f"wrote {len(table)} rows to {out}", markup=False)


def _show(table: "pd.DataFrame", title: str) -> None:
    rows = [
        {
            "image": row.image.rpartition("/")[2],
            "band": row.band,
            "inclination": _angle(row.inclination),
            "error": _angle(row.error),
            "95 %": "–" if math.isnan(row.low95) else f"{row.low95:.1f}\N{EN DASH}{row.high95:.1f}",
            **({"truth": _angle(row.truth)} if "truth" in table else {}),
            "flags": row.problem or row.flags,
        }
        for row in table.head(_SHOWN).itertuples()
    ]
    if rows:
        show_table(rows, title, texts=["flags"])
    if len(table) > _SHOWN:
        console.print(f"… and {len(table) - _SHOWN:,} more; --out writes all")


def _angle(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}"
