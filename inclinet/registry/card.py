"""Puts a version together for publishing: its networks, their evaluation, and a model card."""

import json
import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inclinet.data.bands import band_letter, band_title
from inclinet.data.columns import parse_network_name
from inclinet.data.origin import count_galaxies
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
from inclinet.evaluation.predictions import read_predictions
from inclinet.evaluation.results import markdown_table, measured_on
from inclinet.evaluation.verdict import baselines_of
from inclinet.networks.filenames import EXPORTED
from inclinet.networks.listing import name_of_network
from inclinet.records import read_record
from inclinet.registry.statement import state
from inclinet.registry.versions import CARD_FILE, BaselineResult, StartedFrom, VersionInfo, VersionResult
from inclinet.storage.code_digest import code_digest
from inclinet.training.filenames import metrics_file
from inclinet.training.start import MAY_HAVE_SEEN, StartRecord, read_starts

__all__ = ["assemble", "code_facts", "count_training"]

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
    """Return the `version` of the code that makes networks, and the `digest` of its source."""
    return {"version": version("inclinet"), "digest": code_digest(*_CODE)}


def count_training(train: Mapping[str, Samples]) -> dict[str, Any]:
    """Return a training set's `pgcs`, and the numbers of its `galaxies`, `simulated` ones, and `images` by band."""
    pgcs = sorted({pgc for sample in train.values() for pgc in sample.pgcs.tolist()})
    galaxies = count_galaxies(pgcs)
    return {
        "pgcs": pgcs,
        "galaxies": galaxies.real + galaxies.simulated,
        "simulated": galaxies.simulated,
        "images": {band_letter(band): len(sample.pgcs) for band, sample in train.items()},
    }


def assemble(
    folder: Path, networks: Iterable[Path], evaluation: Path, info: VersionInfo, training: Mapping[str, Any]
) -> VersionInfo:
    """Copy the networks and what their evaluation wrote into `folder`, and write a model card there.

    Parameters
    ----------
    folder : Path
    networks : iterable of Path
        The networks, each as trained and exported; the metrics of their training and the records of what they were
        started from are read from the same folder, if they are there.
    evaluation : Path
        Folder that `inclinet.evaluation.evaluate.report` wrote.
    info : VersionInfo
    training : mapping
        As `count_training` returns.

    Returns
    -------
    VersionInfo
        `info` with the steps of each network and what it was started from, the result on the test set, and which
        galaxies they were trained on.

    Raises
    ------
    InclinetError
        When the evaluation is missing or is one of other networks, or a network is not exported.
    """
    networks = list(networks)
    _check_exported(networks)
    _check_evaluation(networks, evaluation)
    for path in (*networks, *(evaluation / name for name in _EVALUATION)):
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    metrics = json.loads((folder / METRICS_FILE).read_text()) if (folder / METRICS_FILE).is_file() else None
    starts = read_starts(networks)
    before = [pgc for start in starts.values() for pgc in start.galaxies or ()]
    trained_on = count_galaxies([*training["pgcs"], *before])
    added = {
        "steps": _count_steps(networks),
        "test": _test_result(metrics, folder / PREDICTIONS_FILE) if metrics else None,
        "simulated": trained_on.all_simulated,
        "trained_on": trained_on,
        "started_from": {name: _started_from(record) for name, record in starts.items()},
    }
    info = info.model_copy(update=added)
    calibration = read_record(Calibration, folder / CALIBRATION_FILE)
    (folder / CARD_FILE).write_text(_model_card(info, sorted(_names(networks)), training, metrics, calibration))
    return info


def _names(networks: Iterable[Path]) -> set[str]:
    return {name_of_network(path.name) for path in networks}


def _check_exported(networks: Iterable[Path]) -> None:
    exported = {path.stem for path in networks if path.suffix == EXPORTED}
    for path in networks:
        if path.stem not in exported:
            raise InclinetError(f"{path}: not exported, so that predicting with it would need Keras")


def _check_evaluation(networks: Iterable[Path], evaluation: Path) -> None:
    if not (evaluation / METRICS_TABLE_FILE).is_file():
        raise InclinetError(f"{evaluation}: no evaluation there; run `inclinet evaluate` first", setting="evaluation")
    if not (evaluation / METRICS_FILE).is_file():
        return  # there is no test galaxy
    metrics = json.loads((evaluation / METRICS_FILE).read_text())
    if "by_galaxy" not in metrics:
        raise InclinetError(
            f"{evaluation}: evaluated by an earlier version of Inclinet; run `inclinet evaluate` again",
            setting="evaluation",
        )
    evaluated = set(metrics["networks"])
    names = _names(networks)
    if evaluated != names:
        raise InclinetError(
            f"{evaluation}: evaluates {', '.join(sorted(evaluated))}, not {', '.join(sorted(names))}; run "
            "`inclinet evaluate` again",
            setting="evaluation",
        )


def _count_steps(networks: Iterable[Path]) -> dict[str, int]:
    """Return the steps of each network's training by its name; those without metrics are left out."""
    steps = {}
    for path in networks:
        if path.suffix == EXPORTED:
            continue
        name = name_of_network(path.name)
        model, subsample = parse_network_name(name)
        record = path.with_name(metrics_file(subsample, model))
        if record.is_file():
            steps[name] = len(json.loads(record.read_text()))
    return steps


def _test_result(metrics: Mapping[str, Any], predictions: Path) -> VersionResult:
    """Return the result by galaxy of what predicting gives, the first ensemble, from the files of an evaluation."""
    by_galaxy = metrics["by_galaxy"]
    prediction, result = next(iter(by_galaxy["ensembles"].items()))
    baselines = {
        name: BaselineResult(rms=round(rms, 3), version_rms=round(of_version, 3))
        for name, (rms, of_version) in baselines_of(metrics).items()
    }
    values = {name: round(result[name], 3) for name in ("rms", "mae", "bias")}
    counts = {name: metrics[name] for name in ("images", "galaxies")}
    low, high = result["ci"]["rms"]
    return VersionResult(
        prediction=prediction,
        by="galaxy",
        baselines=baselines,
        folds=metrics.get("folds", 0),
        interval=(round(low, 3), round(high, 3)),
        **values,
        **counts,
        origin=count_galaxies(read_predictions(predictions)["pgc"]),
    )


def _started_from(record: StartRecord) -> StartedFrom:
    galaxies = None if record.galaxies is None else len(record.galaxies)
    return StartedFrom(version=record.version, sha256=record.sha256, galaxies=galaxies)


def _start_text(starts: Mapping[str, StartedFrom]) -> str:
    if not starts:
        return ""
    known = {
        f"version {start.version}" if start.version else f"the file of SHA-256 {start.sha256[:12]}…": start.galaxies
        for start in starts.values()
    }
    named = [name if n is None else f"{name} (trained on {n:,} galaxies)" for name, n in known.items()]
    unknown = f" **Beware: {MAY_HAVE_SEEN}.**" if None in known.values() else ""
    return f"\n\nThe training started from {' and '.join(named)}, with a new optimizer.{unknown}"


def _training_text(training: Mapping[str, Any]) -> str:
    galaxies, simulated = training["galaxies"], training["simulated"]
    images = ", ".join(f"{n:,} in {band_title(letter)}" for letter, n in training["images"].items())
    text = f"{galaxies:,} galaxies labelled 45 deg or more ({images})."
    if simulated == galaxies:
        return (
            f"{text} **All of them are simulated**: good for trying the service, not for science. Real galaxies have "
            "bars, warps, companions and dust that these lack; expect errors well above those stated here."
        )
    return text + (f" {simulated:,} of them are simulated." if simulated else "")


def _error_bars_text(calibration: Calibration | None, metrics: Mapping[str, Any] | None) -> str:
    if calibration is None:
        return "There were too few left-out galaxies to calibrate error bars: predictions have none."
    text = (
        f"Calibrated on {calibration.images:,} images of {calibration.galaxies:,} training galaxies that networks left "
        "out."
    )
    if calibration.of_galaxies:
        text += f" Galaxies in 2 to {max(calibration.of_galaxies)} bands have a calibration of their own."
    if metrics and "intervals" in metrics:
        within = _within(metrics["by_galaxy"]["intervals"])
        text += f" On galaxies that they were not calibrated on, {within} of the human inclinations"
        text += "." if metrics["images"] == metrics["galaxies"] else f"; by image, {_within(metrics['intervals'])}."
    return text


def _within(intervals: Mapping[str, Any]) -> str:
    """Return a clause that says what share of the inclinations lies within the intervals of each level."""
    shares = {level: 100 * groups["all"]["coverage"] for level, groups in intervals.items()}
    return " and ".join(f"the {level} % intervals hold {share:.1f} %" for level, share in shares.items())


def _result_text(metrics: Mapping[str, Any] | None) -> str:
    if metrics is None:
        return "No galaxy fell into the test set.\n"
    on = f"{measured_on(metrics)}".capitalize()
    seen = "each predicted by a network that was not trained on it" if metrics.get("folds") else "not trained on"
    return (
        f"{on}, {seen}; their inclinations have a standard deviation of {metrics['std']:.1f} deg. Angles in degrees."
        "\n\n"
        f"{markdown_table(metrics)}"
    )


def _networks_text(networks: list[str], size: int) -> str:
    if len(networks) == 1:
        who, answer, whose = f"1 network ({networks[0]}) that tells", "its answer", "its"
    else:
        who, answer, whose = f"{len(networks)} networks ({', '.join(networks)}) that tell", "their median", "their"
    return (
        f"{who} the inclination of a spiral galaxy, from 0 deg (face-on) to 90 deg (edge-on), from an image of "
        f"{size}×{size} pixels. The prediction is {answer}, minus {whose} mean error on left-out galaxies if there "
        "were enough of those; of a galaxy with several images, it is the median of the predictions for its images."
    )


def _model_card(
    info: VersionInfo,
    networks: list[str],
    training: Mapping[str, Any],
    metrics: Mapping[str, Any] | None,
    calibration: Calibration | None,
) -> str:
    return f"""# Inclinations of spiral galaxies from their pictures

{_networks_text(networks, info.size)}

**This version was {state(info)}.**

## Trained on
{_training_text(training)}{_start_text(info.started_from)}

## Use
`inclinet predict image.jpg`, or in Python `inclinet.predict("image.jpg")`.

## Tested
{_result_text(metrics)}
## Error bars
{_error_bars_text(calibration, metrics)}

## Limits
- Trained on inclinations from 45 to 90 deg. A galaxy closer to face-on gets about 45 to 50 deg, and a flag.
- The galaxy is to be near the centre and wholly in the image, at the resolution of SDSS. An image unlike those of the
  training is flagged; one that cuts off the galaxy may not be.
- Error bars hold for galaxies drawn like the training sample.

## Settings
```json
{json.dumps(info.settings, indent=1)}
```

## Provenance
Code {info.code.get("version", "unknown")}, digest `{info.code.get("digest", "unknown")}`. `bundle.json` holds the
digests of all files, and what each network was made from.
"""
