"""Clearing a store of what nobody needs: old runs, versions, artifacts, and snapshots of finished networks.

What is kept is what a kept run or version needs, and what was made or used lately, for runs that have not ended. Every
folder is described by one file; it is deleted first. So a kill leaves no folder that looks complete and is not, and the
next call removes the rest.
"""

import csv
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from inclinet.registry.champion import read_champion
from inclinet.registry.versions import REGISTRY, VERSION_FILE, PublishedVersion, list_versions, version_key
from inclinet.settings import Prune
from inclinet.storage.artifacts import MANIFEST_FILE, RENEWED_SECONDS, Artifacts
from inclinet.storage.cache import cache_folder
from inclinet.storage.store import Entry, Store
from inclinet.training.filenames import SNAPSHOTS_FACT

__all__ = ["KINDS", "Folder", "Plan", "plan", "remove"]

logger = logging.getLogger(__name__)

KINDS = ("runs", "predictions", "versions", "snapshots", "artifacts")
"""What there is to remove, in the order of its removal: nothing that remains refers to what is gone."""

_DESCRIBED_BY = {"runs": "index.json", "versions": VERSION_FILE, "artifacts": MANIFEST_FILE}
_PARALLEL = 8


@dataclass(frozen=True)
class Folder:
    """A folder of the store: its kind (one of `KINDS`), its key and its objects."""

    kind: str
    key: str
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self.key.rpartition("/")[2]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(entry.size for entry in self.entries)

    @property
    def modified(self) -> float:
        """When an object of it was last written (s since 1970)."""
        return max(entry.modified for entry in self.entries)

    @property
    def is_complete(self) -> bool:
        """Whether the file is there that describes it."""
        return any(entry.key == f"{self.key}/{_DESCRIBED_BY.get(self.kind)}" for entry in self.entries)


@dataclass(frozen=True)
class Plan:
    """The folders of a store that are to be removed, in this order, and those that are kept."""

    removed: list[Folder]
    kept: list[Folder]


def plan(store: Store, rules: Prune, in_flight_since: float | None = None) -> Plan:
    """Return what is to be removed from a store.

    Parameters
    ----------
    store : Store
    rules : Prune
    in_flight_since : float, optional
        When the oldest run began that has not ended (s since 1970). Nothing is removed that was made or used since.
        Without it, runs that have not ended are protected by `rules.older_than` alone.

    Raises
    ------
    InclinetError
        When the record of the version in use is damaged: then it is not known what is in use.
    """
    now = time.time()
    # A manifest is written again only when it is a day old.
    running = now if in_flight_since is None else in_flight_since - RENEWED_SECONDS
    before = min(now - rules.age.total_seconds(), running)
    idle = min(now - RENEWED_SECONDS, running)

    runs = _folders(store, "runs", "runs")
    predictions = _folders(store, "predictions", "predictions")
    artifacts = [
        one
        for stage in sorted(store.folders("artifacts"))
        for one in _folders(store, "snapshots" if stage == "snapshots" else "artifacts", f"artifacts/{stage}")
    ]
    versions = {one.version: one for one in list_versions(store)}
    published = [one for one in _folders(store, "versions", REGISTRY) if one.name != "decisions"]

    kept_versions = _versions_to_keep(store, versions, rules.keep_versions)
    kept_versions |= {one.name for one in published if one.modified >= before}
    needed_runs = {versions[name].info.run for name in kept_versions & versions.keys()}
    kept_runs = _newest([one for one in runs if one.is_complete], rules.keep_runs) | needed_runs
    kept_runs |= {one.name for one in runs if one.modified >= before}
    kept_predictions = _newest(predictions, rules.keep_runs) | {
        one.name for one in predictions if one.modified >= before
    }
    needed = _needed(store, [one for one in runs if one.name in kept_runs])
    needed |= {key for name in kept_versions & versions.keys() for key in _lineage(versions[name])}
    finished = _finished(store, artifacts)

    def is_kept(one: Folder) -> bool:
        match one.kind:
            case "runs":
                return one.name in kept_runs
            case "predictions":
                return one.name in kept_predictions
            case "versions":
                return one.name in kept_versions
            case "snapshots":
                return one.modified >= (idle if one.key in finished else before)
            case _:
                chunk = one.key.startswith("artifacts/predict/")  # kept as long as the version that made it
                of_kept = chunk and any(one.name.startswith(f"{name}-") for name in kept_versions)
                return one.key in needed or one.modified >= before or of_kept

    everything = sorted([*runs, *predictions, *published, *artifacts], key=lambda one: KINDS.index(one.kind))
    return Plan([one for one in everything if not is_kept(one)], [one for one in everything if is_kept(one)])


def _folders(store: Store, kind: str, parent: str) -> list[Folder]:
    """Return the folders directly in `parent` with all objects below them."""
    entries: defaultdict[str, list[Entry]] = defaultdict(list)
    depth = parent.count("/") + 2
    for entry in store.walk(parent):
        parts = entry.key.split("/")
        if len(parts) > depth:
            entries["/".join(parts[:depth])].append(entry)
    return [Folder(kind, key, tuple(several)) for key, several in sorted(entries.items())]


def _newest(folders: Collection[Folder], n: int) -> set[str]:
    return {one.name for one in sorted(folders, key=lambda one: one.modified)[-n:]}


def _versions_to_keep(store: Store, versions: Mapping[str, PublishedVersion], n: int) -> set[str]:
    """Return the newest versions, the one in use, the one before it, and those that these were started from."""
    champion = read_champion(store)
    in_use = {champion.version, champion.previous} if champion else set()
    kept = {*list(versions)[-n:], *(name for name in in_use if name)}
    todo = list(kept)
    while todo:
        started_from = versions[todo.pop()].info.started_from.values() if todo[-1] in versions else ()
        new = {start.version for start in started_from} - kept - {""}
        kept |= new
        todo += new
    return kept


def _needed(store: Store, runs: Iterable[Folder]) -> set[str]:
    """Return the keys of the artifacts that runs made or reused."""

    def of_run(run: Folder) -> set[str]:
        key = f"{run.key}/artifacts.csv"
        if key not in {entry.key for entry in run.entries}:
            return set()
        return {row["key"] for row in csv.DictReader(store.read(key).decode().splitlines())}

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return set().union(*pool.map(of_run, runs))


def _lineage(version: PublishedVersion) -> Iterator[str]:
    """Yield the keys of the artifacts that the lineage of a version names."""
    for of_network in version.info.lineage.values():
        if isinstance(of_network, dict) and "artifact" in of_network:
            yield of_network["artifact"]


def _finished(store: Store, artifacts: Iterable[Folder]) -> set[str]:
    """Return the folders of the snapshots of networks that are trained."""
    known = Artifacts(store, cache_folder())

    def of_network(network: Folder) -> str | None:
        manifest = known.read_manifest(network.key)
        return manifest.facts.get(SNAPSHOTS_FACT) if manifest else None

    with ThreadPoolExecutor(_PARALLEL) as pool:
        networks = [one for one in artifacts if one.key.startswith("artifacts/network/")]
        return {key for key in pool.map(of_network, networks) if key}


def remove(store: Store, folders: Iterable[Folder], progress: Callable[[Folder], None] = lambda folder: None) -> int:
    """Remove folders from a store, in their order by kind; returns the number of bytes.

    A folder that was written to since the plan was made is left alone: somebody needs it.

    Parameters
    ----------
    store : Store
    folders : iterable of Folder
        Those of a plan.
    progress : callable, optional
        Called with every folder that was removed.
    """
    by_kind: defaultdict[str, list[Folder]] = defaultdict(list)
    for one in folders:
        by_kind[one.kind].append(one)

    def remove_one(folder: Folder) -> int:
        now = tuple(store.walk(folder.key))
        if {(entry.key, entry.tag) for entry in now} - {(entry.key, entry.tag) for entry in folder.entries}:
            logger.info("%s is in use again", folder.key)
            return 0
        described = f"{folder.key}/{_DESCRIBED_BY.get(folder.kind, '')}"
        for entry in sorted(now, key=lambda entry: entry.key != described):
            store.delete(entry.key)
        if folder.kind == "versions":
            store.delete(version_key("decisions", f"{folder.name}.json"))
        progress(folder)
        return sum(entry.size for entry in now)

    with ThreadPoolExecutor(_PARALLEL) as pool:
        return sum(sum(pool.map(remove_one, by_kind[kind])) for kind in KINDS)
