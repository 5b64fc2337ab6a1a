"""How a stage reports its progress without knowing who shows it."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

__all__ = ["Track", "silent"]

T = TypeVar("T")


class Track(Protocol):
    """A function ``track(items, description, total)`` that yields the items, as `rich.progress.track` does."""

    def __call__(self, items: Iterable[T], description: str, total: int) -> Iterable[T]:
        """Yield every item of `items` and show how many of `total` are done."""


def silent(items: Iterable[T], description: str, total: int) -> Iterable[T]:
    """Show nothing: the default of every stage."""
    return items
