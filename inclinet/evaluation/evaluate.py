"""Stage evaluate, over local files: what networks predict for galaxies they never saw, and what that is worth."""

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd

from inclinet.data.catalog import read_catalog
from inclinet.data.columns import network_name
from inclinet.data.samples import Batch, Samples, find_samples, read_samples
from inclinet.errors import InclinetError
from inclinet.evaluation.calibrate import calibrate
from inclinet.evaluation.filenames import (
    CALIBRATION_FILE,
    METRICS_FILE,
    METRICS_TABLE_FILE,
    NOVELTY_FILE,
    PREDICTIONS_FILE,
    REPORT_FILE,
)
from inclinet.evaluation.metrics import ensemble_predictions
from inclinet.evaluation.novelty import learn_novelty
from inclinet.evaluation.predictions import merge_predictions, read_predictions, write_predictions
from inclinet.evaluation.report import Pictures, draw_figures, draw_sheets, labels_of, render_report
from inclinet.evaluation.results import evaluate, markdown_table
from inclinet.networks.filenames import network_file, parse_network
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
_WRITTEN = (PREDICTIONS_FILE, METRICS_FILE, METRICS_TABLE_FILE, REPORT_FILE, CALIBRATION_FILE, NOVELTY_FILE)


def predict_galaxies(
    models: Path, samples: Path, *, files: Collection[str] | None = None, size: int = 128, track: Track = silent
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Run the networks in a folder (all, or those named `files`) on the test set and what each one left out.

    Returns
    -------
    test : DataFrame
        Predictions of all networks.
    left_out : dict of str to DataFrame
        Predictions of each network that left out any galaxy, by its name.

    Raises
    ------
    InclinetError
        When there is no network or no test set.
    """
    from inclinet.networks.infer import load_network, predict_samples

    paths = sorted(models.iterdir()) if models.is_dir() else []
    paths = [path for path in paths if parse_network(path.name) and (files is None or path.name in files)]
    if not paths:
        raise InclinetError(
            f"{models}: no network such as {network_file(0, 'model4')} (option --models); run `inclinet train` first"
        )
    test = read_samples(find_samples(samples, size, "test", 0), size)
    tables, left_out = [], {}
    for path in track(paths, "evaluate", len(paths)):
        model, subsample = parse_network(path.name)
        name, network = network_name(model, subsample), load_network(path)
        tables.append(predict_samples(network, test, name))
        if _left_any_out(models, model, subsample):
            rest = read_samples(find_samples(samples, size, *left_out_side(subsample)), size)
            left_out[name] = predict_samples(network, rest, name, left_out_galaxies(rest, subsample))
    return merge_predictions(tables), {name: table for name, table in left_out.items() if len(table)}


def _left_any_out(models: Path, model: str, subsample: int) -> bool:
    """Return whether a network was judged by left-out galaxies while it was trained, by its metrics."""
    path = models / metrics_file(subsample, model)
    steps = json.loads(path.read_text()) if path.is_file() else {}
    return any(metrics.get("left_mse") is not None for metrics in steps.values())


def read_pictures(test: Mapping[str, Samples], train: Mapping[str, Samples], batch: Path) -> Pictures:
    """Return the images that a report shows; `batch` is a stored batch, which may be missing."""
    return Pictures(test, train, Batch.open(batch) if batch.is_file() else None)


def read_all_predictions(paths: Iterable[Path]) -> pd.DataFrame:
    """Read tables of predictions of one network each, side by side."""
    return merge_predictions([read_predictions(path) for path in paths])


def report(
    table: pd.DataFrame,
    outfolder: Path,
    *,
    catalog: Path | None = None,
    left_out: Mapping[str, pd.DataFrame] | None = None,
    pictures: Pictures | None = None,
) -> dict | None:
    """Evaluate a table of predictions; write it, the figures of merit, the report and what predicting needs.

    Written are `predictions.csv`, `metrics.json`, `metrics.md`, the figures and `report.html`, which holds all; from
    left-out galaxies `calibration.json`, from a stored batch `novelty.json`.

    Parameters
    ----------
    table : DataFrame
        Predictions for the test set, as `read_predictions` returns.
    catalog : Path, optional
        Catalogue, for the axis ratios.
    left_out : mapping of str to DataFrame, optional
        Predictions of each network for the galaxies that it left out.
    pictures : Pictures, optional
        The images that the report shows.

    Returns
    -------
    dict or None
        As `inclinet.evaluation.metrics.evaluate`; None when there is no test galaxy, which `metrics.md` then says.

    Raises
    ------
    InclinetError
        When the catalogue cannot be read.
    """
    pictures = pictures or Pictures()
    for name in _WRITTEN:  # an earlier evaluation's files must not be taken for this one's
        (outfolder / name).unlink(missing_ok=True)
    ratios = read_catalog(catalog).table.reset_index() if catalog else None
    calibration = calibrate(merge_predictions(left_out.values())) if left_out else None
    if calibration:
        write_text(outfolder / CALIBRATION_FILE, calibration.model_dump_json(indent=1))
    if pictures.batch:
        write_text(outfolder / NOVELTY_FILE, learn_novelty(pictures.train, pictures.batch).model_dump_json())
    if table.empty:
        write_text(outfolder / METRICS_TABLE_FILE, f"{NOTHING_TO_EVALUATE}\n")
        return None
    labels = labels_of(pictures.train)
    mean = float(labels.mean()) if labels.size else None
    evaluation = evaluate(table, ratios, mean, left_out=left_out, calibration=calibration)
    estimates = calibration.estimate(table) if calibration else None
    write_predictions(table, outfolder / PREDICTIONS_FILE, None if estimates is None else estimates.round(3))
    write_text(outfolder / METRICS_FILE, json.dumps(evaluation, indent=1))
    write_text(outfolder / METRICS_TABLE_FILE, markdown_table(evaluation))
    name = next(iter(evaluation["ensembles"]))
    best = ensemble_predictions(table)[name] if estimates is None else estimates["inclination"].rename(name)
    figures = [
        *draw_figures(table, evaluation, best, ratios, outfolder),
        *draw_sheets(table, best, pictures, outfolder),
    ]
    write_text(outfolder / REPORT_FILE, render_report(evaluation, name, figures))
    return evaluation
