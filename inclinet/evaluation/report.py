"""The report: what its page says, and the figures and sheets of images that it shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from inclinet.data.bands import FILTERS
from inclinet.data.samples import Batch, Samples
from inclinet.evaluation.baselines import baseline_predictions
from inclinet.evaluation.page import Figure, Table, render_page
from inclinet.evaluation.plots import error_against_truth, error_histogram, family_comparison, inclination_histogram
from inclinet.evaluation.results import metric_rows, summary
from inclinet.figures.sheets import contact_sheet

__all__ = ["Pictures", "draw_figures", "draw_sheets", "labels_of", "render_report"]

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


def draw_figures(
    table: pd.DataFrame, evaluation: Mapping, best: pd.Series, catalog: pd.DataFrame | None, outfolder: Path
) -> list[Figure]:
    """Draw the figures of an evaluation into `outfolder`; `best` is the prediction that they show."""
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


def draw_sheets(table: pd.DataFrame, best: pd.Series, pictures: Pictures, outfolder: Path) -> list[Figure]:
    """Draw the sheets of images, and the histogram of inclinations, of which there are pictures."""
    figures = []
    if pictures.test:
        figures.append(_gallery(table, best, pictures.test, outfolder / "worst.jpg"))
    if pictures.batch:
        after = pictures.batch.labels
        figures.append(
            Figure(
                "Inclinations before and after augmentation",
                inclination_histogram(labels_of(pictures.train), after, outfolder / "inclinations.png"),
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


def labels_of(samples: Mapping[str, Samples]) -> np.ndarray:
    """Return the labels (deg) of samples of several bands, one after another."""
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


def render_report(evaluation: Mapping, best: str, figures: Iterable[Figure]) -> str:
    """Return the HTML page of an evaluation; `best` names the ensemble that it is about."""
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
            metric_rows(evaluation[kind][best], what),
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
                metric_rows(left, "network"),
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
    result = Table("Result", metric_rows(summary(evaluation), "prediction"), main=best)
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
