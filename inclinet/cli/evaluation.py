"""The command `evaluate`."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inclinet.cli.app import (
    SIZE,
    ColumnsOption,
    SizeOption,
    Verbose,
    app,
    console,
    parse_columns,
    settings,
    show_table,
    track,
)
from inclinet.data.filenames import batch_file, batch_folder
from inclinet.settings import Size

if TYPE_CHECKING:
    import pandas as pd

    from inclinet.data.catalog import Catalog

__all__ = ["evaluate", "evaluate_networks", "show_evaluation"]


@app.command()
def evaluate(
    samples: Annotated[Path, typer.Option("-i", "--samples", help="Folder of the samples.")] = Path("samples"),
    models: Annotated[Path, typer.Option("-m", "--models", help="Folder of the networks.")] = Path("models"),
    augmented: Annotated[
        Path, typer.Option("-a", "--augmented", help="Folder of the stored batches, for the report's examples.")
    ] = Path("augmented"),
    size: SizeOption = SIZE,
    outfolder: Annotated[Path, typer.Option("-o", "--outfolder", help="Folder to write to.")] = Path("evaluation"),
    catalog: Annotated[
        Path | None, typer.Option("-c", "--catalog", help="Catalogue, for the axis-ratio baseline.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="Evaluate this table of predictions instead of running the networks."),
    ] = None,
    column: ColumnsOption = [],  # noqa: B006 (Typer copies it)
    verbose: Verbose = False,
) -> None:
    """Evaluate networks on the test galaxies.

    In: the networks written by `inclinet train` and the samples written by `inclinet split`, or a table of predictions.

    Out: report.html with all figures and tables, predictions.csv, metrics.json, and calibration.json, from which error
    bars follow. On screen: RMS, MAE, bias and so on of every network, of their mean and median, and of the baselines,
    by galaxy and by image.

    Example: inclinet evaluate -i samples -m models -c catalog.csv -o evaluation
    """
    from inclinet.data.catalog import read_catalog
    from inclinet.evaluation.evaluate import Background, report
    from inclinet.evaluation.predictions import read_predictions

    known = read_catalog(catalog, columns=parse_columns(column)) if catalog else None
    if predictions is None:
        size, sample = settings(Size, size=size).size, str(catalog or samples)
        evaluate_networks(models, samples, augmented, outfolder, size=size, catalog=known, sample=sample)
    else:
        background = Background(facts=_report_facts(str(predictions)))
        _show_report(report(read_predictions(predictions), outfolder, catalog=known, background=background), outfolder)


def evaluate_networks(
    models: Path,
    samples: Path,
    augmented: Path,
    outfolder: Path,
    *,
    size: int,
    catalog: "Catalog | Path | None",
    files: Collection[str] | None = None,
    sample: str = "",
    skipped: "pd.DataFrame | None" = None,
) -> None:
    """Evaluate the networks in the folder `models` (all, or those in `files`), and print the result.

    `sample` says where the galaxies are from, for the report; `skipped` lists those that were skipped, with the columns
    `pgc`, `where` and `reason`.
    """
    from inclinet.data.samples import find_samples, read_samples
    from inclinet.evaluation.evaluate import Background, predict_galaxies, read_pictures, read_trainings, report
    from inclinet.networks.listing import list_networks, name_of_network
    from inclinet.training.start import read_starts

    networks = list_networks(models, files)
    table, left_out = predict_galaxies(models, samples, files=files, size=size, track=track)
    test, train = (read_samples(find_samples(samples, size, side, 0), size) for side in ("test", "train"))
    background = Background(
        read_pictures(test, train, augmented / batch_folder(0) / batch_file(size, 1)),
        read_trainings(models, [name_of_network(path.name) for path in networks]),
        tuple(read_starts(networks).values()),
        skipped,
        _report_facts(sample),
    )
    _show_report(report(table, outfolder, catalog=catalog, left_out=left_out, background=background), outfolder)


def _report_facts(sample: str) -> dict[str, str]:
    """Return when an evaluation was made and, if it is known, of which sample."""
    return {"Evaluated": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", **({"Sample": sample} if sample else {})}


def _show_report(evaluation: dict | None, outfolder: Path) -> None:
    from inclinet.evaluation.evaluate import NOTHING_TO_EVALUATE

    if evaluation is None:
        console.print(NOTHING_TO_EVALUATE)
        return
    show_evaluation(evaluation)
    if evaluation["beware"]:
        console.print(f"beware: {evaluation['beware']}", style="yellow", markup=False)
    console.print(evaluation["verdict"], markup=False, highlight=False, soft_wrap=True)
    console.print(f"wrote {outfolder / 'report.html'}, with predictions.csv, metrics.json and figures beside it")


def show_evaluation(evaluation: dict) -> None:
    """Print the result of an evaluation by galaxy and by image, without the columns that do not fit on a terminal."""
    from inclinet.evaluation.results import measured_on, metric_rows, summaries

    title = f"{measured_on(evaluation).capitalize()}; angles in degrees"
    for what, metrics in summaries(evaluation).items():
        shown = (what, "n", "RMS", "95 % CI", "MAE", "bias", "68 %", "> 10")
        show_table([{name: row[name] for name in shown} for row in metric_rows(metrics, what)], title)
        title = ""
