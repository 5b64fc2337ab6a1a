"""The registry: published networks, each version immutable, and the pointer to the one in use.

In a store, `registry/<version>/` holds a bundle: the networks and all that predicting and judging them needs.
`registry/champion.json` names the version in use.
"""

import hashlib
import json
import logging
import re
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from inclinet.data.columns import network_name
from inclinet.errors import InclinetError
from inclinet.networks.filenames import parse_network
from inclinet.records import Record
from inclinet.storage.atomic import disk_space_errors
from inclinet.storage.cache import cache_folder
from inclinet.storage.digests import sha256
from inclinet.storage.store import Store, check_key

__all__ = [
    "BUNDLE",
    "Champion",
    "PublishedVersion",
    "VersionInfo",
    "describe",
    "fetch_version",
    "find_version",
    "list_versions",
    "promote",
    "publish",
    "read_champion",
    "read_decision",
    "record_decision",
]

logger = logging.getLogger(__name__)

BUNDLE = "bundle.json"
_FOLDER, _CHAMPION, _DECISIONS = "registry", "registry/champion.json", "registry/decisions"
_VERSION = re.compile(r"\d{8}-[0-9a-f]{10}")
_NAME = re.compile(r"\w[\w.-]{0,99}")
_PARALLEL = 8


class _File(Record):
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class VersionInfo(Record):
    """What is said of a bundle.

    Attributes
    ----------
    size : int
        Pixels a side of the images that the networks take.
    bands : tuple of str
        Bands that they were trained on.
    settings : dict
        Settings of every stage.
    lineage : dict
        What each network was made of, by SHA-256.
    code : dict
        Version and digest of the code that made it.
    fingerprint : str
        Digest of catalogue, images, settings and code; the same again would give the same networks.
    run : str
        Name of the run.
    test : dict
        A few figures of merit on the test set, empty without one.
    simulated : bool
        Whether all galaxies that it was trained on are simulated.
    """

    size: int
    bands: tuple[str, ...]
    settings: dict[str, Any] = Field(default_factory=dict)
    lineage: dict[str, Any] = Field(default_factory=dict)
    code: dict[str, str] = Field(default_factory=dict)
    fingerprint: str = ""
    run: str = ""
    test: dict[str, Any] = Field(default_factory=dict)
    simulated: bool = False


class PublishedVersion(Record):
    """A published version: when it was, its files, and its `VersionInfo`."""

    version: str
    published: datetime
    files: dict[str, _File]
    facts: VersionInfo

    @property
    def networks(self) -> list[str]:
        """Names of its networks' files."""
        return sorted(name for name in self.files if parse_network(name))


class Champion(Record):
    """Which version is in use, since when and why, and which one was before."""

    version: str
    since: datetime
    why: str
    previous: str | None = None


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def publish(store: Store, folder: Path, facts: VersionInfo) -> PublishedVersion:
    """Publish the files of a folder as a new version; the same files and facts again are the version that is there.

    By which run they were made does not count.

    Raises
    ------
    InclinetError
        When there is no network among the files.
    """
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    if not any(parse_network(path.name) for path in paths):
        raise InclinetError(f"{folder}: no network to publish; train one first")
    files = {path.name: _File(size=path.stat().st_size, sha256=sha256(path)) for path in paths}
    content = {name: file.sha256 for name, file in files.items()} | {
        "facts": facts.model_dump(mode="json", exclude={"run"})
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
    for version in _versions(store):
        if version.endswith(digest) and (found := _if_whole(store, version)):
            return found
    published = _now()
    bundle = PublishedVersion(version=f"{published:%Y%m%d}-{digest}", published=published, files=files, facts=facts)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(lambda path: store.put(path, _key(bundle.version, path.name)), paths))
    store.write(_key(bundle.version, BUNDLE), bundle.model_dump_json(indent=1).encode())
    return bundle


def _key(version: str, name: str) -> str:
    return f"{_FOLDER}/{version}/{name}"


def _versions(store: Store) -> list[str]:
    return sorted(name for name in store.folders(_FOLDER) if _VERSION.fullmatch(name))


def _read(store: Store, version: str) -> PublishedVersion | None:
    """Return a version, None if it is not there, or not wholly."""
    try:
        bundle = PublishedVersion.model_validate_json(store.read(_key(version, BUNDLE)))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise InclinetError(
            f"{store.uri}/{_key(version, BUNDLE)}: damaged ({error.errors()[0]['msg']}); publish anew"
        ) from None
    if bundle.version != version or not all(_NAME.fullmatch(name) for name in bundle.files):
        raise InclinetError(f"{store.uri}/{_key(version, BUNDLE)}: damaged, it speaks of other files; publish anew")
    return bundle


def _if_whole(store: Store, version: str) -> PublishedVersion | None:
    """Return a version, None if it is not there or damaged, which is warned of."""
    try:
        return _read(store, version)
    except InclinetError as error:
        logger.warning("%s", error)
        return None


def list_versions(store: Store) -> list[PublishedVersion]:
    """Return all published versions, oldest first; one that cannot be read is warned of."""
    found = [_if_whole(store, version) for version in _versions(store)]
    return sorted((bundle for bundle in found if bundle), key=lambda bundle: bundle.published)


def read_champion(store: Store) -> Champion | None:
    """Return which version is in use, None if none is.

    Raises
    ------
    InclinetError
        When the pointer is damaged.
    """
    try:
        return Champion.model_validate_json(store.read(_CHAMPION))
    except FileNotFoundError:
        return None
    except ValidationError:
        raise InclinetError(
            f"{store.uri}/{_CHAMPION} is damaged; put a version in use with `inclinet promote <version>`"
        ) from None


def find_version(store: Store, version: str | None = None) -> PublishedVersion:
    """Return a version, the one in use unless named.

    Raises
    ------
    InclinetError
        When there is none such, or none in use.
    """
    if version is None:
        current = read_champion(store)
        if current is None:
            raise InclinetError(
                f"{store.uri}: no version is in use; run `inclinet models`, then `inclinet promote <version>`"
            )
        version = current.version
    bundle = _read(store, version) if _VERSION.fullmatch(version) else None
    if bundle is None:
        raise InclinetError(f"{store.uri}: there is no version {version!r}; `inclinet models` lists those there are")
    return bundle


def promote(store: Store, version: str, why: str) -> Champion:
    """Put a version in use.

    Raises
    ------
    InclinetError
        When there is no such version.
    """
    bundle = find_version(store, version)
    try:
        before = read_champion(store)
    except InclinetError as error:
        logger.warning("%s", error)
        before = None
    if before and before.version == version:
        return before
    current = Champion(version=bundle.version, since=_now(), why=why, previous=before and before.version)
    store.write(_CHAMPION, current.model_dump_json(indent=1).encode())
    return current


def record_decision(store: Store, version: str, content: str) -> None:
    """Write why a version was promoted or not, beside the versions; a later decision takes the place of this one."""
    store.write(check_key(f"{_DECISIONS}/{version}.json"), content.encode())


def read_decision(store: Store, version: str) -> str | None:
    """Return why a version was promoted or not, None while it was never judged."""
    try:
        return store.read(check_key(f"{_DECISIONS}/{version}.json")).decode()
    except FileNotFoundError:
        return None


def fetch_version(
    store: Store, bundle: PublishedVersion, cache: Path | None = None, names: Collection[str] | None = None
) -> Path:
    """Return a local folder with the files of a version (all, or those of `names` that it has), checked by SHA-256.

    Parameters
    ----------
    cache : Path, optional
        Where to keep them; by default below `INCLINET_CACHE`, else the folder of temporary files.

    Raises
    ------
    InclinetError
        When a file is missing or damaged.
    """
    folder = (cache or cache_folder()) / _FOLDER / bundle.version
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def fetch(item: tuple[str, _File]) -> None:
        name, file = item
        path = folder / name
        if path.is_file() and sha256(path) == file.sha256:
            return
        key = _key(bundle.version, name)
        try:
            with disk_space_errors(folder):
                store.get(key, path)
        except FileNotFoundError:
            raise InclinetError(f"{store.uri}/{key} is missing: version {bundle.version} is damaged") from None
        if sha256(path) != file.sha256:
            path.unlink()
            raise InclinetError(f"{store.uri}/{key}: its SHA-256 is not that of {BUNDLE}; use another version")

    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(fetch, ((name, file) for name, file in bundle.files.items() if names is None or name in names)))
    return folder


def describe(bundle: PublishedVersion, current: Champion | None) -> Mapping[str, str]:
    """Return a version's row in a list of all."""
    test = bundle.facts.test
    return {
        "version": bundle.version,
        "in use": "yes" if current and current.version == bundle.version else "",
        "published": f"{bundle.published:%Y-%m-%d %H:%M} UTC",
        "networks": ", ".join(network_name(*parse_network(name)) for name in bundle.networks),
        "size": f"{bundle.facts.size}",
        "RMS (deg)": f"{test['rms']:.2f}" if test else "–",
        "test galaxies": f"{test['galaxies']:,}" if test else "–",
        "run": bundle.facts.run,
    }
