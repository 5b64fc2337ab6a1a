"""Tasks that publish trained networks, judge them against those in use, and put the better ones in use."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed
from pydantic import ValidationError

from inclinet.data.bands import FILTERS
from inclinet.data.columns import parse_network_name
from inclinet.errors import InclinetError
from inclinet.evaluation.calibration import Calibration
from inclinet.evaluation.filenames import CALIBRATION_FILE, PREDICTIONS_FILE
from inclinet.evaluation.predictions import read_predictions
from inclinet.networks.filenames import network_file
from inclinet.records import read_record
from inclinet.registry.card import assemble, code_facts, count_training
from inclinet.registry.compare import Comparison, Decision, compare, decide, markdown_comparison
from inclinet.registry.versions import (
    VersionInfo,
    fetch_version,
    find_version,
    list_versions,
    read_champion,
    read_decision,
    record_decision,
)
from inclinet.registry.versions import promote as promote_version
from inclinet.registry.versions import publish as publish_folder
from inclinet.settings import Retrain, Split
from inclinet.storage.artifacts import Reference
from inclinet.storage.atomic import temporary_folder
from tasks.common import artifacts, fetch_samples, stage_task
from tasks.filenames import FILES_FILE

__all__ = [
    "compare_versions_task",
    "find_decision_task",
    "find_size_task",
    "fingerprint",
    "keep_champion_task",
    "promote_first_task",
    "publish_task",
]


def fingerprint(catalogue: Reference, listings: Mapping[str, Reference], settings: Mapping[str, Any]) -> str:
    """Return a digest of all that the networks of a run follow from: catalogue, images, settings and code."""
    parts = {
        "catalogue": catalogue.digest,
        "images": {band: listing.files[FILES_FILE] for band, listing in sorted(listings.items())},
        "settings": settings,
        "code": code_facts()["digest"],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@stage_task("publish", "publish")
def publish_task(
    run: str,
    networks: dict[str, Reference],
    evaluation: Reference,
    samples: dict[str, Reference],
    fingerprint: str,
    settings: dict[str, Any],
) -> State:
    """Publish the networks of a run, by name, with their evaluation; the data are the version.

    `samples` are the split artifacts by stored band; `settings` those of every stage, with the `size` of the images.
    """
    store, size = artifacts().store, settings["size"]
    with temporary_folder("publish") as folder, temporary_folder("bundle") as bundle_folder:
        paths = []
        for name, reference in networks.items():
            model, k = parse_network_name(name)
            paths += artifacts().fetch(reference, folder, [network_file(k, model)])
        artifacts().fetch(evaluation, folder)
        facts = VersionInfo(
            size=size,
            bands=tuple(FILTERS[band] for band in samples),
            settings=settings,
            lineage={name: _lineage(reference) for name, reference in networks.items()},
            code=code_facts(),
            fingerprint=fingerprint,
            run=run,
        )
        training = count_training(fetch_samples(samples, size, ("train", 0), folder))
        bundle = publish_folder(store, bundle_folder, assemble(bundle_folder, paths, folder, facts, training))
        card = (bundle_folder / "README.md").read_text()
    create_markdown_artifact(card, key="model-card", description=f"Version {bundle.version}.")
    return Completed(message=f"{bundle.version}: {len(networks)} networks", data=bundle.version)


def _lineage(network: Reference) -> dict[str, Any]:
    return {"artifact": network.key, "digest": network.digest, "inputs": artifacts().manifest(network)["inputs"]}


@stage_task("promote", "promote-{version}")
def promote_first_task(version: str) -> State:
    """Put a version in use if none is; the data are the version in use."""
    store = artifacts().store
    if (current := read_champion(store)) is None:
        _decide(version, None, True, "there was no version in use")
        current = read_champion(store)
    return Completed(message=f"in use is {current.version}", data=current.version)


@stage_task("find", "find-{version}")
def find_size_task(version: str) -> State:
    """Look up which images a version takes; the data are their side in pixels."""
    size = find_version(artifacts().store, version).facts.size
    return Completed(message=f"{size} pixels", data=size)


@stage_task("considered", "considered")
def find_decision_task(fingerprint: str, rules: Retrain) -> State:
    """Look whether a version of the same catalogue, images, settings and code was judged by the same rules.

    The data say so, or are None.
    """
    store = artifacts().store
    current = read_champion(store)
    for bundle in reversed(list_versions(store)):
        if bundle.facts.fingerprint != fingerprint:
            continue
        same = f"Nothing to do: galaxies, catalogue, settings and code are those of version {bundle.version}"
        if current and current.version == bundle.version:
            return Completed(message=bundle.version, data=f"{same}, which is in use")
        found = _decision_on(bundle.version)
        if found and (found.promoted or found.rules == rules):
            how = "promoted" if found.promoted else "not promoted"
            return Completed(
                message=bundle.version, data=f"{same}, which was {how} on {found.when:%Y-%m-%d}: {found.why}"
            )
    return Completed(message="something changed", data=None)


def _decision_on(version: str) -> Decision | None:
    content = read_decision(artifacts().store, version)
    try:
        return content and Decision.model_validate_json(content)
    except ValidationError:
        return None  # of other code, or damaged: judged again


@stage_task("judge", "judge-{challenger}")
def compare_versions_task(challenger: str, current: str, predictions: Reference, split: Split, rules: Retrain) -> State:
    """Judge a version against the one in use on the same test galaxies, and promote it if it is better.

    `predictions` are those of the version in use for the challenger's test set; `split` is how the challenger's
    galaxies were divided. The data say what was decided and why.
    """
    store = artifacts().store
    both = find_version(store, current), find_version(store, challenger)
    bands = set(both[0].facts.bands) & set(both[1].facts.bands)
    folders = [fetch_version(store, bundle, names=[CALIBRATION_FILE, PREDICTIONS_FILE]) for bundle in both]
    with temporary_folder("judge") as folder:
        [of_champion] = artifacts().fetch(predictions, folder, [PREDICTIONS_FILE])
        tables = read_predictions(of_champion), read_predictions(folders[1] / PREDICTIONS_FILE)
    try:
        theirs = both[0].facts.settings.get("split")
        if theirs is None:
            raise InclinetError("it is not known which galaxies it was trained on; promote by hand")
        judged = [table[table["filter"].isin(bands)] for table in tables]
        calibrations = tuple(read_record(Calibration, folder / CALIBRATION_FILE) for folder in folders)
        comparison = compare(*judged, Split(**theirs), calibrations)
        better, why = decide(comparison, rules)
    except InclinetError as error:
        comparison, better, why = None, False, str(error)
    if (now := read_champion(store)) is None or now.version not in (current, challenger):
        why = f"another version was put in use while {challenger} was being judged against {current}"
        return Completed(message=why, data=f"Nothing was decided: {why}")
    return Completed(message=why, data=_decide(challenger, current, better, why, comparison, rules))


@stage_task("judge", "keep-{current}")
def keep_champion_task(challenger: str, current: str, why: str) -> State:
    """Keep the version in use, for there is nothing to judge the other one by; the data say so."""
    return Completed(message=why, data=_decide(challenger, current, False, why))


def _decide(
    challenger: str,
    before: str | None,
    better: bool,
    why: str,
    comparison: Comparison | None = None,
    rules: Retrain | None = None,
) -> str:
    """Promote a version or keep the one before; on record, on the run's page, as an event."""
    store, word = artifacts().store, "promoted" if better else "kept"
    if better:
        promote_version(store, challenger, why)
    now = datetime.now(UTC).replace(microsecond=0)
    decision = Decision(
        challenger=challenger, champion=before, promoted=better, why=why, when=now, comparison=comparison, rules=rules
    )
    record_decision(store, challenger, decision.model_dump_json(indent=1))
    done = f"Version {challenger} is in use now" if better else f"Version {before} stays in use"
    lines = [f"## {done}", f"{why[:1].upper()}{why[1:]}."]
    if comparison:
        lines.append(markdown_comparison(comparison, {"champion": before, "challenger": challenger}))
    create_markdown_artifact("\n\n".join(lines), key="comparison", description=f"{done}.")
    in_use = challenger if better else before
    emit_event(
        f"inclinet.model.{word}",
        {"prefect.resource.id": f"inclinet.model.{in_use}", "prefect.resource.name": f"version {in_use}"},
        payload={"challenger": challenger, "champion": before, "why": why},
    )
    return f"{done}: {why}"
