"""The layers of each network, and the image sizes it takes. Does not import Keras: settings are checked at once."""

from collections.abc import Iterable
from dataclasses import dataclass

from inclinet.errors import InclinetError

__all__ = ["KERNEL", "MODELS", "Block", "Network", "Residual", "check_fits", "smallest_size"]

KERNEL = 3
"""Side of every convolution kernel (pixels)."""


@dataclass(frozen=True)
class Block:
    """Two 3×3 convolutions, then optional batch normalisation, pooling and optional dropout."""

    filters: int
    pool: int
    normalised: bool = True
    dropout: float = 0.25


@dataclass(frozen=True)
class Network:
    """Convolution blocks followed by dense layers."""

    blocks: tuple[Block, ...]
    dense: tuple[int, ...]


@dataclass(frozen=True)
class Residual:
    """A small residual network (He et al. 2016, CVPR 770), with the mean over the image before the dense layer.

    It sees one gray channel. The size of the image changes its arithmetic, but not its weights.
    """

    stem: int
    """Filters of the first convolution, which is followed by pooling."""
    blocks: tuple[tuple[int, bool], ...]
    """Filters of each block, and whether it halves the image."""
    dense: int
    dropout: float = 0.2


MODELS: dict[str, Network | Residual] = {
    "residual": Residual(
        24, ((32, False), (64, True), (64, False), (96, True), (96, False), (160, True), (160, False)), 64
    ),
    "model4": Network((Block(16, 2, normalised=False), Block(32, 4)), (256, 32, 8)),
    "model5": Network((Block(128, 2, normalised=False), Block(256, 4), Block(256, 4, dropout=0)), (256, 128, 64, 8)),
    "model6": Network((Block(32, 2, normalised=False), Block(64, 4)), (128, 64, 8)),
}
"""The networks by name."""


def smallest_size(name: str) -> int:
    """Return the smallest image side (pixels) that a network takes."""
    network = MODELS[name]
    if isinstance(network, Residual):
        return 2 ** (1 + sum(halves for _, halves in network.blocks))
    size = 1
    for block in reversed(network.blocks):
        size = size * block.pool + 2 * (KERNEL - 1)
    return size


def check_fits(models: Iterable[str], size: int) -> None:
    """Check that the networks exist and take images of `size` pixels a side.

    Raises
    ------
    InclinetError
        When a network does not exist, or the images are too small for it; the message gives the smallest size that
        works.
    """
    for name in models:
        if name not in MODELS:
            raise InclinetError(f"there is no network {name!r}; choose {', '.join(MODELS)}", setting="models")
        smallest = smallest_size(name)
        if size < smallest:
            raise InclinetError(
                f"images of size {size} are too small for {name}: the smallest size that works is {smallest}",
                setting="size",
            )
