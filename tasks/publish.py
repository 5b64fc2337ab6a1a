"""Tasks that publish trained networks, and decide which version is in use."""

import logging
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed

from inclinet.data.bands import band_letter
from inclinet.data.columns import parse_network_name
from inclinet.errors import InclinetError
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.filenames import CALIBRATION_FILE, PREDICTIONS_FILE
from inclinet.evaluation.predictions import read_predictions
from inclinet.networks.filenames import exported_file, network_file
from inclinet.records import read_record
from inclinet.registry.admission import promote_first, what_is_in_use, why_not_in_use, would_lose_real
from inclinet.registry.card import assemble, code_facts, count_training
from inclinet.registry.champion import promote, read_champion
from inclinet.registry.compare import Comparison, compare, decide, markdown_comparison
from inclinet.registry.copies import fetch_version
from inclinet.registry.decisions import Decision, read_decision, record_decision
from inclinet.registry.galaxies import GALAXIES_FILE, read_galaxies, write_galaxies
from inclinet.registry.headline import result_line
from inclinet.registry.statement import state, why_not
from inclinet.registry.versions import (
    CARD_FILE,
    PublishedVersion,
    VersionInfo,
    find_version,
    list_versions,
    publish,
)
from inclinet.settings import Retrain, Split
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.code_digest import code_digest
from inclinet.storage.digests import json_digest
from inclinet.training.filenames import metrics_file, start_file
from inclinet.training.start import read_starts
from tasks.common import artifacts, fetch_samples, stage_task
from tasks.filenames import FILES_FILE

__all__ = [
    "compare_versions_task",
    "find_decision_task",
    "fingerprint",
    "keep_champion_task",
    "promote_first_task",
    "publish_task",
]

_STAGES = ("tasks.prep", "tasks.compress", "tasks.split", "tasks.augment", "tasks.train", "tasks.evaluate")
"""Tasks whose code, with all that it imports, decides what networks and calibration of a run become."""


def fingerprint(catalogue: Reference, listings: Mapping[str, Reference], settings: Mapping[str, Any]) -> str:
    """Return a digest of all that the networks of a run depend on: catalogue, images, settings and code."""
    return json_digest(
        {
            "catalogue": catalogue.digest,
            "images": {band: listing.files[FILES_FILE] for band, listing in sorted(listings.items())},
            "settings": settings,
            "code": code_digest(*_STAGES),
        }
    )


@stage_task("publish", "publish")
def publish_task(
    run: str,
    networks: dict[str, Reference],
    evaluation: Reference,
    samples: dict[str, Reference],
    fingerprint: str,
    settings: dict[str, Any],
) -> State:
    """Publish the networks of a run, given by name, with their evaluation; the data are the version.

    `samples` are the split artifacts by stored band; `settings` are those of every stage, and the `size` of the images.
    """
    store, size = artifacts().store, settings["size"]
    with temporary_folder("publish") as folder, temporary_folder("version") as version_folder:
        paths = []
        for name, reference in networks.items():
            model, k = parse_network_name(name)
            files = [network_file(k, model), exported_file(k, model)]
            beside = [name for name in (metrics_file(k, model), start_file(k, model)) if name in reference.files]
            paths += artifacts().fetch(reference, folder, [*files, *beside])[:2]
        artifacts().fetch(evaluation, folder)
        info = VersionInfo(
            size=size,
            framing=settings["framing"],
            bands=tuple(band_letter(band) for band in samples),
            settings=settings,
            lineage={name: _lineage(reference) for name, reference in networks.items()},
            code=code_facts(),
            fingerprint=fingerprint,
            run=run,
        )
        train = fetch_samples(samples, size, ("train", 0), folder)
        info = assemble(version_folder, paths, folder, info, count_training(train))
        write_galaxies(version_folder / GALAXIES_FILE, train, read_starts(paths).values())
        published = publish(store, version_folder, info)
        card = (version_folder / CARD_FILE).read_text()
    create_markdown_artifact(card, key="model-card", description=f"Model card of version {published.version}.")
    line = f"version {published.version}: {state(published.info)}"
    get_run_logger().log(logging.WARNING if why_not(published.info) else logging.INFO, "published %s", line)
    return Completed(message=f"{line}; {len(networks)} networks", data=published.version)


def _lineage(network: Reference) -> dict[str, Any]:
    return {"artifact": network.key, "digest": network.digest, "inputs": artifacts().manifest(network).inputs}


@stage_task("decide", "decide-on-first-version")
def promote_first_task(version: str, rules: Retrain | None = None) -> State:
    """Put a version into use if it is the first, or the first trained on real galaxies; if nothing speaks against it.

    The data are the version in use, None if there is none; then the log and the run's page say why. The message begins
    with the result. `rules` are kept with the decision.
    """
    store = artifacts().store
    before = read_champion(store)
    published = find_version(store, version)
    champion, against = promote_first(store, published)
    if champion is None:
        _report(version, None, False, str(against), rules=rules)
    elif champion != before:
        _report(version, before.version if before else None, True, champion.why, rules=rules)
    message = f"{result_line(version, published.info)}; {what_is_in_use(version, champion, against)}"
    return Completed(message=message, data=champion.version if champion else None)


@stage_task("find", "find-decision")
def find_decision_task(fingerprint: str, rules: Retrain) -> State:
    """Look for a version with the same catalogue, images, settings and code that was decided on by the same rules.

    The data say what was decided, None if there is no such version.
    """
    store = artifacts().store
    champion = read_champion(store)
    for published in reversed(list_versions(store)):
        if published.info.fingerprint != fingerprint:
            continue
        version = published.version
        same = f"Nothing to do: galaxies, catalogue, settings and code are those of version {version}"
        if champion and champion.version == version:
            return Completed(message=version, data=f"{same}, which is in use")
        decision = read_decision(store, version)
        if decision and (decision.promoted or decision.rules == rules):
            outcome = "promoted" if decision.promoted else "not promoted"
            found = f"{same}, which was {outcome} on {decision.when:%Y-%m-%d}: {decision.why}"
            return Completed(message=version, data=found)
    return Completed(message="something changed", data=None)


@stage_task("compare", "compare-{challenger}")
def compare_versions_task(
    challenger: str, current: str, predictions: Reference | None, split: Split, rules: Retrain
) -> State:
    """Compare a version with the one in use on the same test galaxies, and promote it if it is better.

    `predictions` are those of the version in use for the challenger's test set, None if either version was
    cross-validated; `split` is how the challenger's galaxies were divided. The data say what was decided and why.
    """
    store = artifacts().store
    versions = find_version(store, current), find_version(store, challenger)
    comparison = None
    try:
        comparison = _compare(versions, predictions)
        better, why = decide(comparison, rules)
    except InclinetError as error:
        better, why = False, str(error)
    infos = [version.info for version in versions]
    if against := why_not_in_use(infos[1]) or would_lose_real(*infos):
        better, why = False, f"{why}; {against}" if not better else against
    if (now := read_champion(store)) is None or now.version not in (current, challenger):
        why = f"another version was put into use while {challenger} was compared with {current}"
        return Completed(message=why, data=f"Nothing was decided: {why}")
    if better:
        promote(store, challenger, why)
    return Completed(message=why, data=_report(challenger, current, better, why, comparison, rules))


def _compare(versions: tuple[PublishedVersion, PublishedVersion], predictions: Reference | None) -> Comparison:
    """Compare champion and challenger; `predictions` are the champion's for the challenger's test set.

    Without them, each is judged by the predictions that it was evaluated on, which its networks were not trained on: a
    cross-validated champion was trained on all galaxies, and leaves none to predict anew.

    Raises
    ------
    InclinetError
        When they cannot be compared.
    """
    champion, challenger = versions
    bands = set(champion.info.bands) & set(challenger.info.bands)
    folders = [
        fetch_version(artifacts().store, version, names=[CALIBRATION_FILE, PREDICTIONS_FILE, GALAXIES_FILE])
        for version in versions
    ]
    first, second = (read_record(Calibration, folder / CALIBRATION_FILE) for folder in folders)
    ours = _of_bands(read_predictions(folders[1] / PREDICTIONS_FILE), bands)
    if predictions is None:
        theirs = _of_bands(read_predictions(folders[0] / PREDICTIONS_FILE), bands)
        return compare(theirs, ours, None, (first, second))
    with temporary_folder("compare") as folder:
        [path] = artifacts().fetch(predictions, folder, [PREDICTIONS_FILE])
        theirs = _of_bands(read_predictions(path), bands)
    split = champion.info.settings.get("split")
    if split is None:
        raise InclinetError(
            f"it is not known which galaxies version {champion.version} was trained on; compare the versions yourself, "
            f"and run `inclinet promote {challenger.version}` if it is better"
        )
    seen = read_galaxies(folders[0] / GALAXIES_FILE) or set()  # also those of the versions it was started from
    return compare(theirs[~theirs["pgc"].isin(seen)], ours, Split(**split), (first, second))


def _of_bands(predictions: pd.DataFrame, bands: Collection[str]) -> pd.DataFrame:
    return predictions[predictions["filter"].isin(bands)]


@stage_task("keep", "keep-{current}")
def keep_champion_task(challenger: str, current: str, why: str) -> State:
    """Keep the version in use when there is nothing to compare the challenger by; the data say so."""
    return Completed(message=why, data=_report(challenger, current, False, why))


def _report(
    challenger: str,
    current: str | None,
    promoted: bool,
    why: str,
    comparison: Comparison | None = None,
    rules: Retrain | None = None,
) -> str:
    """Report a decision on record, on the run's page, in its log and as an event; return it as a sentence.

    `current` was in use before, None if no version was.
    """
    decision = Decision(
        challenger=challenger,
        champion=current,
        promoted=promoted,
        why=why,
        when=datetime.now(UTC).replace(microsecond=0),
        comparison=comparison,
        rules=rules,
    )
    record_decision(artifacts().store, decision)
    if promoted:
        done = f"Version {challenger} is in use now"
    else:
        done = f"Version {current} stays in use" if current else f"Version {challenger} is not in use"
    known = f"version {challenger}: {state(find_version(artifacts().store, challenger).info)}"
    lines = [f"## {done}", f"{why[:1].upper()}{why[1:]}.", f"V{known[1:]}."]
    if not promoted:
        lines.append(f"`inclinet promote {challenger}` puts version {challenger} into use all the same.")
    if comparison:
        lines.append(markdown_comparison(comparison, {"champion": str(current), "challenger": challenger}))
    create_markdown_artifact("\n\n".join(lines), key="comparison", description=f"{done}.")
    get_run_logger().log(logging.INFO if promoted or current else logging.WARNING, "%s: %s; %s", done, why, known)
    if in_use := challenger if promoted else current:
        emit_event(
            f"inclinet.model.{'promoted' if promoted else 'kept'}",
            {"prefect.resource.id": f"inclinet.model.{in_use}", "prefect.resource.name": f"version {in_use}"},
            payload={"challenger": challenger, "champion": current, "why": why},
        )
    return f"{done}: {why}"
