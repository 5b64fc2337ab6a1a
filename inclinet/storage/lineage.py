"""Lineage: what an artifact was made from, back to the digests of the images."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from inclinet.storage.artifacts import Artifacts, Reference

__all__ = ["ancestors", "lineage"]

_PARALLEL = 8


def lineage(artifacts: Artifacts, references: Iterable[Reference]) -> dict[str, dict[str, Any]]:
    """Return how each artifact was made, by its key.

    Each entry holds `digest`, `settings`, `code` (its digest), the `run` that made it, and `inputs`: by name, the
    `digest` of the input and the key of the `artifact` among `references` that holds it, None for an input from
    elsewhere.

    Raises
    ------
    DamagedArtifactError
        When a manifest is missing or damaged.
    """
    references = list(references)
    producers = _producers(references)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        manifests = list(pool.map(artifacts.manifest, references))
    return {
        reference.key: {
            "digest": reference.digest,
            "settings": manifest.settings,
            "code": manifest.code,
            "run": manifest.run,
            "inputs": {
                name: {"digest": digest, "artifact": producers.get((name, digest)) or producers.get(("", digest))}
                for name, digest in manifest.inputs.items()
            },
        }
        for reference, manifest in zip(references, manifests, strict=True)
    }


def ancestors(made: Mapping[str, Mapping[str, Any]], key: str) -> list[str]:
    """Return the keys of all artifacts that one was made from, nearest first; `made` is the result of `lineage`."""
    found: dict[str, None] = {}
    todo = [key]
    while todo:
        parents = {entry["artifact"] for one in todo for entry in made[one]["inputs"].values() if entry["artifact"]}
        todo = sorted(parents - found.keys() - {key})
        found |= dict.fromkeys(todo)
    return list(found)


def _producers(references: Iterable[Reference]) -> dict[tuple[str, str], str]:
    """Return the key of the artifact that holds some content, by (name, digest).

    The content is a file with its name, so that files of the same content are told apart, or under an empty name the
    whole artifact or one of the chunks that its facts list.
    """
    producers: dict[tuple[str, str], str] = {}
    for reference in references:
        parts = [("", digest) for digest in (reference.digest, *reference.facts.get("chunks", {}).values())]
        for part in (*parts, *reference.files.items()):
            producers.setdefault(part, reference.key)
    return producers
