"""Stage evaluate, over local files: run the networks on the test set, write figures of merit and pictures."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd

from inclinet.batches import find_samples, read_samples
from inclinet.catalog import read_catalog
from inclinet.errors import InclinetError
from inclinet.evaluate import baseline_predictions, evaluate, markdown_table
from inclinet.files import write_text
from inclinet.naming import network_file, parse_network
from inclinet.plots import error_against_truth, error_histogram
from inclinet.predictions import merge_predictions, read_predictions, write_predictions
from inclinet.progress import Track, silent

__all__ = ["evaluate_networks", "read_all_predictions", "report"]

NOTHING_TO_EVALUATE = "No galaxy fell into the test set: there is nothing to evaluate on."


def evaluate_networks(
    models: Path, samples: Path, *, files: Collection[str] | None = None, size: int = 128, track: Track = silent
) -> pd.DataFrame:
    """Run the networks in a folder (all, or those named `files`) on the test set; returns their predictions.

    Raises
    ------
    InclinetError
        When there is no network or no test set.
    """
    from inclinet.predict import load_network, predict_samples

    paths = sorted(models.iterdir()) if models.is_dir() else []
    paths = [path for path in paths if parse_network(path.name) and (files is None or path.name in files)]
    if not paths:
        raise InclinetError(
            f"{models}: no network such as {network_file(0, 'model4')} (option --models); run `inclinet train` first"
        )
    test = read_samples(find_samples(samples, size, "test", 0), size)
    tables = []
    for path in track(paths, "evaluate", len(paths)):
        model, subsample = parse_network(path.name)
        tables.append(predict_samples(load_network(path), test, f"{model}_{subsample}"))
    return merge_predictions(tables)


def read_all_predictions(paths: Iterable[Path]) -> pd.DataFrame:
    """Read tables of predictions of one network each, side by side."""
    return merge_predictions([read_predictions(path) for path in paths])


def report(table: pd.DataFrame, outfolder: Path, *, catalog: Path | None = None) -> dict | None:
    """Evaluate a table of predictions; write `predictions.csv`, `metrics.json`, `metrics.md` and figures.

    Returns
    -------
    dict or None
        As `inclinet.evaluate.evaluate`; None when there is no test galaxy, which `metrics.md` then says.

    Raises
    ------
    InclinetError
        When the catalogue cannot be read.
    """
    ratios = read_catalog(catalog).table.reset_index() if catalog else None
    if table.empty:
        write_text(outfolder / "metrics.md", f"{NOTHING_TO_EVALUATE}\n")
        return None
    evaluation = evaluate(table, ratios)
    write_predictions(table, outfolder / "predictions.csv")
    write_text(outfolder / "metrics.json", json.dumps(evaluation, indent=1))
    write_text(outfolder / "metrics.md", markdown_table(evaluation))
    _figures(table, evaluation, ratios, outfolder)
    return evaluation


def _figures(table: pd.DataFrame, evaluation: Mapping, catalog: pd.DataFrame | None, outfolder: Path) -> None:
    shown = next(iter(evaluation["ensembles"] or evaluation["networks"]))
    baselines = baseline_predictions(table, catalog)
    baseline = next((series.rename(name) for name, series in baselines.items() if "axis ratio" in name), None)
    error_against_truth(table, shown, outfolder / "error_against_truth.png")
    error_histogram(table, shown, outfolder / "error_histogram.png", baseline)
