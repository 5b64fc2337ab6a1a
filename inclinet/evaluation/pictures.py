"""The figures and sheets of images that a report shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.data.bands import FILTERS, band_title
from inclinet.data.galaxies import galaxy_title
from inclinet.data.samples import Batch, Samples
from inclinet.evaluation.baselines import baseline_predictions
from inclinet.evaluation.page import Figure
from inclinet.evaluation.plots import error_against_truth, error_histogram, family_comparison, inclination_histogram
from inclinet.figures.sheets import contact_sheet

__all__ = ["Pictures", "draw_figures", "draw_sheets", "labels_of"]

_WORST = 49  # images in the gallery of the worst predictions
_AUGMENTED = 96  # images in the sheet of augmented images


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
    table: pd.DataFrame, evaluation: Mapping, best: pd.Series, catalog: pd.DataFrame | None, outfolder: Path
) -> list[Figure]:
    """Draw the figures of an evaluation into `outfolder`.

    Parameters
    ----------
    table : DataFrame
        Predictions for the test set.
    evaluation : mapping
        As `inclinet.evaluation.results.evaluate` returns.
    best : Series
        Named predictions (deg) to show, on the index of `table`.
    catalog : DataFrame or None
        As for `inclinet.evaluation.baselines.baseline_predictions`.
    """
    baselines = baseline_predictions(table, catalog)
    axis_ratio = next((series.rename(name) for name, series in baselines.items() if "axis ratio" in name), None)
    return [
        Figure(
            "Error against inclination",
            error_against_truth(table, best, outfolder / "error_against_truth.png"),
            "Every test image. The line is the running median; the band around it holds 68 % of the images.",
        ),
        Figure(
            "Networks, ensembles, baselines",
            family_comparison(evaluation["by_galaxy"], outfolder / "family_comparison.png"),
            "By galaxy. Bars are 95 % confidence intervals by bootstrap over galaxies.",
        ),
        Figure(
            "Distribution of the errors",
            error_histogram(table, best, outfolder / "error_histogram.png", axis_ratio),
            "Of the images. Errors beyond 20 deg are counted in the outermost bars.",
        ),
    ]


def draw_sheets(
    table: pd.DataFrame, best: pd.Series, pictures: Pictures, names: Mapping[int, str], outfolder: Path
) -> list[Figure]:
    """Draw the sheets of images and the histogram of inclinations, as far as there are pictures, into `outfolder`.

    `table` and `best` are those of `draw_figures`; `names` are those of galaxies without a PGC number.
    """
    figures = []
    if pictures.test:
        figures.append(_draw_worst(table, best, pictures.test, names, outfolder / "worst.jpg"))
    if pictures.batch:
        histogram = inclination_histogram(
            labels_of(pictures.train), pictures.batch.labels, outfolder / "inclinations.png"
        )
        figures.append(
            Figure(
                "Inclinations before and after augmentation",
                histogram,
                "Human inclinations of the training images and of one stored batch, in the bins of the augmentation.",
            )
        )
        figures.append(_draw_augmented(pictures.batch, outfolder / "augmented.jpg"))
    return figures


def _draw_worst(
    table: pd.DataFrame, prediction: pd.Series, test: Mapping[str, Samples], names: Mapping[int, str], path: Path
) -> Figure:
    """Draw the images with the largest errors."""
    places = {
        (FILTERS[band], pgc): (sample, row)
        for band, sample in test.items()
        for row, pgc in enumerate(sample.pgcs.tolist())
    }
    worst = (prediction - table["inc_m"]).abs().sort_values(ascending=False).index
    rows = [i for i in worst if (table["filter"][i], table["pgc"][i]) in places][:_WORST]
    images = [places[table["filter"][i], table["pgc"][i]] for i in rows]
    captions = [
        f"{galaxy_title(pgc, names.get(pgc, '') if pgc < 0 else '')} {band_title(table['filter'][i])}\n"
        f"{table['inc_m'][i]:.0f}° → {prediction[i]:.0f}°"
        for i, pgc in zip(rows, table["pgc"][rows].tolist(), strict=True)
    ]
    pixels = np.stack([sample.images[row] for sample, row in images]).astype(np.uint8)
    return Figure(
        f"The {len(rows)} worst predictions",
        contact_sheet(pixels, captions, path, columns=7),
        f"Largest errors of the {prediction.name}: galaxy and band, human inclination → prediction.",
    )


def _draw_augmented(batch: Batch, path: Path) -> Figure:
    """Draw images of a stored batch, evenly spaced."""
    count = len(batch.labels)
    shown = np.linspace(0, count - 1, min(_AUGMENTED, count)).astype(int)
    bands = [band_title(letter.decode()) for letter in batch.filters[shown]]
    captions = [f"{label}° {band}" for label, band in zip(batch.labels[shown], bands, strict=True)]
    return Figure(
        "Augmented images",
        contact_sheet(np.asarray(batch.images[shown]), captions, path),
        "Part of a stored batch, as the networks see it: human inclination and band.",
    )
