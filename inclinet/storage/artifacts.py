"""Artifacts: immutable outputs of a stage, addressed by what made them.

The key of an artifact is a hash of its inputs' content, its settings and the code that makes it. Its
manifest is written last: no manifest, no artifact. So two runs cannot clash, and what is done is done.
"""

import errno
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inclinet.storage.atomic import disk_space_errors, temporary_folder
from inclinet.storage.digests import json_digest, sha256
from inclinet.storage.store import Store, check_key

__all__ = ["Artifacts", "DamagedArtifactError", "Reference"]

logger = logging.getLogger(__name__)

_MANIFEST = "manifest.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PARALLEL = 8
_ATTEMPTS = 5


class DamagedArtifactError(Exception):
    """A file of an artifact is missing or does not have the SHA-256 of its manifest."""


@dataclass(frozen=True)
class Reference:
    """A small pointer to an artifact, fit to be passed between tasks and runs.

    Attributes
    ----------
    key : str
        Folder of the artifact in the store; its manifest lies there.
    digest : str
        SHA-256 over the names and digests of its files: its content.
    files : dict of str to str
        SHA-256 of each file.
    facts : dict
        A few numbers about it.
    is_new : bool
        Whether it was made just now; else it was there. Says nothing about the artifact.
    """

    key: str
    digest: str
    files: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)
    is_new: bool = field(default=False, compare=False)

    @property
    def folder(self) -> str:
        """Folder of its files in the store; by content, so that two who make it at once do not clash."""
        return f"{self.key}/{self.digest[:16]}"

    @property
    def stage(self) -> str:
        """Stage that made it."""
        return self.key.split("/")[1]

    @property
    def name(self) -> str:
        """Name within its stage."""
        return self.key.rpartition("/")[2].rpartition("-")[0]


def _link(source: Path, target: Path) -> None:
    """Link a file, or copy it where it cannot be linked.

    A link outlives the cache's entry: the cache may be cleared while the file is in use.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copyfile(source, target)


def _check_names(name: str, digest: str) -> None:
    """Refuse what would lead out of the folder of files or of the cache: manifests and parameters say it."""
    if name in ("", "..") or name != Path(name).name or not _SHA256.fullmatch(digest):
        raise DamagedArtifactError(f"file {name!r} with SHA-256 {digest!r}: no file of an artifact is called so")


class Artifacts:
    """The artifacts in a store.

    Parameters
    ----------
    store : Store
    cache : Path
        Local folder of files fetched before, by digest; grows to `cache_bytes`, then the files used
        longest ago go.
    """

    def __init__(self, store: Store, cache: Path, cache_bytes: int = 20 * 2**30) -> None:
        self.store = store
        self.cache = cache
        self.cache_bytes = cache_bytes

    def key(self, stage: str, name: str, *, inputs: Mapping[str, str], settings: object, code: str) -> str:
        """Return the key of the artifact that `make` would make of the same arguments."""
        made_by = {"stage": stage, "inputs": dict(inputs), "settings": settings, "code": code}
        return check_key(f"artifacts/{stage}/{name}-{json_digest(made_by)[:24]}")

    def find(self, key: str) -> Reference | None:
        """Return the artifact at `key`, None unless its manifest and all its files are there."""
        try:
            manifest = json.loads(self.store.read(f"{key}/{_MANIFEST}"))
            if manifest.pop("sha256") != json_digest(manifest):
                return None
            sizes = {name: entry["size"] for name, entry in manifest["files"].items()}
            digests = {name: entry["sha256"] for name, entry in manifest["files"].items()}
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        reference = Reference(key, json_digest(digests), digests, manifest["facts"])
        there = {entry.key.rpartition("/")[2]: entry.size for entry in self.store.list(reference.folder)}
        return reference if all(there.get(name) == size for name, size in sizes.items()) else None

    def manifest(self, reference: Reference) -> dict[str, Any]:
        """Return the manifest of an artifact.

        Raises
        ------
        DamagedArtifactError
            When it is not there any more.
        """
        try:
            return json.loads(self.store.read(f"{reference.key}/{_MANIFEST}"))
        except (FileNotFoundError, ValueError):
            raise DamagedArtifactError(f"{self.store.uri}/{reference.key}/{_MANIFEST} is missing") from None

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
        manifest["sha256"] = json_digest(manifest)  # of itself: a flipped bit in it is damage too
        self.store.write(f"{key}/{_MANIFEST}", json.dumps(manifest, indent=1).encode())
        return reference

    def fetch(self, reference: Reference, folder: Path, names: Sequence[str] | None = None) -> list[Path]:
        """Bring files of an artifact (all unless named) into `folder`, each checked by its SHA-256.

        Raises
        ------
        DamagedArtifactError
            When a file is missing or damaged.
        """
        wanted = list(reference.files) if names is None else list(names)
        folder.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            return list(pool.map(lambda name: self._fetch_one(reference, name, folder), wanted))

    def _fetch_one(self, reference: Reference, name: str, folder: Path) -> Path:
        _check_names(name, reference.files[name])
        kept, path = self.cache / reference.files[name], folder / name
        path.unlink(missing_ok=True)
        for _ in range(_ATTEMPTS):
            try:
                os.utime(kept)
                _link(kept, path)
            except FileNotFoundError:  # never fetched, or just cleared by another process
                self._download(reference, name, kept)
                continue
            if sha256(path) == reference.files[name]:
                return path
            logger.warning("%s is damaged; fetched anew", kept)
            path.unlink()
            kept.unlink(missing_ok=True)
        raise OSError(f"{self.cache} is cleared or damaged faster than it is read: raise INCLINET_CACHE_GB")

    def _download(self, reference: Reference, name: str, kept: Path) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        key = f"{reference.folder}/{name}"
        with disk_space_errors(self.cache), tempfile.TemporaryDirectory(prefix=".get-", dir=self.cache) as folder:
            path = Path(folder) / "file"
            try:
                self.store.get(key, path)
            except FileNotFoundError:
                raise DamagedArtifactError(f"{self.store.uri}/{key} is missing") from None
            if sha256(path) != reference.files[name]:
                # Without its manifest the artifact is made again, by this run's retry or any later run.
                self.store.delete(f"{reference.key}/{_MANIFEST}")
                raise DamagedArtifactError(
                    f"{self.store.uri}/{key} is damaged: its SHA-256 is not that of its manifest"
                )
            path.chmod(0o444)
            self._make_room(path.stat().st_size)
            path.replace(kept)

    def _make_room(self, size: int) -> None:
        kept = []
        for entry in os.scandir(self.cache):
            with suppress(FileNotFoundError):  # cleared by another process
                if entry.is_file():
                    kept.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
        excess = size + sum(length for _, length, _ in kept) - self.cache_bytes
        for _, length, path in sorted(kept):
            if excess <= 0:
                break
            Path(path).unlink(missing_ok=True)
            excess -= length

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
        """Return the artifact; it is made unless it is there.

        Parameters
        ----------
        inputs : mapping of str to str
            Content digests of what goes in.
        settings : JSON-able
            All that changes the output beside the inputs.
        code : str
            Digest of the code that makes it, as `code_digest` returns.
        work : callable
            Writes the files into the folder it is given and returns facts.
        run : str
            The run that would make it, for its manifest.
        """
        key = self.key(stage, name, inputs=inputs, settings=settings, code=code)
        if found := self.find(key):
            return found
        with temporary_folder(stage) as folder:
            facts = work(folder)
            return self.publish(key, folder, inputs=inputs, settings=settings, code=code, facts=facts, run=run)
