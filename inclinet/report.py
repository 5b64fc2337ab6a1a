"""Stage evaluate, over local files: what networks predict for galaxies they never saw, and what that is worth."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.batches import Batch, Samples, find_samples, read_samples
from inclinet.calibration import calibrate
from inclinet.catalog import read_catalog
from inclinet.errors import InclinetError
from inclinet.evaluate import baseline_predictions, ensemble_predictions, evaluate, figure_rows, markdown_table, summary
from inclinet.files import write_text
from inclinet.naming import (
    CALIBRATION,
    FILTERS,
    METRICS,
    NOVELTY,
    PREDICTIONS,
    REPORT,
    RESULT,
    metrics_file,
    network_file,
    parse_network,
)
from inclinet.novelty import learn_novelty
from inclinet.page import Figure, Table, render_page
from inclinet.plots import error_against_truth, error_histogram, family_comparison, inclination_histogram
from inclinet.predictions import merge_predictions, network_name, read_predictions, write_predictions
from inclinet.progress import Track, silent
from inclinet.sheets import contact_sheet
from inclinet.split import left_out_galaxies, left_out_side

__all__ = [
    "NOTHING_TO_EVALUATE",
    "Pictures",
    "predict_galaxies",
    "read_all_predictions",
    "read_pictures",
    "report",
]

NOTHING_TO_EVALUATE = "No galaxy fell into the test set: there is nothing to evaluate on."
_WRITTEN = (PREDICTIONS, METRICS, RESULT, REPORT, CALIBRATION, NOVELTY)
_WORST, _SHEET = 49, 96  # images in the gallery of the worst, in the contact sheet


@dataclass(frozen=True)
class Pictures:
    """The images that a report shows.

    Attributes
    ----------
    test : mapping of stored band to Samples
        The test set.
    train : mapping of stored band to Samples
        The training set, before augmentation; its images are not touched.
    batch : Batch or None
        A stored batch.
    """

    test: Mapping[str, Samples] = field(default_factory=dict)
    train: Mapping[str, Samples] = field(default_factory=dict)
    batch: Batch | None = None


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
    from inclinet.inference import load_network, predict_samples

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
        As `inclinet.evaluate.evaluate`; None when there is no test galaxy, which `metrics.md` then says.

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
        write_text(outfolder / CALIBRATION, calibration.model_dump_json(indent=1))
    if pictures.batch:
        write_text(outfolder / NOVELTY, learn_novelty(pictures.train, pictures.batch).model_dump_json())
    if table.empty:
        write_text(outfolder / RESULT, f"{NOTHING_TO_EVALUATE}\n")
        return None
    labels = _labels(pictures.train)
    mean = float(labels.mean()) if labels.size else None
    evaluation = evaluate(table, ratios, mean, left_out=left_out, calibration=calibration)
    estimates = calibration.estimate(table) if calibration else None
    write_predictions(table, outfolder / PREDICTIONS, None if estimates is None else estimates.round(3))
    write_text(outfolder / METRICS, json.dumps(evaluation, indent=1))
    write_text(outfolder / RESULT, markdown_table(evaluation))
    name = next(iter(evaluation["ensembles"]))
    best = ensemble_predictions(table)[name] if estimates is None else estimates["inclination"].rename(name)
    figures = [*_figures(table, evaluation, best, ratios, outfolder), *_sheets(table, best, pictures, outfolder)]
    write_text(outfolder / REPORT, _page(evaluation, name, figures))
    return evaluation


def _figures(
    table: pd.DataFrame, evaluation: Mapping, best: pd.Series, catalog: pd.DataFrame | None, outfolder: Path
) -> list[Figure]:
    baselines = baseline_predictions(table, catalog)
    baseline = next((series.rename(name) for name, series in baselines.items() if "axis ratio" in name), None)
    return [
        Figure(
            "Error against inclination",
            error_against_truth(table, best, outfolder / "error_against_truth.png"),
            "Every test image; the line is the running median, the band holds 68 % of the images around it.",
        ),
        Figure(
            "Networks, ensembles, baselines",
            family_comparison(evaluation, outfolder / "family_comparison.png"),
            "Bars are 95 % confidence intervals, by bootstrap over galaxies.",
        ),
        Figure(
            "Distribution of the errors",
            error_histogram(table, best, outfolder / "error_histogram.png", baseline),
            "Errors beyond 20 deg are counted in the outermost bars.",
        ),
    ]


def _sheets(table: pd.DataFrame, best: pd.Series, pictures: Pictures, outfolder: Path) -> list[Figure]:
    figures = []
    if pictures.test:
        figures.append(_gallery(table, best, pictures.test, outfolder / "worst.jpg"))
    if pictures.batch:
        after = pictures.batch.labels
        figures.append(
            Figure(
                "Inclinations before and after augmentation",
                inclination_histogram(_labels(pictures.train), after, outfolder / "inclinations.png"),
                "Human inclinations of the training images, and of one stored batch, in the bins of the augmentation.",
            )
        )
        shown = np.linspace(0, len(after) - 1, min(_SHEET, len(after))).astype(int)
        letters = [letter.decode() for letter in pictures.batch.filters[shown]]
        captions = [f"{label}° {letter}" for label, letter in zip(after[shown], letters, strict=True)]
        figures.append(
            Figure(
                "Augmented images",
                contact_sheet(np.asarray(pictures.batch.images[shown]), captions, outfolder / "augmented.jpg"),
                "Some of a stored batch, as the networks see them: human inclination, and band (c is colour).",
            )
        )
    return figures


def _labels(samples: Mapping[str, Samples]) -> np.ndarray:
    return np.concatenate([sample.labels for sample in samples.values()] or [np.empty(0, int)])


def _gallery(table: pd.DataFrame, prediction: pd.Series, test: Mapping[str, Samples], path: Path) -> Figure:
    """Draw the images of the largest errors."""
    places = {
        (FILTERS[band], pgc): (sample, row)
        for band, sample in test.items()
        for row, pgc in enumerate(sample.pgcs.tolist())
    }
    worst = (prediction - table["inc_m"]).abs().sort_values(ascending=False).index
    rows = [i for i in worst if (table["filter"][i], table["pgc"][i]) in places][:_WORST]
    images = [places[table["filter"][i], table["pgc"][i]] for i in rows]
    captions = [
        f"PGC {table['pgc'][i]} {table['filter'][i]}\n{table['inc_m'][i]:.0f}° → {prediction[i]:.0f}°" for i in rows
    ]
    pixels = np.stack([sample.images[row] for sample, row in images]).astype(np.uint8)
    return Figure(
        f"The {len(rows)} worst predictions",
        contact_sheet(pixels, captions, path, columns=7),
        f"Largest errors of the {prediction.name}: galaxy and band (c is colour), human inclination → prediction.",
    )


def _page(evaluation: Mapping, best: str, figures: Iterable[Figure]) -> str:
    figures = list(figures)
    overall = evaluation["ensembles"][best]
    lead = [
        f"Tested on {evaluation['images']:,} images of {evaluation['galaxies']:,} galaxies that no network was trained "
        f"on. The {best} differs from the human inclination by {overall['rms']:.2f} deg RMS (95 % confidence "
        "{:.2f} to {:.2f}), {:.2f} deg on average.".format(*overall["ci"]["rms"], overall["mae"]),
        f"The human inclinations scatter by {evaluation['std']:.1f} deg (standard deviation): what predicting their "
        "mean would be wrong by. All angles are in degrees; n counts images; 68 % and 95 % are percentiles of the "
        "absolute error; slope is that of prediction − truth against truth.",
    ]
    kinds = {"by_bin": "inclination (deg)", "by_band": "band", "by_inverted": "polarity"}
    notes = {"by_band": "; c is colour", "by_inverted": ": inverted is dark on a bright sky"}
    tables = [
        Table(
            f"By {what.removesuffix(' (deg)')}",
            figure_rows(evaluation[kind][best], what),
            f"Of the {best}{notes.get(kind, '')}.",
        )
        for kind, what in kinds.items()
        if kind in evaluation
    ]
    left = {name: of["all"] for name, of in evaluation["left_out"].items()}
    if left:
        tables.append(
            Table(
                "On left-out galaxies",
                figure_rows(left, "network"),
                "Networks, and those of a subsample together, on the training galaxies that it leaves out.",
            )
        )
    if "intervals" in evaluation:
        tables.append(
            Table(
                "Error bars",
                _coverage_rows(evaluation["intervals"]),
                "Calibrated on left-out galaxies: so many of the human inclinations of the test set lie within them.",
            )
        )
    result = Table("Result", figure_rows(summary(evaluation), "prediction"), main=best)
    return render_page("Inclinations of galaxies: evaluation", lead, [result, *figures[:3], *tables, *figures[3:]])


def _coverage_rows(intervals: Mapping[str, Mapping]) -> list[dict[str, str]]:
    return [
        {
            "interval": f"{level} %",
            "inclination": group,
            "n": f"{found['n']:,}",
            "within": f"{100 * found['coverage']:.1f} %",
            "mean width (deg)": f"{found['width']:.2f}",
        }
        for level, groups in intervals.items()
        for group, found in groups.items()
    ]
