"""The commands for published versions: publish one, list them, put one into use."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

import typer

from inclinet.cli.app import (
    FRAMING,
    SIZE,
    FramingOption,
    SizeOption,
    StoreOption,
    Verbose,
    app,
    console,
    settings,
    show_table,
)
from inclinet.cli.group import check_extra
from inclinet.data.bands import band_letter
from inclinet.data.samples import find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.networks.filenames import EXPORTED
from inclinet.networks.listing import list_networks
from inclinet.registry.admission import promote_first, what_is_in_use
from inclinet.registry.card import assemble, code_facts, count_training
from inclinet.registry.champion import promote as promote_version
from inclinet.registry.champion import read_champion
from inclinet.registry.choice import find_named_store
from inclinet.registry.galaxies import GALAXIES_FILE, write_galaxies
from inclinet.registry.shipped import NONE_SHIPPED, SHIPPED, read_shipped
from inclinet.registry.statement import describe, state
from inclinet.registry.versions import PublishedVersion, VersionInfo, list_versions
from inclinet.registry.versions import publish as publish_folder
from inclinet.settings import Framing, Sample, Size
from inclinet.storage.addresses import open_named_store
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.digests import sha256
from inclinet.storage.store import Store
from inclinet.training.start import read_starts

__all__ = ["models", "promote", "publish", "publish_networks"]

_EXTRAS = ("networks", "size", "published", "run")
_WRAPPED = ("status", "trained on", "tested on", "networks", "run")


@app.command()
def publish(
    models: Annotated[Path, typer.Option("-m", "--models", help="Folder of the networks.")] = Path("models"),
    samples: Annotated[Path, typer.Option("-i", "--samples", help="Folder of the samples.")] = Path("samples"),
    evaluation: Annotated[Path, typer.Option("-e", "--evaluation", help="Folder of their evaluation.")] = Path(
        "evaluation"
    ),
    size: SizeOption = SIZE,
    framing: FramingOption = FRAMING,
    store: StoreOption = None,
    verbose: Verbose = False,
) -> None:
    """Publish trained networks as a version.

    In: the networks written by `inclinet train`, the samples written by `inclinet split`, and the evaluation written by
    `inclinet evaluate`.

    Out: the folder registry/<version>/ in the store, with networks (also exported to ONNX, which predicting uses),
    metrics, calibration and model card. The first version of a store is put into use, and the first that was trained
    on real galaxies.

    Example: inclinet publish -m models -i samples -e evaluation --store ~/inclinet
    """
    check_extra("publish")
    opened = open_named_store(store)
    size, framed = settings(Size, size=size).size, settings(Sample, framing=framing).framing
    published = publish_networks(models, samples, evaluation, size, opened, framing=framed)
    console.print(what_is_in_use(published.version, *promote_first(opened, published)), markup=False)


def publish_networks(
    models: Path,
    samples: Path,
    evaluation: Path,
    size: int,
    store: Store,
    how: dict[str, Any] | None = None,
    files: Collection[str] | None = None,
    *,
    framing: Framing,
) -> PublishedVersion:
    """Publish the networks in a folder (all, or those in `files`).

    `framing` is that of the images that they were trained on: predicting frames in the same way. `how` are the settings
    that they were trained with, for the record.
    """
    train_files = find_samples(samples, size, "train", 0)
    train = read_samples(train_files, size)
    networks = list_networks(models, files)
    info = VersionInfo(
        size=size,
        framing=framing,
        bands=tuple(band_letter(band) for band in train),
        settings={"size": size, **(how or {})},
        lineage={path.name: sha256(path) for path in train_files.values()},
        code=code_facts(),
    )
    with temporary_folder("publish") as folder, temporary_folder("export") as exported:
        networks += [_export(path, exported) for path in networks]
        info = assemble(folder, networks, evaluation, info, count_training(train))
        write_galaxies(folder / GALAXIES_FILE, train, read_starts(networks).values())
        published = publish_folder(store, folder, info)
    console.print(f"published {published.version} in {store.uri}/registry", markup=False)
    console.print(
        f"version {published.version}: {state(published.info)}", markup=False, highlight=False, soft_wrap=True
    )
    return published


def _export(path: Path, folder: Path) -> Path:
    """Export a trained network into a folder; returns its file."""
    from inclinet.networks.export import export_network
    from inclinet.networks.load import load_keras

    return export_network(load_keras(path), folder / path.with_suffix(EXPORTED).name)


@app.command()
def models(store: StoreOption = None, verbose: Verbose = False) -> None:
    """List the versions, and say which one is in use.

    In: the versions published in the store, if one is named, and the version that ships with Inclinet.

    Out: one line per version, on screen: what it was trained on, its tested error, and whether it is for science.

    Example: inclinet models --store s3://inclinet
    """
    opened, shipped = find_named_store(store), read_shipped()
    rows = _rows(opened) if opened else []
    if shipped:
        rows.append(describe(shipped, SHIPPED))
    if rows:
        show_table([_row(row) for row in rows], texts=_WRAPPED, extras=_EXTRAS, whole=True)
    elif opened is None:
        open_named_store(store)  # says what to do
    else:
        raise InclinetError(
            f"{opened.uri}: no version is published yet, and {NONE_SHIPPED}; run `inclinet publish` or the deployment "
            "inclinet/full"
        )


def _row(described: dict[str, str]) -> dict[str, str]:
    """Return the row of a version on screen: first what it is worth, then what it was made of."""
    interval = described["95 % CI"]
    use = {"": "", "yes": "in use"}.get(described["in use"], described["in use"])
    status = ", ".join(filter(None, [use, described["remark"]]))
    return {
        "version": described["version"],
        "RMS (deg)": described["RMS (deg)"] + (f" ({interval})" if interval != "\N{EN DASH}" else ""),
        "status": status or "\N{EN DASH}",
        **{name: described[name] for name in ("trained on", "tested on", *_EXTRAS)},
    }


def _rows(store: Store) -> list[dict[str, str]]:
    """Return the rows of a store's versions."""
    try:
        champion = read_champion(store)
    except InclinetError as error:  # the list helps to repair it
        console.print(f"{error}", style="yellow", markup=False)
        champion = None
    in_use = champion and champion.version
    return [describe(one, "yes" if one.version == in_use else "") for one in list_versions(store)]


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Version, as `inclinet models` lists it.")],
    store: StoreOption = None,
    why: Annotated[str, typer.Option("--why", help="Reason, for the record.")] = "promoted by hand",
    verbose: Verbose = False,
) -> None:
    """Put a version into use.

    In: a published version, as `inclinet models` lists it.

    Out: the file registry/champion.json in the store. To go back, put the version before into use.

    Example: inclinet promote 20261123-0a1b2c3d4e --store s3://inclinet
    """
    current = promote_version(open_named_store(store), version, why)
    before = f" (before: {current.previous})" if current.previous else ""
    console.print(f"{current.version} is in use since {current.since:%Y-%m-%d %H:%M} UTC{before}")
