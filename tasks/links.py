"""Links to files of the artifact store, for pages that people read in a browser."""

from datetime import UTC, datetime, timedelta

from inclinet.storage.store import LINK_DAYS
from tasks.common import artifacts

__all__ = ["link", "links_end", "place"]


def place(key: str) -> str:
    """Return the address of a file or folder of the store, as text."""
    return f"{artifacts().store.uri}/{key}"


def link(text: str, key: str) -> str:
    """Return a link in Markdown (`text`, too) to a file of the store, or its address where no link would open."""
    address = artifacts().store.link(key)
    return f"[{text}]({address})" if address else f"{text}: `{place(key)}`"


def links_end() -> str:
    """Return a sentence that says until when links open, empty if there are none."""
    if artifacts().store.link("README") is None:
        return ""
    return f"Links open until {datetime.now(UTC) + timedelta(days=LINK_DAYS):%-d %B %Y}."
