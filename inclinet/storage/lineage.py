"""Lineage: what an artifact was made of, back to the digests of the images."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from inclinet.storage.artifacts import Artifacts, Reference

__all__ = ["ancestors", "lineage"]

_PARALLEL = 8


def _producers(references: Iterable[Reference]) -> dict[tuple[str, str], str]:
    """Return the key of the artifact that has some content, by its digest: of all of it, of a file, of a chunk.

    Files of the same content are told apart by their names.
    """
    producers: dict[tuple[str, str], str] = {}
    for reference in references:
        parts = [("", digest) for digest in (reference.digest, *reference.facts.get("chunks", {}).values())]
        for part in (*parts, *reference.files.items()):
            producers.setdefault(part, reference.key)
    return producers


def lineage(artifacts: Artifacts, references: Iterable[Reference]) -> dict[str, dict[str, Any]]:
    """Return how each artifact was made, by its key.

    Each entry holds `digest`, `settings`, `code` (digest of the source), the `run` that made it and `inputs`: by name,
    the `digest` of what went in and the key of the `artifact` among `references` that holds it, None for what came
    from outside.
    """
    references = list(references)
    producers = _producers(references)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        manifests = list(pool.map(artifacts.manifest, references))
    return {
        reference.key: {
            "digest": reference.digest,
            "settings": manifest["settings"],
            "code": manifest["code"],
            "run": manifest["run"],
            "inputs": {
                name: {"digest": digest, "artifact": producers.get((name, digest)) or producers.get(("", digest))}
                for name, digest in manifest["inputs"].items()
            },
        }
        for reference, manifest in zip(references, manifests, strict=True)
    }


def ancestors(made: Mapping[str, Mapping[str, Any]], key: str) -> list[str]:
    """Return the keys of all artifacts that one was made of, by the result of `lineage`, nearest first."""
    found: dict[str, None] = {}
    todo = [key]
    while todo:
        parents = {entry["artifact"] for one in todo for entry in made[one]["inputs"].values() if entry["artifact"]}
        todo = sorted(parents - found.keys() - {key})
        found |= dict.fromkeys(todo)
    return list(found)
