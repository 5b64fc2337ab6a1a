"""What an upgrade changes of a deployment or an automation, and what a person has set and keeps.

It is a three-way merge of values by path. Compared are what the project wants now, what the server has, and what the
project wanted the last time. Of the last, the digests are enough.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from inclinet.storage.digests import json_digest

__all__ = ["MISSING", "Merge", "Path", "describe", "digests_of", "merge", "report"]

Path = tuple[str, ...]
"""Where a value is, such as `("parameters", "size")`."""

MISSING = "nothing"
"""Stands for a value that is not there; no value is equal to it, because it is compared by identity."""

_NAMES = {"parameters": "parameter", "job_variables": "job variable", "tags": "tag", "schedules": "schedule"}
_SHOWN = 40  # characters of a value in a report


@dataclass
class Merge:
    """The values to have, and how they came about.

    Attributes
    ----------
    values
        Values by path.
    kept
        Paths of what a person has set, where the project wants something else.
    changed
        Old and new value by path of what the project changes.
    """

    values: dict[Path, Any] = field(default_factory=dict)
    kept: list[Path] = field(default_factory=list)
    changed: dict[Path, tuple[Any, Any]] = field(default_factory=dict)


def digests_of(values: Mapping[Path, Any]) -> dict[str, str]:
    """Return a short digest of each value, by its path as text."""
    return {"/".join(path): json_digest(value)[:8] for path, value in values.items()}


def merge(
    wanted: Mapping[Path, Any],
    found: Mapping[Path, Any],
    before: Mapping[str, str] | None,
    decided: Set[Path] = frozenset(),
) -> Merge:
    """Merge what the project wants into what the server has.

    A value that a person has changed, added or removed since the last time stays so. Every other one becomes what the
    project wants.

    Parameters
    ----------
    wanted, found
        Values by path: of the project, and of the server.
    before
        What `digests_of` gave for `wanted` the last time; None if there was none. Then whatever differs counts as
        changed by a person.
    decided
        Paths of `wanted` that a person has decided, too: they win if they have changed since the last time.
    """
    result = Merge()
    now, there = digests_of(wanted), digests_of(found)
    for path in dict.fromkeys([*wanted, *found]):
        key = "/".join(path)
        new, old = wanted.get(path, MISSING), found.get(path, MISSING)
        if before is None:
            by_person = old is not MISSING
        else:
            by_person = there.get(key) != before.get(key)
            if path in decided and now.get(key) != before.get(key):
                by_person = False
        value = old if by_person else new
        if value is not MISSING:
            result.values[path] = value
        if now.get(key) == there.get(key):
            continue
        if by_person:
            result.kept.append(path)
        else:
            result.changed[path] = (old, new)
    return result


def describe(path: Path, change: tuple[Any, Any] | None = None) -> str:
    """Return what a person calls a value, with its change if that is short and can be no secret."""
    kind, *rest = path
    name = " ".join([_NAMES.get(kind, kind.replace("_", " ")), *(part for part in rest if part != "schedule")])
    if change is None or kind in ("job_variables", "tags", "description"):
        return name
    shown = [value if value is MISSING else repr(value) for value in change]
    return f"{name} {shown[0]} → {shown[1]}" if max(map(len, shown)) <= _SHOWN else name


def report(name: str, merged: Merge) -> str | None:
    """Return a line that says what was changed of something and what was kept; None if there is nothing to say."""
    parts = []
    if merged.changed:
        parts.append("changed " + ", ".join(describe(path, change) for path, change in merged.changed.items()))
    if merged.kept:
        parts.append("kept as set on the server: " + ", ".join(map(describe, merged.kept)))
    return f"{name}: {'; '.join(parts)}" if parts else None
