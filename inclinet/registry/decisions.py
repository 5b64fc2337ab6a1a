"""Decisions about versions: whether each was promoted, and why. They are kept in `registry/decisions/` of the store."""

from datetime import datetime

from pydantic import ValidationError

from inclinet.records import Record
from inclinet.registry.compare import Comparison
from inclinet.registry.versions import REGISTRY
from inclinet.settings import Retrain
from inclinet.storage.store import Store, check_key

__all__ = ["Decision", "read_decision", "record_decision"]


class Decision(Record):
    """Whether a challenger was promoted, when, why and by which rules; `champion` was in use before, None if none."""

    challenger: str
    champion: str | None
    promoted: bool
    why: str
    when: datetime
    comparison: Comparison | None = None
    rules: Retrain | None = None


def _key(version: str) -> str:
    return check_key(f"{REGISTRY}/decisions/{version}.json")


def record_decision(store: Store, decision: Decision) -> None:
    """Write the decision about a challenger; a later decision replaces it."""
    store.write(_key(decision.challenger), decision.model_dump_json(indent=1).encode())


def read_decision(store: Store, version: str) -> Decision | None:
    """Return the decision about a version, None if there is none that can be read."""
    try:
        return Decision.model_validate_json(store.read(_key(version)))
    except (FileNotFoundError, ValidationError):
        return None
