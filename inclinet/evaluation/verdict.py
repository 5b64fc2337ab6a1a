"""Whether networks are good for science, by what they were trained on and by how they compare with simple baselines."""

from collections.abc import Mapping
from typing import Any

from inclinet.data.origin import Galaxies
from inclinet.evaluation.bootstrap import chance_range

__all__ = ["baselines_of", "find_verdict", "unbeaten", "why_not_for_science"]

_FEWEST = 10  # galaxies that a baseline is compared on


def find_verdict(evaluation: Mapping[str, Any], tested: Galaxies) -> str:
    """Return in a few sentences how good the answers for galaxies are.

    Parameters
    ----------
    evaluation : mapping
        As `inclinet.evaluation.results.evaluate` returns, with `folds` if it is a cross-validation.
    tested : Galaxies
        The galaxies that it is about.
    """
    by_galaxy = evaluation["by_galaxy"]
    result = next(iter(by_galaxy["ensembles"].values()))
    low, high = result["ci"]["rms"]
    folds = evaluation.get("folds")
    how = f", in a cross-validation with {folds} folds" if folds else ""
    sentences = [
        f"RMS {result['rms']:.2f} deg (95 % confidence interval {low:.2f} to {high:.2f}) on {tested}{how}.",
        *_against_baselines(baselines_of(evaluation)),
    ]
    if "intervals" in by_galaxy:
        within = [_within(level, groups["all"]) for level, groups in by_galaxy["intervals"].items()]
        sentences.append(f"Of the galaxies, {' and '.join(within)}.")
    return " ".join(sentences)


def baselines_of(evaluation: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """Return the RMS of each simple baseline, and that of the networks on the same galaxies (deg), by name.

    A baseline that is known of fewer than 10 galaxies says nothing, unless there are no more.
    """
    fewest = min(_FEWEST, evaluation["galaxies"])
    baselines = evaluation["by_galaxy"]["baselines"].items()
    return {name: (of["rms"], of["ensemble_rms"]) for name, of in baselines if of["n"] >= fewest}


def _against_baselines(baselines: Mapping[str, tuple[float, float]]) -> list[str]:
    lost = unbeaten(baselines)
    groups = {"Better": [name for name in baselines if name not in lost], "No better": lost}
    return [
        f"{how} than simple methods: {', '.join(f'{name} {baselines[name][0]:.2f} deg' for name in names)}."
        for how, names in groups.items()
        if names
    ]


def _within(level: str, found: Mapping[str, float]) -> str:
    """Return a clause on the share of the galaxies that lie within the intervals of a level."""
    low, high = chance_range(int(found["n"]), float(level) / 100)
    share = found["coverage"]
    remark = " (fewer than by chance)" if share < low else " (more than by chance)" if share > high else ""
    return f"{100 * share:.1f} % lie within their {level} % interval{remark}"


def unbeaten(baselines: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names of the simple baselines that networks do not beat.

    `baselines` gives, by name, the RMS of the baseline and that of the networks on the same images (deg).
    """
    return [name for name, (of_baseline, rms) in baselines.items() if not rms < of_baseline]


def why_not_for_science(trained: Galaxies | None, baselines: Mapping[str, tuple[float, float]] | None) -> str | None:
    """Return why networks are not good for science, None if nothing speaks against them.

    Parameters
    ----------
    trained : Galaxies or None
        What they were trained on, None if unknown.
    baselines : mapping or None
        As for `unbeaten`; None if the networks were not tested.
    """
    reasons = ["it was trained on simulated galaxies alone"] if trained and trained.all_simulated else []
    if baselines is None:
        reasons.append("it was not tested")
    elif names := unbeaten(baselines):
        named = ", ".join(f"{name}: {baselines[name][0]:.2f} deg" for name in names)
        reasons.append(f"it is no better than simple methods on the same images ({named})")
    return "; ".join(reasons) or None
