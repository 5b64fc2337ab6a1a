"""A published version, put together: its networks, what judges and calibrates them, and its model card."""

import json
import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from inclinet.data.bands import FILTERS
from inclinet.data.catalog import SIMULATED_PGC
from inclinet.data.columns import network_name
from inclinet.data.samples import Samples
from inclinet.errors import InclinetError
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.filenames import (
    CALIBRATION_FILE,
    METRICS_FILE,
    METRICS_TABLE_FILE,
    NOVELTY_FILE,
    PREDICTIONS_FILE,
    REPORT_FILE,
)
from inclinet.evaluation.results import markdown_table
from inclinet.networks.filenames import parse_network
from inclinet.records import read_record
from inclinet.registry.versions import VersionInfo
from inclinet.storage.code_digest import code_digest

__all__ = ["assemble", "code_facts", "count_training"]

CARD = "README.md"
_CODE = (
    "inclinet.data.catalog",
    "inclinet.data.images",
    "inclinet.preparation.prep",
    "inclinet.preparation.compress",
    "inclinet.preparation.split",
    "inclinet.preparation.augment",
    "inclinet.training.run",
    "inclinet.networks.infer",
    "inclinet.evaluation.evaluate",
)
_EVALUATION = (CALIBRATION_FILE, METRICS_FILE, NOVELTY_FILE, PREDICTIONS_FILE, REPORT_FILE)


def code_facts() -> dict[str, str]:
    """Return the version of the code that makes networks, and the digest of its source."""
    return {"version": version("inclinet"), "digest": code_digest(*_CODE)}


def count_training(train: Mapping[str, Samples]) -> dict[str, int | dict[str, int]]:
    """Return what a training set holds: `galaxies`, how many of them are `simulated`, and `images` by band letter."""
    pgcs = {pgc for sample in train.values() for pgc in sample.pgcs.tolist()}
    return {
        "galaxies": len(pgcs),
        "simulated": sum(pgc >= SIMULATED_PGC for pgc in pgcs),
        "images": {FILTERS[band]: len(sample.pgcs) for band, sample in train.items()},
    }


def assemble(
    folder: Path, networks: Iterable[Path], evaluation: Path, facts: VersionInfo, training: Mapping
) -> VersionInfo:
    """Bring into `folder` the networks, what their evaluation wrote, and a model card.

    Parameters
    ----------
    networks : iterable of Path
    evaluation : Path
        Folder that `inclinet.evaluation.evaluate.report` wrote.
    facts : VersionInfo
    training : mapping
        As `count_training` returns.

    Returns
    -------
    VersionInfo
        With figures of merit on the test set, if there is one.

    Raises
    ------
    InclinetError
        When the evaluation is missing, or one of other networks.
    """
    networks = list(networks)
    _check_evaluation(networks, evaluation)
    for path in (*networks, *(evaluation / name for name in _EVALUATION)):
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    metrics = json.loads((folder / METRICS_FILE).read_text()) if (folder / METRICS_FILE).is_file() else None
    if metrics:
        best = next(iter(metrics["ensembles"]))
        figures = {name: round(metrics["ensembles"][best][name], 3) for name in ("rms", "mae", "bias")}
        counted = {name: metrics[name] for name in ("images", "galaxies")}
        facts = facts.model_copy(update={"test": {"prediction": best, **figures, **counted}})
    facts = facts.model_copy(update={"simulated": training["galaxies"] == training["simulated"]})
    calibration = read_record(Calibration, folder / CALIBRATION_FILE)
    (folder / CARD).write_text(_card(facts, sorted(_names(networks)), training, metrics, calibration))
    return facts


def _names(networks: Iterable[Path]) -> set[str]:
    return {network_name(*parse_network(path.name)) for path in networks}


def _check_evaluation(networks: Iterable[Path], evaluation: Path) -> None:
    if not (evaluation / METRICS_TABLE_FILE).is_file():
        raise InclinetError(f"{evaluation}: no evaluation there; run `inclinet evaluate` first")
    if not (evaluation / METRICS_FILE).is_file():
        return  # there is no test galaxy
    theirs = set(json.loads((evaluation / METRICS_FILE).read_text())["networks"])
    mine = _names(networks)
    if theirs != mine:
        raise InclinetError(
            f"{evaluation}: evaluates {', '.join(sorted(theirs))}, not {', '.join(sorted(mine))}; run "
            "`inclinet evaluate` again"
        )


def _trained_on(training: Mapping) -> str:
    galaxies, simulated = training["galaxies"], training["simulated"]
    images = ", ".join(f"{n:,} in {band}" for band, n in training["images"].items())
    text = f"{galaxies:,} galaxies labelled 45 deg or more ({images.replace('in c', 'in colour')})."
    if simulated == galaxies:
        return (
            f"{text} **All of them are simulated**: good for trying the service, not for science. Real galaxies have "
            "bars, warps, companions and dust that these have not; expect errors well above those stated here."
        )
    return text + (f" {simulated:,} of them are simulated." if simulated else "")


def _card(
    facts: VersionInfo, networks: list[str], training: Mapping, metrics: Mapping | None, bars: Calibration | None
) -> str:
    intervals = (
        f"Calibrated on {bars.images:,} images of {bars.galaxies:,} training galaxies that networks had left out."
        if bars
        else "There were too few left-out galaxies to calibrate error bars: predictions have none."
    )
    if metrics and "intervals" in metrics:
        found = {level: 100 * groups["all"]["coverage"] for level, groups in metrics["intervals"].items()}
        shares = " and ".join(f"{share:.1f} % within those of {level} %" for level, share in found.items())
        intervals += f" On the test set {shares}."
    result = (
        f"{metrics['images']:,} images of {metrics['galaxies']:,} galaxies that no network was trained on; their "
        f"inclinations scatter by {metrics['std']:.1f} deg. Angles in degrees.\n\n{markdown_table(metrics)}"
        if metrics
        else "No galaxy fell into the test set."
    )
    return f"""# Inclinations of spiral galaxies from their pictures

{len(networks)} networks ({", ".join(networks)}) that tell the inclination of a spiral galaxy, 0 deg face-on to 90 deg
edge-on, from an image of {facts.size}×{facts.size} pixels. The prediction is the
median of all, with the mean error of left-out galaxies taken off where there were enough of them.

## Trained on
{_trained_on(training)}

## Use
`inclinet predict image.jpg`, or in Python `inclinet.predict("image.jpg")`.

## On the test set
{result}
## Error bars
{intervals}

## Limits
- Trained on inclinations from 45 to 90 deg. A galaxy closer to face-on is answered with some 45 to 50 deg, and
  flagged.
- Trained on cutouts of one field of view in units of the galaxy's diameter (±20 %), the galaxy near the centre, with
  SDSS's resolution. An image unlike those is flagged; one that only shows another field is not always.
- Error bars hold for galaxies drawn like the training sample.

## Settings
```json
{json.dumps(facts.settings, indent=1)}
```

## Made of
Code {facts.code.get("version", "unknown")}, digest `{facts.code.get("digest", "unknown")}`. `bundle.json` holds the
digests of all files, and what each network was made of.
"""
