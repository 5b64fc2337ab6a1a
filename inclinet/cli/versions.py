"""The commands for published versions: publish one, list them, put one into use."""

from pathlib import Path
from typing import Annotated

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
from inclinet.errors import InclinetError
from inclinet.registry.admission import promote_first, what_is_in_use
from inclinet.registry.champion import promote as promote_version
from inclinet.registry.champion import read_champion
from inclinet.registry.choice import find_named_store
from inclinet.registry.shipped import NONE_SHIPPED, SHIPPED, read_shipped
from inclinet.registry.statement import describe
from inclinet.registry.versions import list_versions
from inclinet.settings import Sample, Size
from inclinet.storage.addresses import open_named_store
from inclinet.storage.store import Store

__all__ = ["models", "promote", "publish"]

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
    # What this imports takes half a second.
    from inclinet.cli.publishing import publish_networks

    published = publish_networks(models, samples, evaluation, size, opened, framing=framed)
    console.print(what_is_in_use(published.version, *promote_first(opened, published)), markup=False)


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
