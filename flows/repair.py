"""Damaged artifacts: a run that meets one starts over and remakes it, with everything that depends on it."""

from collections.abc import Callable
from typing import TypeVar

from prefect import get_run_logger

from inclinet.storage.artifacts import DamagedArtifactError

__all__ = ["remake_damaged"]

T = TypeVar("T")

_ROUNDS = 4


def remake_damaged(call: Callable[[], T]) -> T:
    """Call until no artifact turns out to be damaged, 4 times at most; return the result.

    Whoever finds the damage removes the artifact's manifest, so the next call makes it again and reuses the rest.

    Raises
    ------
    DamagedArtifactError
        When an artifact is still damaged the fourth time: the artifact store itself is at fault.
    """
    for _ in range(_ROUNDS - 1):
        try:
            return call()
        except DamagedArtifactError as error:
            get_run_logger().warning("%s; making it again", error)
    return call()
