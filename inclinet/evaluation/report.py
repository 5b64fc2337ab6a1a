"""The report: what its page says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from inclinet.data.bands import band_title
from inclinet.data.origin import Galaxies
from inclinet.evaluation.bootstrap import chance_range
from inclinet.evaluation.results import metric_rows, summary
from inclinet.evaluation.verdict import baselines_of, why_not_for_science
from inclinet.figures.page import Card, Figure, Section, render_page

__all__ = ["Shown", "render_report"]

_TITLE = "Inclinations of galaxies: evaluation"
_SKIPPED = 30  # rows of the table of skipped galaxies
_COLUMNS = (
    "Angles are in degrees. n: number of galaxies or images; MAE: mean absolute error; bias: mean of prediction − "
    "{truth}; slope: that of prediction − truth against truth; 68 % and 95 %: percentiles of the absolute error; > 10: "
    "share of errors above 10 deg."
)


@dataclass(frozen=True)
class Shown:
    """What a report shows beside the metrics.

    Attributes
    ----------
    figures : mapping of str to Figure
        As `inclinet.evaluation.pictures.draw_figures` returns them.
    worst, augmented : sequence of Card
        The worst galaxies, and augmented images.
    skipped : DataFrame or None
        Columns `pgc` (number or name of the galaxy), `where` and `reason`; None if it is not known.
    facts : mapping of str to str
        What the evaluation is about, such as the sample, for the top of the page.
    """

    figures: Mapping[str, Figure]
    worst: Sequence[Card] = ()
    augmented: Sequence[Card] = ()
    skipped: pd.DataFrame | None = None
    facts: Mapping[str, str] = field(default_factory=dict)


def render_report(
    evaluation: Mapping[str, Any], best: str, shown: Shown, tested: Galaxies, trained: Galaxies | None = None
) -> str:
    """Return the HTML page of an evaluation.

    Parameters
    ----------
    evaluation : mapping
        As `inclinet.evaluation.evaluate.report` returns.
    best : str
        Name of the ensemble that the page is about.
    shown : Shown
    tested, trained : Galaxies
        What the networks were tested on and, if it is known, trained on.
    """
    against = why_not_for_science(trained, baselines_of(evaluation))
    warnings = [f"Not for science: {against}."] if against else []
    if evaluation.get("beware"):
        warnings.append(f"Beware: {evaluation['beware']}.")
    sections = [
        *_result_sections(evaluation, best, shown.figures, tested.truth),
        *_error_bar_sections(evaluation, shown.figures, tested.truth),
        *_worst_sections(evaluation, shown.worst, tested.truth),
        *_group_sections(evaluation, best),
        *_training_sections(evaluation, shown),
        *_skipped_sections(shown.skipped),
    ]
    return render_page(
        _TITLE,
        " ".join([evaluation["verdict"], *warnings]),
        {**shown.facts, **_facts(evaluation, tested, trained, shown.skipped)},
        sections,
        warning=bool(warnings),
    )


def _facts(
    evaluation: Mapping[str, Any], tested: Galaxies, trained: Galaxies | None, skipped: pd.DataFrame | None
) -> dict[str, str]:
    facts = {"Networks": ", ".join(evaluation["networks"])}
    if trained:
        facts["Trained on"] = str(trained)
    images, folds = evaluation["images"], evaluation.get("folds")
    how = f"cross-validation in {folds} folds" if folds else "the test set"
    facts["Tested on"] = f"{tested}, {images:,} images: {how}; no network was trained on what it is tested on"
    facts["Labels"] = f"{tested.truth}, with a standard deviation of {evaluation['std']:.1f} deg"
    if skipped is not None:
        number = skipped["pgc"].nunique()
        facts["Skipped"] = f"{_galaxies(number)}, in some band or in all" if number else "no galaxy"
    return facts


def _galaxies(number: int) -> str:
    return "1 galaxy" if number == 1 else f"{number:,} galaxies"


def _present(figures: Mapping[str, Figure], *names: str) -> list[Figure]:
    return [figures[name] for name in names if name in figures]


def _result_sections(
    evaluation: Mapping[str, Any], best: str, figures: Mapping[str, Figure], truth: str
) -> list[Section]:
    both = _present(figures, "prediction_against_truth", "error_against_truth")
    methods = metric_rows(summary(evaluation["by_galaxy"]), "by galaxy")
    return [
        Section("Every galaxy", [f"The {best}, in the median of the images of each galaxy."], both),
        Section(
            "Networks and simple methods",
            [_COLUMNS.format(truth=truth)],
            _present(figures, "family_comparison", "error_histogram"),
            methods,
            main=best,
        ),
    ]


def _error_bar_sections(evaluation: Mapping[str, Any], figures: Mapping[str, Figure], truth: str) -> list[Section]:
    if "intervals" not in evaluation:
        return []
    notes = [f"Calibrated on left-out galaxies: the share of the galaxies whose {truth} lies within their interval."]
    if evaluation["images"] > evaluation["galaxies"]:
        of_images = [
            f"{100 * groups['all']['coverage']:.1f} % within their {level} % interval"
            for level, groups in evaluation["intervals"].items()
        ]
        notes.append(f"Of the images, {' and '.join(of_images)}.")
    rows = _coverage_rows(evaluation["by_galaxy"]["intervals"])
    return [Section("Error bars", notes, _present(figures, "coverage_against_chance"), rows)]


def _coverage_rows(intervals: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[dict[str, str]]:
    rows = []
    for level, groups in intervals.items():
        for group, found in groups.items():
            low, high = (100 * end for end in chance_range(int(found["n"]), float(level) / 100))
            rows.append(
                {
                    "interval": f"{level} %",
                    "inclination": group,
                    "n": f"{found['n']:,}",
                    "within": f"{100 * found['coverage']:.1f} %",
                    "by chance": f"{low:.1f}–{high:.1f} %",
                    "mean width (deg)": f"{found['width']:.2f}",
                }
            )
    return rows


def _worst_sections(evaluation: Mapping[str, Any], cards: Sequence[Card], truth: str) -> list[Section]:
    has_bars = "intervals" in evaluation
    what = f"{_galaxies(len(cards))} outside their 95 % interval" if has_bars else "The worst tenth of the galaxies"
    if not cards:
        return [Section("Worst galaxies", ["None: every galaxy lies within its 95 % interval."])] if has_bars else []
    note = f"{what}, the largest errors first: {truth} → answer."
    if has_bars:
        note += " Flags are those of the answer and of the downsampled images."
    return [Section("Worst galaxies", [note], cards=cards)]


def _group_sections(evaluation: Mapping[str, Any], best: str) -> list[Section]:
    """Return the metrics of an ensemble by inclination, and of its images by band and, where known, polarity."""
    by_image = summary(evaluation) if evaluation["images"] > evaluation["galaxies"] else {}
    bands = {band_title(letter): metrics for letter, metrics in evaluation["by_band"][best].items()}
    polarity = evaluation.get("by_inverted", {}).get(best, {})
    inverted = " An inverted image is dark on a bright sky." if polarity else ""
    tables = [
        ("By inclination", f"The {best}, by galaxy.", "inclination (deg)", evaluation["by_galaxy"]["by_bin"][best]),
        ("By image", "All methods, by image instead of by galaxy.", "by image", by_image),
        ("By band", f"The {best}, by image.", "band", bands),
        ("By polarity", f"The {best}, by image.{inverted}", "polarity", polarity),
    ]
    return [
        Section(title, [note], table=_without_slope(metric_rows(metrics, what)), main=best)
        for title, note, what, metrics in tables
        if len(metrics) > 1
    ]


def _without_slope(rows: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name != "slope"} for row in rows]


def _training_sections(evaluation: Mapping[str, Any], shown: Shown) -> list[Section]:
    metrics = {name: of["all"] for name, of in evaluation["left_out"].items()}
    rows = _without_slope(metric_rows(metrics, "network"))
    notes = []
    if len(rows) == 1:
        row = rows[0]
        notes.append(f"{row['network']}: RMS {row['RMS']} deg ({row['95 % CI']}) on {row['n']} left-out images.")
    elif rows:
        notes.append("Below: each network, and those of each subsample together, on the images that it leaves out.")
    drawn = _present(shown.figures, "learning_curves", "inclinations")
    sections = [Section("Training", notes, drawn, rows if len(rows) > 1 else ())] if drawn or rows else []
    if shown.augmented:
        note = "Part of a stored batch, as the networks see it: inclination and band."
        sections.append(Section("Augmented images", [note], cards=shown.augmented, small=True))
    return sections


def _skipped_sections(skipped: pd.DataFrame | None) -> list[Section]:
    """Return the table of skipped galaxies, each once with every reason, and where it applies."""
    if skipped is None or skipped.empty:
        return []
    reasons = skipped.groupby(["pgc", "reason"], sort=False)["where"].agg(_join).reset_index()
    rows = [
        {"galaxy": str(pgc), "skipped in": where, "reason": reason}
        for pgc, reason, where in reasons.head(_SKIPPED).itertuples(index=False)
    ]
    notes = [f"The first {_SKIPPED} of {len(reasons):,} reasons."] if len(reasons) > _SKIPPED else []
    return [Section("Skipped galaxies", notes, table=rows, texts=("skipped in", "reason"))]


def _join(places: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(places))
