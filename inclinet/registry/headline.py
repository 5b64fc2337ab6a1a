"""The result of a run in one sentence: how good its version is, and whether it is in use."""

from inclinet.registry.statement import NOT_FOR_SCIENCE, baselines_of, why_not
from inclinet.registry.versions import VersionInfo, VersionResult

__all__ = ["headline", "result_line", "verdict"]


def headline(test: VersionResult | None) -> str:
    """Return the tested error and how it compares with the best simple baseline, in ASCII.

    For example ``RMS 2.76 deg (2.03-3.45) on 51 galaxies, better than the axis ratio (6.21)``; in brackets, its 95 %
    confidence interval.
    """
    if test is None:
        return "not tested: no galaxy fell into the test set"
    interval = f" ({test.interval[0]:.2f}-{test.interval[1]:.2f})" if test.interval else ""
    how = f" in {test.folds}-fold cross-validation" if test.folds else ""
    text = f"RMS {test.rms:.2f} deg{interval} on {test.galaxies:,} galaxies{how}"
    baselines = baselines_of(test)
    if not baselines:
        return text
    name, (rms, own) = min(baselines.items(), key=lambda item: item[1][0] - item[1][1])
    return f"{text}, {'better' if own < rms else 'no better'} than the {_short(name)} ({rms:.2f})"


def _short(baseline: str) -> str:
    """Return a baseline without the column that it was taken from: that of the catalogue is of no interest here."""
    return baseline.partition(" (")[0]


def result_line(version: str, info: VersionInfo) -> str:
    """Return the headline with the name of the version and what it was trained on, in ASCII."""
    trained = f", trained on {info.trained_on}" if info.trained_on else ""
    return f"{headline(info.test)}. Published {version}{trained}{f'; {NOT_FOR_SCIENCE}' if why_not(info) else ''}"


def verdict(version: str, info: VersionInfo, in_use: str | None) -> str:
    """Return the headline, and what follows from it, in Markdown; `in_use` is the version in use, None if none is."""
    reason, text = why_not(info), headline(info.test)
    lines = [f"**{text[:1].upper()}{text[1:]}.**"]
    if in_use == version:
        lines.append(f"Version `{version}` is in use; next: `inclinet predict IMAGES`, or a run of `predict/batch`.")
    else:
        others = f"in use is `{in_use}`" if in_use else "no version is in use"
        lines.append(
            f"Version `{version}` is not in use ({others}); next: `inclinet promote {version}` puts it into use."
        )
    if reason:
        lines.append(f"**Not for science:** {reason}.")
    return " ".join(lines)
