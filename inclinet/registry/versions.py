"""Published versions: trained networks with all that predicting and comparing them needs; never changed.

In a store, `registry/<version>/` holds the files of a version, and `bundle.json`, which describes it.
"""

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, ValidationError, field_validator

from inclinet.data.origin import Galaxies
from inclinet.errors import InclinetError
from inclinet.evaluation.filenames import REPORT_FILE
from inclinet.figures.naming import name_page
from inclinet.networks.filenames import parse_network
from inclinet.networks.listing import name_of_network
from inclinet.records import Record
from inclinet.settings import Framing
from inclinet.storage.digests import sha256
from inclinet.storage.store import Store

__all__ = [
    "CARD_FILE",
    "REGISTRY",
    "VERSION_FILE",
    "BaselineResult",
    "PublishedVersion",
    "StartedFrom",
    "VersionFile",
    "VersionInfo",
    "VersionResult",
    "find_version",
    "is_version",
    "list_versions",
    "publish",
    "version_key",
]

logger = logging.getLogger(__name__)

REGISTRY = "registry"
"""Folder of the store that holds all versions."""

VERSION_FILE = "bundle.json"
"""File that describes a version. It is written last: a folder without it is no version."""

CARD_FILE = "README.md"
"""Name of the model card."""

_VERSION = re.compile(r"\d{8}-[0-9a-f]{10}")
_FILE_NAME = re.compile(r"\w[\w.-]{0,99}")
_PARALLEL = 8


class VersionFile(Record):
    """One file of a version: its size in bytes and its SHA-256."""

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class BaselineResult(Record):
    """RMS (deg) of a simple baseline on its test galaxies, and that of the version on the same ones."""

    rms: float
    version_rms: float


class VersionResult(Record):
    """What predicting with a version gives for galaxies that it was not trained on.

    Attributes
    ----------
    prediction : str
        Name of the ensemble that predicting gives, such as `calibrated median`.
    by : {'galaxy', 'image'}
        Whose answers it is about, as are `interval` and `baselines`; versions published before galaxies had answers of
        their own were judged by image.
    rms, mae, bias : float
        Its metrics (deg).
    images, galaxies : int
        Size of the test set, or of the whole sample in a cross-validation.
    folds : int
        Folds of the cross-validation, 0 for a test set.
    interval : tuple of float or None
        95 % confidence interval of the RMS (deg); None for versions published before it was kept.
    baselines : dict
        Results of simple baselines by name; empty for versions published before these were kept.
    origin : Galaxies or None
        How many of the galaxies are real and how many simulated; None for versions published before this was kept.
    """

    prediction: str
    by: Literal["galaxy", "image"] = "image"
    rms: float
    mae: float
    bias: float
    images: int
    galaxies: int
    folds: int = 0
    interval: tuple[float, float] | None = None
    baselines: dict[str, BaselineResult] = Field(default_factory=dict)
    origin: Galaxies | None = None


class StartedFrom(Record):
    """What a network was started from.

    Attributes
    ----------
    version : str
        Published version; empty for a file of another origin.
    sha256 : str
        SHA-256 of the file of the network.
    galaxies : int or None
        How many galaxies it had seen before; None if that is not known.
    """

    version: str
    sha256: str
    galaxies: int | None


class VersionInfo(Record):
    """What is known about a version.

    Attributes
    ----------
    size : int
        Pixels a side of the images that the networks take.
    bands : tuple of str
        Letters of the bands that they were trained on.
    settings : dict
        Settings of every stage.
    lineage : dict
        What each network was made from, by SHA-256.
    code : dict
        Version and digest of the code that made it.
    fingerprint : str
        Digest of catalogue, images, settings and code: the same again would give the same networks. Files written by
        earlier versions call it `made_of`.
    run : str
        Name of the run.
    test : VersionResult or None
        Its result on the test set, None without a test galaxy.
    steps : dict
        Steps that each network was trained for; without those of which it is not known.
    simulated : bool
        Whether all galaxies that it was trained on are simulated.
    framing : {'measured', 'given'}
        How the images that it was trained on were framed.
    started_from : dict
        What each network was started from, by its name; without those that began with random weights.
    trained_on : Galaxies or None
        How many galaxies it was trained on, as far as known with those of the networks that it was started from; None
        for versions published before this was kept.
    """

    size: int
    bands: tuple[str, ...]
    settings: dict[str, Any] = Field(default_factory=dict)
    lineage: dict[str, Any] = Field(default_factory=dict)
    code: dict[str, str] = Field(default_factory=dict)
    fingerprint: str = Field("", validation_alias=AliasChoices("fingerprint", "made_of"))
    run: str = ""
    test: VersionResult | None = None
    steps: dict[str, int] = Field(default_factory=dict)
    simulated: bool = False
    framing: Framing = "given"
    started_from: dict[str, StartedFrom] = Field(default_factory=dict)
    trained_on: Galaxies | None = None

    @field_validator("test", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """Read the empty result of earlier versions as None."""
        return None if value == {} else value


class PublishedVersion(Record):
    """A published version: when it was published, its files, and its `VersionInfo`.

    Files written by earlier versions call `info` `facts`.
    """

    version: str
    published: datetime
    files: dict[str, VersionFile]
    info: VersionInfo = Field(validation_alias=AliasChoices("info", "facts"))

    @property
    def networks(self) -> list[str]:
        """Names of its networks' files, in order; exported ones where it has them, else those that Keras reads."""
        # By name, .onnx comes after .keras, and so replaces it.
        files = {name_of_network(file): file for file in sorted(self.files) if parse_network(file)}
        return sorted(files.values())

    @property
    def network_names(self) -> list[str]:
        """Names of its networks, such as `model4_0`, in the order of `networks`."""
        return [name_of_network(file) for file in self.networks]


def publish(store: Store, folder: Path, info: VersionInfo) -> PublishedVersion:
    """Publish the files of a folder as a new version.

    The same files with the same `info` (the run does not count) are the version that exists already. The report among
    the files is given the name of the version, its date and its run.

    Raises
    ------
    InclinetError
        When there is no network among the files.
    """
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    if not any(parse_network(path.name) for path in paths):
        raise InclinetError(f"{folder}: no network to publish; train one first")
    files = {path.name: VersionFile(size=path.stat().st_size, sha256=sha256(path)) for path in paths}
    content = {name: file.sha256 for name, file in files.items()} | {
        "info": info.model_dump(mode="json", exclude={"run"})
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
    for version in _version_folders(store):
        if version.endswith(digest) and (existing := _read_or_warn(store, version)):
            return existing
    now = datetime.now(UTC).replace(microsecond=0)
    version = f"{now:%Y%m%d}-{digest}"
    # The digest above is that of the report without them: publishing again finds the version.
    name_page(folder / REPORT_FILE, {"Version": version, "Published": f"{now:%Y-%m-%d %H:%M} UTC", "Run": info.run})
    files = {path.name: VersionFile(size=path.stat().st_size, sha256=sha256(path)) for path in paths}
    published = PublishedVersion(version=version, published=now, files=files, info=info)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        list(pool.map(lambda path: store.put(path, version_key(published.version, path.name)), paths))
    store.write(version_key(published.version, VERSION_FILE), published.model_dump_json(indent=1).encode())
    return published


def version_key(version: str, name: str) -> str:
    """Return the key of a version's file in the store."""
    return f"{REGISTRY}/{version}/{name}"


def list_versions(store: Store) -> list[PublishedVersion]:
    """Return all published versions, oldest first; one that cannot be read is left out, with a warning."""
    versions = [_read_or_warn(store, version) for version in _version_folders(store)]
    return sorted((version for version in versions if version), key=lambda version: version.published)


def is_version(name: str) -> bool:
    """Return whether a text has the form of a version's name."""
    return _VERSION.fullmatch(name) is not None


def find_version(store: Store, version: str) -> PublishedVersion:
    """Return a published version.

    Raises
    ------
    InclinetError
        When there is no such version, or it is damaged.
    """
    published = _read(store, version) if is_version(version) else None
    if published is None:
        raise InclinetError(
            f"{store.uri}: there is no version {version!r}; `inclinet models` lists the versions", setting="version"
        )
    return published


def _version_folders(store: Store) -> Iterator[str]:
    yield from sorted(name for name in store.folders(REGISTRY) if _VERSION.fullmatch(name))


def _read(store: Store, version: str) -> PublishedVersion | None:
    """Return a version, None if it does not exist or was never completed."""
    key = version_key(version, VERSION_FILE)
    try:
        published = PublishedVersion.model_validate_json(store.read(key))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise InclinetError(f"{store.uri}/{key}: damaged ({error.errors()[0]['msg']}); publish it again") from None
    if published.version != version or not all(_FILE_NAME.fullmatch(name) for name in published.files):
        raise InclinetError(f"{store.uri}/{key}: damaged, it describes other files; publish it again")
    return published


def _read_or_warn(store: Store, version: str) -> PublishedVersion | None:
    """Return a version, None if it does not exist or is damaged; damage is logged as a warning."""
    try:
        return _read(store, version)
    except InclinetError as error:
        logger.warning("%s", error)
        return None
