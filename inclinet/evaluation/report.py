"""The report: what its page says."""

from collections.abc import Iterable, Mapping
from typing import Any

from inclinet.data.bands import band_title
from inclinet.data.origin import Galaxies
from inclinet.evaluation.page import Figure, Table, render_page
from inclinet.evaluation.results import measured_on, metric_rows, summaries
from inclinet.evaluation.verdict import why_not_for_science

__all__ = ["render_report"]

_TITLE = "Inclinations of galaxies: evaluation"
_MAIN_FIGURES = 3  # shown right after the result, before the other tables


def render_report(
    evaluation: Mapping[str, Any],
    best: str,
    figures: Iterable[Figure],
    trained: Galaxies | None = None,
    tested: Galaxies | None = None,
) -> str:
    """Return the HTML page of an evaluation.

    Parameters
    ----------
    evaluation : mapping
        As `inclinet.evaluation.results.evaluate` returns.
    best : str
        Name of the ensemble that the page is about.
    figures : iterable of Figure
        In the order of the page.
    trained, tested : Galaxies, optional
        What the networks were trained on and tested on, if it is known.
    """
    figures = list(figures)
    results = [
        Table(f"Result {what}", metric_rows(metrics, "prediction"), main=best)
        for what, metrics in summaries(evaluation).items()
    ]
    tables = [*_group_tables(evaluation, best), *_left_out_tables(evaluation), *_error_bar_tables(evaluation)]
    parts: list[Table | Figure] = [*results, *figures[:_MAIN_FIGURES], *tables, *figures[_MAIN_FIGURES:]]
    return render_page(_TITLE, [*_lead(evaluation, best), *_training_lines(evaluation, trained, tested)], parts)


def _training_lines(evaluation: Mapping[str, Any], trained: Galaxies | None, tested: Galaxies | None) -> list[str]:
    """Return the paragraph that says what the networks were trained and tested on, and whether they are for science."""
    known = {"Trained": trained, "Tested": tested}
    line = " ".join(f"{what} on {galaxies}." for what, galaxies in known.items() if galaxies)
    baselines = {name: (of["rms"], of["ensemble_rms"]) for name, of in evaluation["by_galaxy"]["baselines"].items()}
    if reason := why_not_for_science(trained, baselines):
        line += f" Not for science: {reason}."
    return [line.strip()] if line else []


def _lead(evaluation: Mapping[str, Any], best: str) -> list[str]:
    """Return the paragraphs that the page begins with."""
    overall = evaluation["by_galaxy"]["ensembles"][best]
    low, high = overall["ci"]["rms"]
    beware = [f"Beware: {evaluation['beware']}."] if evaluation.get("beware") else []
    return [
        *beware,
        f"{measured_on(evaluation).capitalize()}: no galaxy was predicted by a network that was trained on it. The "
        f"{best}, in the median of the images of each galaxy, differs from the human inclination by "
        f"{overall['rms']:.2f} deg RMS (95 % confidence interval {low:.2f} to {high:.2f}), and by "
        f"{overall['mae']:.2f} deg on average (MAE).",
        f"The human inclinations have a standard deviation of {evaluation['std']:.1f} deg: the RMS error of always "
        "predicting their mean. All angles are in degrees; n is the number of galaxies or images; 68 % and 95 % are "
        "percentiles of the absolute error; > 10 is the share of errors above 10 deg; slope is that of prediction − "
        "truth against truth.",
    ]


def _group_tables(evaluation: Mapping[str, Any], best: str) -> list[Table]:
    """Return the metrics of an ensemble by inclination, and of its images by band and, where known, polarity."""
    bands = {band_title(letter): metrics for letter, metrics in evaluation["by_band"][best].items()}
    by_bin = evaluation["by_galaxy"]["by_bin"][best]
    tables = [
        Table("By inclination", metric_rows(by_bin, "inclination (deg)"), f"Of the {best}, by galaxy."),
        Table("By band", metric_rows(bands, "band"), f"Of the {best}, by image."),
    ]
    if "by_inverted" in evaluation:
        note = f"Of the {best}, by image. An inverted image is dark on a bright sky."
        tables.append(Table("By polarity", metric_rows(evaluation["by_inverted"][best], "polarity"), note))
    return tables


def _left_out_tables(evaluation: Mapping[str, Any]) -> list[Table]:
    metrics = {name: of["all"] for name, of in evaluation["left_out"].items()}
    if not metrics:
        return []
    note = "Each network, and the networks of each subsample together, on the training galaxies that it leaves out."
    return [Table("On left-out galaxies", metric_rows(metrics, "network"), note)]


def _error_bar_tables(evaluation: Mapping[str, Any]) -> list[Table]:
    if "intervals" not in evaluation:
        return []
    tables = []
    for what, found in (("galaxies", evaluation["by_galaxy"]), ("images", evaluation)):
        note = f"Calibrated on left-out galaxies: the share of the {what} whose human inclination lies within them."
        tables.append(Table(f"Error bars of {what}", _coverage_rows(found["intervals"]), note))
    return tables


def _coverage_rows(intervals: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[dict[str, str]]:
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
