"""Whether networks are good for science, by what they were trained on and by how they compare with simple baselines."""

from collections.abc import Mapping

from inclinet.data.origin import Galaxies

__all__ = ["unbeaten", "why_not_for_science"]


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
