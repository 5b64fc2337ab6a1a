"""Stage evaluate, over local files: what networks predict for galaxies they were not trained on, and how well."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from inclinet.data.catalog import Catalog, read_catalog
from inclinet.data.columns import network_columns, parse_network_name, spread_column
from inclinet.data.origin import count_galaxies
from inclinet.data.samples import Batch, Samples, find_samples, read_samples
from inclinet.evaluation.calibrate import calibrate, estimate_others
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.filenames import (
    CALIBRATION_FILE,
    METRICS_FILE,
    METRICS_TABLE_FILE,
    NOVELTY_FILE,
    PREDICTIONS_FILE,
    REPORT_FILE,
)
from inclinet.evaluation.folds import count_folds, pool_folds
from inclinet.evaluation.galaxies import pool_images
from inclinet.evaluation.metrics import ensemble_predictions
from inclinet.evaluation.novelty import learn_novelty
from inclinet.evaluation.pictures import Pictures, draw_figures, draw_sheets, labels_of
from inclinet.evaluation.predictions import merge_predictions, read_predictions, write_predictions
from inclinet.evaluation.report import render_report
from inclinet.evaluation.results import evaluate, markdown_table
from inclinet.networks.listing import list_networks, name_of_network
from inclinet.preparation.split import left_out_galaxies, left_out_side
from inclinet.progress import Track, silent
from inclinet.storage.atomic import write_text
from inclinet.training.filenames import metrics_file

__all__ = [
    "NOTHING_TO_EVALUATE",
    "predict_galaxies",
    "read_all_predictions",
    "read_pictures",
    "report",
]

NOTHING_TO_EVALUATE = "No galaxy fell into the test set: there is nothing to evaluate on."
_FILES = (PREDICTIONS_FILE, METRICS_FILE, METRICS_TABLE_FILE, REPORT_FILE, CALIBRATION_FILE, NOVELTY_FILE)


def predict_galaxies(
    models: Path, samples: Path, *, files: Collection[str] | None = None, size: int = 128, track: Track = silent
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Run the networks in a folder (all, or those named `files`) on the test set and on their left-out galaxies.

    Returns
    -------
    test : DataFrame
        Predictions of all networks for the test set (deg), as `inclinet.evaluation.predictions` describes.
    left_out : dict of str to DataFrame
        Predictions of each network that left out any galaxy, by its name.

    Raises
    ------
    InclinetError
        When there is no network or no test set.
    """
    from inclinet.networks.infer import predict_samples
    from inclinet.networks.load import load_network

    paths = list_networks(models, files)
    test = read_samples(find_samples(samples, size, "test", 0), size)
    tables, left_out = [], {}
    for path in track(paths, "evaluate", len(paths)):
        name, network = name_of_network(path.name), load_network(path)
        model, subsample = parse_network_name(name)
        tables.append(predict_samples(network, test, name))
        if _has_left_out(models, model, subsample):
            rest = read_samples(find_samples(samples, size, *left_out_side(subsample)), size)
            left_out[name] = predict_samples(network, rest, name, left_out_galaxies(rest, subsample))
    return merge_predictions(tables), {name: table for name, table in left_out.items() if len(table)}


def _has_left_out(models: Path, model: str, subsample: int) -> bool:
    """Return whether a network left out galaxies while it was trained, according to its metrics."""
    path = models / metrics_file(subsample, model)
    steps = json.loads(path.read_text()) if path.is_file() else {}
    return any(metrics.get("left_mse") is not None for metrics in steps.values())


def read_pictures(test: Mapping[str, Samples], train: Mapping[str, Samples], batch: Path) -> Pictures:
    """Return the images that a report shows; `batch` is a stored batch, which may be missing."""
    return Pictures(test, train, Batch.open(batch) if batch.is_file() else None)


def read_all_predictions(paths: Iterable[Path]) -> pd.DataFrame:
    """Read tables of predictions of one network each, and join them side by side."""
    return merge_predictions([read_predictions(path) for path in paths])


def report(
    table: pd.DataFrame,
    outfolder: Path,
    *,
    catalog: Catalog | Path | None = None,
    left_out: Mapping[str, pd.DataFrame] | None = None,
    pictures: Pictures | None = None,
    beware: str = "",
) -> dict[str, Any] | None:
    """Evaluate a table of predictions, and write everything that follows from it into a folder.

    It writes `predictions.csv`, `metrics.json`, `metrics.md`, the figures and `report.html`, which shows them all;
    `calibration.json` if there are enough left-out galaxies, and `novelty.json` if there is a training set.

    Parameters
    ----------
    table : DataFrame
        Predictions for the test set, as `inclinet.evaluation.predictions.read_predictions` returns. If it is empty and
        the networks left out disjoint sets of galaxies, these are evaluated instead: a cross-validation.
    outfolder : Path
    catalog : Catalog or Path, optional
        Catalogue, for the axis ratios and the names of galaxies without a PGC number.
    left_out : mapping of str to DataFrame, optional
        Predictions of each network for the galaxies that it left out.
    pictures : Pictures, optional
        The images that the report shows.
    beware : str
        A warning about the result, for its readers.

    Returns
    -------
    dict or None
        As `inclinet.evaluation.results.evaluate`; None when there is no test galaxy, which `metrics.md` then says.

    Raises
    ------
    InclinetError
        When the catalogue cannot be read.
    """
    pictures = pictures or Pictures()
    left_out = left_out or {}
    if folds := count_folds(table, left_out):
        table, left_out = pool_folds(left_out), {}
        pictures = Pictures(pictures.train, pictures.train, pictures.batch)
    for name in _FILES:  # files of an earlier evaluation must not be mistaken for this one's
        (outfolder / name).unlink(missing_ok=True)
    known = read_catalog(catalog) if isinstance(catalog, Path) else catalog
    ratios = known.table.reset_index() if known else None
    calibration = None
    if folds or left_out:
        calibration = calibrate(table if folds else merge_predictions(left_out.values()))
    estimates = _estimate(table, calibration, folds)
    if calibration:
        write_text(outfolder / CALIBRATION_FILE, calibration.model_dump_json(indent=1))
    if pictures.train:
        write_text(outfolder / NOVELTY_FILE, learn_novelty(pictures.train).model_dump_json())
    if table.empty:
        write_text(outfolder / METRICS_TABLE_FILE, f"{NOTHING_TO_EVALUATE}\n")
        return None
    labels = labels_of(pictures.train)
    mean = float(labels.mean()) if labels.size else None
    evaluation = evaluate(table, ratios, mean, left_out=left_out, estimates=estimates)
    evaluation |= {"folds": folds, "beware": beware}
    best = _write_results(table, evaluation, None if estimates is None else estimates[0], outfolder)
    figures = [
        *draw_figures(table, evaluation, best, ratios, outfolder),
        *draw_sheets(table, best, pictures, known.names if known else {}, outfolder),
    ]
    trained = [pgc for sample in pictures.train.values() for pgc in sample.pgcs.tolist()]
    origins = count_galaxies(trained) if trained else None, count_galaxies(table["pgc"])
    write_text(outfolder / REPORT_FILE, render_report(evaluation, str(best.name), figures, *origins))
    return evaluation


def _estimate(
    table: pd.DataFrame, calibration: Calibration | None, folds: int
) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return what predicting gives for the images of a table and for its galaxies (deg), None without error bars.

    With folds, the calibration was made on the same galaxies: each is estimated by one made on the others.
    """
    if calibration is None or table.empty or not all(spread_column(name) in table for name in network_columns(table)):
        return None
    if folds:
        return estimate_others(table)
    images = calibration.estimate(table)
    return images, pool_images(images, table["pgc"], table["filter"], calibration)


def _write_results(
    table: pd.DataFrame, evaluation: Mapping[str, Any], estimates: pd.DataFrame | None, outfolder: Path
) -> pd.Series:
    """Write the predictions and the metrics; return what predicting gives (deg), named after its ensemble."""
    write_predictions(table, outfolder / PREDICTIONS_FILE, None if estimates is None else estimates.round(3))
    write_text(outfolder / METRICS_FILE, json.dumps(evaluation, indent=1))
    write_text(outfolder / METRICS_TABLE_FILE, markdown_table(evaluation))
    name = next(iter(evaluation["ensembles"]))
    return ensemble_predictions(table)[name] if estimates is None else estimates["inclination"].rename(name)
