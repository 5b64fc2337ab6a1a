"""Admission: which versions may come into use without a person's decision."""

import logging

from inclinet.errors import InclinetError
from inclinet.evaluation.verdict import unbeaten
from inclinet.registry.champion import Champion, promote, read_champion
from inclinet.registry.statement import baselines_of
from inclinet.registry.versions import PublishedVersion, VersionInfo, VersionResult, find_version
from inclinet.storage.store import Store
from inclinet.training.start import MAY_HAVE_SEEN

__all__ = ["MIN_STEPS", "promote_first", "promote_last", "what_is_in_use", "why_not_in_use", "would_lose_real"]

logger = logging.getLogger(__name__)

MIN_STEPS = 10
"""Fewest steps that each network must be trained for: the default settings of a trial take 3, and networks trained for
so short a time have learned little more than the mean inclination."""


def why_not_in_use(info: VersionInfo) -> str | None:
    """Return why a version must not come into use by itself, None if nothing speaks against it.

    It needs a result on test galaxies that is better than that of every simple baseline on the same images, and
    networks that were each trained for at least `MIN_STEPS` steps. These must not have started from a network that may
    have seen the test galaxies.
    """
    reasons = [*_shortcomings_of_training(info), *_shortcomings_of_start(info), *_shortcomings_of_result(info.test)]
    return "; ".join(reasons) or None


def _shortcomings_of_training(info: VersionInfo) -> list[str]:
    if not info.steps:
        return ["it is not known for how many steps its networks were trained"]
    steps = min(info.steps.values())
    return [f"a network was trained for {steps} steps, fewer than {MIN_STEPS}"] if steps < MIN_STEPS else []


def _shortcomings_of_start(info: VersionInfo) -> list[str]:
    return [MAY_HAVE_SEEN] if any(start.galaxies is None for start in info.started_from.values()) else []


def _shortcomings_of_result(test: VersionResult | None) -> list[str]:
    if test is None:
        return ["it has no test result, because no galaxy fell into the test set"]
    if not test.baselines:
        return ["its evaluation does not compare it with simple baselines"]
    return [
        f"its RMS of {rms:.2f} deg is not lower than the {of_baseline:.2f} deg of a simple baseline ({name}) on the "
        "same images"
        for name, (of_baseline, rms) in baselines_of(test).items()
        if name in unbeaten(baselines_of(test))
    ]


def would_lose_real(current: VersionInfo, info: VersionInfo) -> str | None:
    """Return why a version must not replace the one in use by itself: it knows no real galaxy, and the other does."""
    if info.simulated and not current.simulated:
        return "it was trained on simulated galaxies alone, and the version in use on real ones"
    return None


def promote_first(store: Store, version: PublishedVersion) -> tuple[Champion | None, str | None]:
    """Put a version into use if it is the first, or the first trained on real galaxies; if nothing speaks against it.

    Returns
    -------
    champion : Champion or None
        Which version is in use now.
    why_not : str or None
        Why this version, which would be the first, was not put into use; else None.
    """
    champion = read_champion(store)
    current = _info_in_use(store, champion)
    if champion and (current is None or not current.simulated or version.info.simulated):
        return champion, None
    if why_not := why_not_in_use(version.info):
        return champion, why_not
    why = "there was no version in use"
    if champion:
        why = (
            f"it is the first version trained on real galaxies: {champion.version} was trained on simulated ones alone"
        )
    return promote(store, version.version, why), None


def promote_last(store: Store, version: PublishedVersion) -> tuple[Champion | None, str | None]:
    """Put the version of the last run into use, unless something speaks against it; returns as `promote_first` does."""
    try:
        champion = read_champion(store)
    except InclinetError as error:
        logger.warning("%s", error)
        champion = None
    current = _info_in_use(store, champion)
    if why_not := why_not_in_use(version.info) or (current and would_lose_real(current, version.info)):
        return champion, why_not
    return promote(store, version.version, "the last run"), None


def _info_in_use(store: Store, champion: Champion | None) -> VersionInfo | None:
    """Return what is known about the version in use, None if there is none that can be read."""
    try:
        return find_version(store, champion.version).info if champion else None
    except InclinetError as error:
        logger.warning("%s", error)
        return None


def what_is_in_use(version: str, champion: Champion | None, why_not: str | None) -> str:
    """Return a clause for people about the outcome of `promote_first` or `promote_last` with a version."""
    if champion and champion.version == version:
        return f"in use is {version}"
    if champion is None:
        return f"it is not in use: {why_not}. `inclinet promote {version}` puts it into use all the same"
    reason = f": of the new one, {why_not}" if why_not else ""
    return f"in use is still {champion.version}{reason}; `inclinet promote {version}` puts the new one into use"
