"""Runs that meet a damaged artifact go round again: it is made anew with all that depends on it."""

from collections.abc import Callable
from typing import TypeVar

from prefect import get_run_logger

from inclinet.storage.artifacts import DamagedArtifactError

__all__ = ["remake_damaged"]

T = TypeVar("T")

_ROUNDS = 4


def remake_damaged(call: Callable[[], T]) -> T:
    """Call, and again when an artifact turns out to be damaged: it is made again with all that depends on it."""
    for _ in range(_ROUNDS - 1):
        try:
            return call()
        except DamagedArtifactError as error:
            get_run_logger().warning("%s: made again", error)
    return call()
