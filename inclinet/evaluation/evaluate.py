"""Stage evaluate, over local files: what networks predict for galaxies they were not trained on, and how well."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from inclinet.data.bands import band_title, order_bands
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
from inclinet.evaluation.galaxies import median_by_galaxy, pool_images
from inclinet.evaluation.metrics import ensemble_predictions
from inclinet.evaluation.novelty import Novelty, learn_novelty
from inclinet.evaluation.pictures import Pictures, augmented_cards, draw_figures, labels_of
from inclinet.evaluation.predictions import merge_predictions, read_predictions, write_predictions
from inclinet.evaluation.report import Shown, render_report
from inclinet.evaluation.results import evaluate, markdown_table
from inclinet.evaluation.verdict import find_verdict
from inclinet.evaluation.worst import find_worst, worst_cards
from inclinet.networks.listing import list_networks, name_of_network
from inclinet.preparation.split import left_out_galaxies, left_out_side
from inclinet.progress import Track, silent
from inclinet.storage.atomic import write_text
from inclinet.training.curves import Metrics
from inclinet.training.filenames import metrics_file
from inclinet.training.start import StartRecord, beware

__all__ = [
    "NOTHING_TO_EVALUATE",
    "Background",
    "predict_galaxies",
    "read_all_predictions",
    "read_pictures",
    "read_trainings",
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
    return Pictures(test, train, Batch.read(batch) if batch.is_file() else None)


def read_all_predictions(paths: Iterable[Path]) -> pd.DataFrame:
    """Read tables of predictions of one network each, and join them side by side."""
    return merge_predictions([read_predictions(path) for path in paths])


@dataclass(frozen=True)
class Background:
    """What an evaluation's report tells beside its result.

    Attributes
    ----------
    pictures : Pictures
        The images that it shows.
    trainings : mapping of str to Metrics
        The metrics of the networks' trainings, by name.
    starts : sequence of StartRecord
        What the networks were started from.
    skipped : DataFrame or None
        Skipped galaxies: columns `pgc`, `where` and `reason`; None if they are not known.
    facts : mapping of str to str
        What the evaluation is about, such as the sample, for the top of the page.
    """

    pictures: Pictures = field(default_factory=Pictures)
    trainings: Mapping[str, Metrics] = field(default_factory=dict)
    starts: Sequence[StartRecord] = ()
    skipped: pd.DataFrame | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def read_trainings(models: Path, names: Iterable[str]) -> dict[str, Metrics]:
    """Return the metrics of the trainings of networks, by name, as far as they are in the folder `models`."""
    files = {}
    for name in names:
        model, subsample = parse_network_name(name)
        files[name] = models / metrics_file(subsample, model)
    return {name: json.loads(path.read_text()) for name, path in files.items() if path.is_file()}


def report(
    table: pd.DataFrame,
    outfolder: Path,
    *,
    catalog: Catalog | Path | None = None,
    left_out: Mapping[str, pd.DataFrame] | None = None,
    background: Background | None = None,
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
        Catalogue, for the axis ratios, and the names and positions of galaxies.
    left_out : mapping of str to DataFrame, optional
        Predictions of each network for the galaxies that it left out.
    background : Background, optional

    Returns
    -------
    dict or None
        As `inclinet.evaluation.results.evaluate`, with the number of `folds`, a warning to `beware` of, and the
        `verdict` in a few sentences; None when there is no test galaxy, which `metrics.md` then says.

    Raises
    ------
    InclinetError
        When the catalogue cannot be read.
    """
    background = background or Background()
    left_out = left_out or {}
    pictures = background.pictures
    if folds := count_folds(table, left_out):
        table, left_out = pool_folds(left_out), {}
        pictures = Pictures(pictures.train, pictures.train, pictures.batch)
    for name in _FILES:  # files of an earlier evaluation must not be mistaken for this one's
        (outfolder / name).unlink(missing_ok=True)
    known = read_catalog(catalog) if isinstance(catalog, Path) else catalog
    calibration = None
    if folds or left_out:
        calibration = calibrate(table if folds else merge_predictions(left_out.values()))
    estimates = _estimate(table, calibration, folds)
    if calibration:
        write_text(outfolder / CALIBRATION_FILE, calibration.model_dump_json(indent=1))
    novelty = learn_novelty(pictures.train) if pictures.train else None
    if novelty:
        write_text(outfolder / NOVELTY_FILE, novelty.model_dump_json())
    if table.empty:
        write_text(outfolder / METRICS_TABLE_FILE, f"{NOTHING_TO_EVALUATE}\n")
        return None
    labels = labels_of(pictures.train)
    mean = float(labels.mean()) if labels.size else None
    ratios = known.table.reset_index() if known else None
    evaluation = evaluate(table, ratios, mean, left_out=left_out, estimates=estimates)
    evaluation |= {"folds": folds, "beware": beware(background.starts)}
    evaluation["verdict"] = find_verdict(evaluation, count_galaxies(table["pgc"]))
    _write_results(table, evaluation, None if estimates is None else estimates[0], outfolder)
    page = _render(table, evaluation, estimates, known, novelty, replace(background, pictures=pictures), outfolder)
    write_text(outfolder / REPORT_FILE, page)
    return evaluation


def _render(
    table: pd.DataFrame,
    evaluation: Mapping[str, Any],
    estimates: tuple[pd.DataFrame, pd.DataFrame] | None,
    catalog: Catalog | None,
    novelty: Novelty | None,
    background: Background,
    outfolder: Path,
) -> str:
    """Draw the figures, and return the page of the report."""
    best, pictures = next(iter(evaluation["ensembles"])), background.pictures
    if estimates is None:
        pooled = median_by_galaxy(ensemble_predictions(table)[[best]], table["pgc"]).set_axis(["inclination"], axis=1)
    else:
        pooled = estimates[1]
    galaxies = table.groupby("pgc", sort=False)[["inc_m"]].first().join(pooled)
    seen = [pgc for sample in pictures.train.values() for pgc in sample.pgcs.tolist()]
    before = [pgc for start in background.starts for pgc in start.galaxies or ()]
    tested = count_galaxies(table["pgc"])
    figures = draw_figures(
        galaxies.reset_index(),
        evaluation,
        best,
        tested.truth,
        outfolder,
        catalog=catalog.table.reset_index() if catalog else None,
        pictures=pictures,
        trainings=background.trainings,
    )
    shown = Shown(
        figures,
        worst_cards(find_worst(galaxies), pictures.test, catalog, novelty),
        augmented_cards(pictures.batch) if pictures.batch else [],
        background.skipped,
        {**background.facts, **_image_facts(table, pictures)},
    )
    return render_report(evaluation, best, shown, tested, count_galaxies([*seen, *before]) if seen else None)


def _image_facts(table: pd.DataFrame, pictures: Pictures) -> dict[str, str]:
    """Return the size of the images, if they are known, and their bands."""
    bands = ", ".join(map(band_title, order_bands(table["filter"].unique())))
    size = next((sample.images.shape[1] for sample in pictures.test.values()), None)
    return {"Images": f"{size} × {size} pixels; {bands}" if size else bands}


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
) -> None:
    """Write the predictions and the metrics."""
    write_predictions(table, outfolder / PREDICTIONS_FILE, None if estimates is None else estimates.round(3))
    write_text(outfolder / METRICS_FILE, json.dumps(evaluation, indent=1))
    write_text(outfolder / METRICS_TABLE_FILE, markdown_table(evaluation))
