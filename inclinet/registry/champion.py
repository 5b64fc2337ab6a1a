"""The version in use, the champion: `registry/champion.json` in the store names it."""

import logging
from datetime import UTC, datetime

from pydantic import ValidationError

from inclinet.errors import InclinetError
from inclinet.records import Record
from inclinet.registry.versions import REGISTRY, find_version
from inclinet.storage.store import Store

__all__ = ["Champion", "promote", "read_champion"]

logger = logging.getLogger(__name__)

_CHAMPION_KEY = f"{REGISTRY}/champion.json"


class Champion(Record):
    """Which version is in use, since when and why, and which one was in use before."""

    version: str
    since: datetime
    why: str
    previous: str | None = None


def read_champion(store: Store) -> Champion | None:
    """Return which version is in use, None if none is.

    Raises
    ------
    InclinetError
        When the file is damaged.
    """
    try:
        return Champion.model_validate_json(store.read(_CHAMPION_KEY))
    except FileNotFoundError:
        return None
    except ValidationError:
        raise InclinetError(
            f"{store.uri}/{_CHAMPION_KEY} is damaged; put a version into use with `inclinet promote VERSION`"
        ) from None


def promote(store: Store, version: str, why: str) -> Champion:
    """Put a version into use; return the champion. Nothing changes if it is in use already.

    Raises
    ------
    InclinetError
        When there is no such version.
    """
    published = find_version(store, version)
    try:
        before = read_champion(store)
    except InclinetError as error:
        logger.warning("%s", error)
        before = None
    if before and before.version == version:
        return before
    now = datetime.now(UTC).replace(microsecond=0)
    champion = Champion(version=published.version, since=now, why=why, previous=before.version if before else None)
    store.write(_CHAMPION_KEY, champion.model_dump_json(indent=1).encode())
    return champion
