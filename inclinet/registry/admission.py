"""Admission: which versions may come into use without a person's decision."""

from inclinet.registry.champion import Champion, promote, read_champion
from inclinet.registry.versions import PublishedVersion, VersionInfo, VersionResult
from inclinet.storage.store import Store
from inclinet.training.start import MAY_HAVE_SEEN

__all__ = ["MIN_STEPS", "promote_first", "what_is_in_use", "why_not_in_use"]

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
        f"its RMS of {result.version_rms:.2f} deg is not lower than the {result.rms:.2f} deg of a simple baseline "
        f"({name}) on the same images"
        for name, result in test.baselines.items()
        if not result.version_rms < result.rms
    ]


def promote_first(store: Store, version: PublishedVersion) -> tuple[Champion | None, str | None]:
    """Put a version into use if none is, unless something speaks against it.

    Returns
    -------
    champion : Champion or None
        Which version is in use now.
    why_not : str or None
        Why this version was not put into use although none is; else None.
    """
    champion = read_champion(store)
    if champion is not None:
        return champion, None
    if why_not := why_not_in_use(version.info):
        return None, why_not
    return promote(store, version.version, "there was no version in use"), None


def what_is_in_use(version: str, champion: Champion | None, why_not: str | None) -> str:
    """Return a clause for people about the outcome of `promote_first` with a version."""
    if champion is not None:
        return f"in use is {champion.version}"
    return f"it is not in use: {why_not}. `inclinet promote {version}` puts it into use all the same"
