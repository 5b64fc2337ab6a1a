"""The figures of a report, and the pictures of galaxies in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.data.bands import band_title
from inclinet.data.samples import Batch, Samples
from inclinet.evaluation.baselines import baseline_predictions
from inclinet.evaluation.charts import coverage_against_chance, family_comparison, inclination_histogram
from inclinet.evaluation.plots import error_against_truth, error_histogram, prediction_against_truth
from inclinet.figures.page import Card, Figure
from inclinet.training.curves import Metrics, learning_curves

__all__ = ["Pictures", "augmented_cards", "draw_figures", "labels_of"]

_AUGMENTED = 24  # pictures of augmented images


@dataclass(frozen=True)
class Pictures:
    """The images that a report shows.

    Attributes
    ----------
    test : mapping of stored band to Samples
        The test set.
    train : mapping of stored band to Samples
        The training set before augmentation; only its labels are shown.
    batch : Batch or None
        A stored batch.
    """

    test: Mapping[str, Samples] = field(default_factory=dict)
    train: Mapping[str, Samples] = field(default_factory=dict)
    batch: Batch | None = None


def labels_of(samples: Mapping[str, Samples]) -> np.ndarray:
    """Return the labels (deg) of the samples of all bands, one band after another; int (N,)."""
    return np.concatenate([sample.labels for sample in samples.values()] or [np.empty(0, int)])


def draw_figures(
    galaxies: pd.DataFrame,
    evaluation: Mapping,
    best: str,
    truth: str,
    outfolder: Path,
    *,
    catalog: pd.DataFrame | None = None,
    pictures: Pictures | None = None,
    trainings: Mapping[str, Metrics] | None = None,
) -> dict[str, Figure]:
    """Draw the figures of an evaluation into `outfolder`; return them by the names of their files, without suffix.

    Parameters
    ----------
    galaxies : DataFrame
        One row per galaxy: `pgc`, `inc_m` and `inclination` (deg).
    evaluation : mapping
        As `inclinet.evaluation.results.evaluate` returns.
    best : str
        What the inclinations are called.
    truth : str
        What the labels are called.
    outfolder : Path
    catalog : DataFrame, optional
        As for `inclinet.evaluation.baselines.baseline_predictions`.
    pictures : Pictures, optional
    trainings : mapping of str to Metrics, optional
        Metrics of the networks' trainings, by name.
    """
    answers = galaxies["inclination"].rename(best)
    baselines = baseline_predictions(galaxies, catalog)
    axis_ratio = next((series.rename(name) for name, series in baselines.items() if "axis ratio" in name), None)

    def path(name: str) -> Path:
        return outfolder / f"{name}.png"

    figures = [
        Figure(
            "Prediction against truth",
            prediction_against_truth(galaxies, answers, path("prediction_against_truth"), truth),
            "Every galaxy once. On the dashed line, they agree.",
        ),
        Figure(
            "Error against truth",
            error_against_truth(galaxies, answers, path("error_against_truth"), truth),
            "Every galaxy once. The line is the running median; the band around it holds 68 % of the galaxies.",
        ),
        Figure(
            "Networks, ensembles, baselines",
            family_comparison(evaluation["by_galaxy"], path("family_comparison"), truth),
            "By galaxy. Bars are 95 % confidence intervals by bootstrap over galaxies.",
        ),
        Figure(
            "Distribution of the errors",
            error_histogram(galaxies, answers, path("error_histogram"), axis_ratio, truth),
            "By galaxy. Errors beyond 20 deg are counted in the outermost bars.",
        ),
    ]
    if "intervals" in evaluation["by_galaxy"]:
        figures.append(
            Figure(
                "Reliability of the error bars",
                coverage_against_chance(evaluation["by_galaxy"]["intervals"], path("coverage_against_chance")),
                "All galaxies, and by inclination. A point outside its gray bar is too far off for chance.",
            )
        )
    if any((trainings or {}).values()):
        figures.append(
            Figure(
                "Learning curves",
                learning_curves(trainings or {}, path("learning_curves")),
                "A line for each network: on the stored batches, and on augmented images of left-out galaxies and of "
                "the test set.",
            )
        )
    if pictures and pictures.batch:
        before, after = labels_of(pictures.train), pictures.batch.labels
        figures.append(
            Figure(
                "Inclinations before and after augmentation",
                inclination_histogram(before, after, path("inclinations"), truth),
                "Of the training images and of one stored batch.",
            )
        )
    return {figure.path.stem: figure for figure in figures}


def augmented_cards(batch: Batch) -> list[Card]:
    """Return pictures of images of a stored batch, evenly spaced."""
    count = len(batch.labels)
    shown = np.linspace(0, count - 1, min(_AUGMENTED, count)).astype(int)
    bands = [band_title(letter.decode()) for letter in batch.filters[shown]]
    images = np.asarray(batch.images[shown])
    return [
        Card("", image, [f"{label}° {band}"])
        for image, label, band in zip(images, batch.labels[shown], bands, strict=True)
    ]
