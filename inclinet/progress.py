"""How a stage reports its progress without knowing who listens."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

__all__ = ["Track", "silent"]

T = TypeVar("T")


class Track(Protocol):
    """Called as ``track(items, description, total)``; yields the items, as `rich.progress.track` does."""

    def __call__(self, items: Iterable[T], description: str, total: int) -> Iterable[T]:
        """Yield every item of `items`, showing how many of `total` are done."""


def silent(items: Iterable[T], description: str, total: int) -> Iterable[T]:
    """Track nothing: what stages do unless told otherwise."""
    return items
