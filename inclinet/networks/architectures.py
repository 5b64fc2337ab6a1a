"""The layouts of the networks, and the image sizes they take; no Keras, so that settings are checked at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from inclinet.errors import InclinetError

__all__ = ["KERNEL", "MODELS", "Block", "Network", "check_fits", "smallest_size"]

KERNEL = 3
"""Side of every convolution's kernel in pixels."""


@dataclass(frozen=True)
class Block:
    """Two 3×3 convolutions, then batch normalisation if wanted, pooling and dropout."""

    filters: int
    pool: int
    normalised: bool = True
    dropout: float = 0.25


@dataclass(frozen=True)
class Network:
    """Convolution blocks followed by dense layers."""

    blocks: tuple[Block, ...]
    dense: tuple[int, ...]


MODELS = {
    "model4": Network((Block(16, 2, normalised=False), Block(32, 4)), (256, 32, 8)),
    "model5": Network((Block(128, 2, normalised=False), Block(256, 4), Block(256, 4, dropout=0)), (256, 128, 64, 8)),
    "model6": Network((Block(32, 2, normalised=False), Block(64, 4)), (128, 64, 8)),
}


def smallest_size(name: str) -> int:
    """Return the smallest image side (pixels) that a network takes."""
    size = 1
    for block in reversed(MODELS[name].blocks):
        size = size * block.pool + 2 * (KERNEL - 1)
    return size


def check_fits(models: Iterable[str], size: int) -> None:
    """Check that there are such networks and that they take images of `size` pixels a side.

    Raises
    ------
    InclinetError
        Naming the network, and the smallest size that works.
    """
    for name in models:
        if name not in MODELS:
            raise InclinetError(f"there is no network {name!r} (option --modelName); choose {', '.join(MODELS)}")
        least = smallest_size(name)
        if size < least:
            raise InclinetError(f"--size {size} is too small for {name}: the smallest size that works is {least}")
