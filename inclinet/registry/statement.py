"""What a version is, in one line: what it was trained on, its tested error, and whether it is good for science."""

from inclinet.data.origin import Galaxies
from inclinet.evaluation.verdict import why_not_for_science
from inclinet.registry.versions import PublishedVersion, VersionInfo, VersionResult
from inclinet.training.start import MAY_HAVE_SEEN

__all__ = ["NOT_FOR_SCIENCE", "baselines_of", "describe", "state", "why_not"]

NOT_FOR_SCIENCE = "not for science"
"""What is said of a version that was trained on simulated galaxies alone, is no better than simple baselines, was not
tested, or may have seen the galaxies that it was tested on."""


def state(info: VersionInfo) -> str:
    """Return the line about a version, in ASCII: the headers of FITS files take nothing else."""
    line = f"trained on {_training(info)}; {_test(info.test)}"
    reason = why_not(info)
    return f"{line}; {NOT_FOR_SCIENCE}: {reason}" if reason else line


def describe(version: PublishedVersion, use: str = "") -> dict[str, str]:
    """Return the row of a version in a list of all versions; `use` says what it is used for."""
    info, test = version.info, version.info.test
    interval = test.interval if test else None
    return {
        "version": version.version,
        "in use": use,
        "published": f"{version.published:%Y-%m-%d %H:%M} UTC",
        "networks": ", ".join(version.network_names),
        "size": f"{info.size}",
        "trained on": _training(info),
        "RMS (deg)": f"{test.rms:.2f}" if test else "\N{EN DASH}",
        "95 % CI": "{:.2f}\N{EN DASH}{:.2f}".format(*interval) if interval else "\N{EN DASH}",
        "tested on": _tested_on(test) if test else "\N{EN DASH}",
        "remark": NOT_FOR_SCIENCE if why_not(info) else "",
        "run": info.run,
    }


def why_not(info: VersionInfo) -> str | None:
    """Return why a version is not good for science, None if nothing speaks against it."""
    trained = info.trained_on
    if trained is None and info.simulated:
        trained = Galaxies(real=0, simulated=1)  # how many is not known
    reason = why_not_for_science(trained, baselines_of(info.test) if info.test else None)
    unknown_start = any(start.galaxies is None for start in info.started_from.values())
    return "; ".join(filter(None, [reason, MAY_HAVE_SEEN if unknown_start else None])) or None


def baselines_of(test: VersionResult) -> dict[str, tuple[float, float]]:
    """Return the RMS of each simple baseline, and that of the version on the same images (deg), by name."""
    return {name: (of.rms, of.version_rms) for name, of in test.baselines.items()}


def _training(info: VersionInfo) -> str:
    if info.trained_on is None:
        return "an unknown number of simulated galaxies" if info.simulated else "an unknown number of galaxies"
    return str(info.trained_on)


def _test(test: VersionResult | None) -> str:
    if test is None:
        return "its error is unknown"
    interval = "unknown" if test.interval is None else "{:.2f} to {:.2f}".format(*test.interval)
    tested = f"error in {test.folds}-fold cross-validation" if test.folds else "tested error"
    return f"{tested} {test.rms:.2f} deg RMS (95 % confidence interval {interval}) on {_tested_on(test)}"


def _tested_on(test: VersionResult) -> str:
    galaxies = f"{test.galaxies:,} galaxies" if test.origin is None else str(test.origin)
    return f"{test.images:,} images of {galaxies}" if test.by == "image" and test.images > test.galaxies else galaxies
