"""Artifacts: immutable outputs of a stage, each stored under a key that follows from what it is made from.

The key of an artifact is a hash of the content of its inputs, its settings, and the code that makes it. Its manifest is
written last, and without a manifest there is no artifact. So two runs cannot get in each other's way, and finished work
is found by any later run.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from inclinet.records import Record
from inclinet.storage.atomic import temporary_folder
from inclinet.storage.cache import fetch_through_cache
from inclinet.storage.digests import json_digest, sha256
from inclinet.storage.store import Store, check_key

__all__ = ["MANIFEST_FILE", "RENEWED_SECONDS", "Artifacts", "DamagedArtifactError", "Manifest", "Reference"]

MANIFEST_FILE = "manifest.json"
"""File that describes an artifact. It is written last: a folder without it is no artifact."""

RENEWED_SECONDS = 86_400.0
"""Age (s) from which the manifest of an artifact that is found is written again: its age tells of the last use."""

_SHA256 = "^[0-9a-f]{64}$"
_PARALLEL = 8


class DamagedArtifactError(Exception):
    """An artifact's manifest or one of its files is missing or damaged. Making the artifact again heals it."""


@dataclass(frozen=True)
class Reference:
    """A small pointer to an artifact, which tasks and runs pass on.

    Attributes
    ----------
    key : str
        Folder of the artifact in the store; its manifest lies there.
    digest : str
        SHA-256 over the names and digests of its files: its content.
    files : dict of str to str
        SHA-256 of each file by name.
    facts : dict
        A few numbers about it.
    is_new : bool
        Whether it was just made, rather than found. Not a property of the artifact itself.
    """

    key: str
    digest: str
    files: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)
    is_new: bool = field(default=False, compare=False)

    @property
    def folder(self) -> str:
        """Folder of its files in the store, named by their content: two runs that make it at once do not clash."""
        return f"{self.key}/{self.digest[:16]}"

    @property
    def stage(self) -> str:
        """Stage that made it."""
        return self.key.split("/")[1]

    @property
    def name(self) -> str:
        """Name within its stage."""
        return self.key.rpartition("/")[2].rpartition("-")[0]


class _File(Record):
    size: int = Field(ge=0)
    sha256: str = Field(pattern=_SHA256)


class Manifest(Record):
    """How an artifact was made, and what its files are.

    Attributes
    ----------
    key : str
        Key of the artifact.
    files : dict
        Size (bytes) and SHA-256 of each file by name.
    inputs : dict of str to str
        Content digest of each input.
    settings : JSON-able
        Everything besides the inputs that changes its content.
    code : str
        Digest of the code that made it.
    run : str
        The run that made it.
    facts : dict
        A few numbers about it.
    sha256 : str
        SHA-256 of all the others as JSON, so that a damaged manifest is recognized.
    """

    key: str
    files: dict[str, _File]
    inputs: dict[str, str]
    settings: Any
    code: str
    run: str
    facts: dict[str, Any]
    sha256: str = Field(pattern=_SHA256)


class Artifacts:
    """The artifacts in a store.

    Parameters
    ----------
    store : Store
    cache : Path
        Local folder of files fetched before.
    cache_bytes : int
        Size to which the cache may grow.
    """

    def __init__(self, store: Store, cache: Path, cache_bytes: int = 20 * 2**30) -> None:
        self.store = store
        self.cache = cache
        self.cache_bytes = cache_bytes

    def make(
        self,
        stage: str,
        name: str,
        *,
        inputs: Mapping[str, str],
        settings: object,
        code: str,
        work: Callable[[Path], Mapping[str, Any]],
        run: str = "",
    ) -> Reference:
        """Return an artifact, after making it if it does not exist.

        Parameters
        ----------
        stage, name : str
            Parts of its key.
        inputs : mapping of str to str
            Content digest of each input.
        settings : JSON-able
            Everything besides the inputs that changes the output.
        code : str
            Digest of the code that makes it, as `code_digest` returns.
        work : callable
            Writes the files into the folder it is given, and returns facts.
        run : str
            The run that makes it, for its manifest.
        """
        key = self.key(stage, name, inputs=inputs, settings=settings, code=code)
        if found := self.find(key):
            return found
        with temporary_folder(stage) as folder:
            facts = work(folder)
            return self.publish(key, folder, inputs=inputs, settings=settings, code=code, facts=facts, run=run)

    def key(self, stage: str, name: str, *, inputs: Mapping[str, str], settings: object, code: str) -> str:
        """Return the key of the artifact that `make` makes from the same arguments."""
        made_from = {"stage": stage, "inputs": dict(inputs), "settings": settings, "code": code}
        return check_key(f"artifacts/{stage}/{name}-{json_digest(made_from)[:24]}")

    def find(self, key: str) -> Reference | None:
        """Return the artifact at `key`; None if its manifest or one of its files is missing or damaged.

        The content of the files is not checked here, but when they are fetched. An artifact that is found counts as new
        for `inclinet prune`: whoever looks for it needs it.
        """
        manifest = self.read_manifest(key)
        if manifest is None:
            return None
        digests = {name: file.sha256 for name, file in manifest.files.items()}
        reference = Reference(key, json_digest(digests), digests, manifest.facts)
        entries = {entry.key: entry for entry in self.store.walk(key)}
        found = [entries.get(f"{reference.folder}/{name}") for name in manifest.files]
        sizes = [entry.size if entry else None for entry in found]
        if sizes != [file.size for file in manifest.files.values()]:
            return None
        described = entries.get(f"{key}/{MANIFEST_FILE}")
        if described and described.modified < time.time() - RENEWED_SECONDS:
            self.store.write(described.key, self.store.read(described.key))
        return reference

    def manifest(self, reference: Reference) -> Manifest:
        """Return the manifest of an artifact.

        Raises
        ------
        DamagedArtifactError
            When it is missing or damaged.
        """
        manifest = self.read_manifest(reference.key)
        if manifest is None:
            raise DamagedArtifactError(f"{self.store.uri}/{reference.key}/{MANIFEST_FILE} is missing or damaged")
        return manifest

    def read_manifest(self, key: str) -> Manifest | None:
        """Return the manifest at `key`, None if it is missing, malformed, or of something else."""
        try:
            content = json.loads(self.store.read(f"{key}/{MANIFEST_FILE}"))
            manifest = Manifest.model_validate(content)
        except (FileNotFoundError, IsADirectoryError, RecursionError, ValueError):  # ValidationError is a ValueError
            return None
        del content["sha256"]
        intact = manifest.key == key and manifest.sha256 == json_digest(content)
        return manifest if intact and all(map(_is_file_name, manifest.files)) else None

    def publish(
        self,
        key: str,
        folder: Path,
        *,
        inputs: Mapping[str, str],
        settings: object,
        code: str,
        facts: Mapping[str, Any],
        run: str = "",
    ) -> Reference:
        """Upload every file of `folder`, then the manifest; returns the reference."""
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        digests = {path.name: sha256(path) for path in paths}
        reference = Reference(key, json_digest(digests), digests, dict(facts), is_new=True)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            list(pool.map(lambda path: self.store.put(path, f"{reference.folder}/{path.name}"), paths))
        manifest = {
            "key": key,
            "files": {p.name: {"size": p.stat().st_size, "sha256": digests[p.name]} for p in paths},
            "inputs": dict(inputs),
            "settings": settings,
            "code": code,
            "run": run,
            "facts": dict(facts),
        }
        manifest["sha256"] = json_digest(manifest)
        self.store.write(f"{key}/{MANIFEST_FILE}", json.dumps(manifest, indent=1).encode())
        return reference

    def fetch(self, reference: Reference, folder: Path, names: Sequence[str] | None = None) -> list[Path]:
        """Bring files of an artifact (by default all) into `folder`, each checked against its SHA-256.

        Raises
        ------
        DamagedArtifactError
            When a file is missing or damaged.
        """
        wanted = list(reference.files) if names is None else list(names)
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return list(pool.map(lambda name: self._fetch_file(reference, name, folder), wanted))

    def _fetch_file(self, reference: Reference, name: str, folder: Path) -> Path:
        digest = reference.files.get(name, "")
        if not _is_file_name(name) or not re.fullmatch(_SHA256, digest):
            # References are parameters of runs: what they say must not lead out of the folder or the cache.
            raise DamagedArtifactError(f"{reference.key}: no artifact holds a file {name!r} with SHA-256 {digest!r}")
        path = folder / name
        fetch_through_cache(
            self.cache, self.cache_bytes, digest, lambda part: self._download(reference, name, part), path
        )
        return path

    def _download(self, reference: Reference, name: str, path: Path) -> None:
        key = f"{reference.folder}/{name}"
        try:
            self.store.get(key, path)
        except FileNotFoundError:
            raise DamagedArtifactError(f"{self.store.uri}/{key} is missing") from None
        if sha256(path) != reference.files[name]:
            # Without its manifest the artifact is made again, when this run retries or in any later run.
            self.store.delete(f"{reference.key}/{MANIFEST_FILE}")
            raise DamagedArtifactError(f"{self.store.uri}/{key} is damaged: its SHA-256 is not that of its manifest")


def _is_file_name(name: str) -> bool:
    """Return whether a name is that of a file, not of a path that leads elsewhere."""
    return name not in ("", "..") and name == Path(name).name and "\0" not in name
