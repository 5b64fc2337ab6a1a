"""The trained networks in a folder."""

import logging
from collections.abc import Collection
from pathlib import Path

from inclinet.data.columns import network_name
from inclinet.errors import InclinetError
from inclinet.networks.filenames import network_file, parse_network

__all__ = ["list_networks", "name_of_network"]

logger = logging.getLogger(__name__)


def list_networks(folder: Path, files: Collection[str] | None = None) -> list[Path]:
    """Return the files of the trained networks in a folder (all, or those named `files`), by name.

    Other `.keras` files are left out, with a warning: their names do not tell model and subsample.

    Raises
    ------
    InclinetError
        When there is no network.
    """
    paths = sorted(folder.glob("*.keras")) if folder.is_dir() else []
    if files is not None:
        paths = [path for path in paths if path.name in files]
    networks = [path for path in paths if parse_network(path.name)]
    for path in paths:
        if path not in networks:
            logger.warning(
                "%s: left out, its name is not that of a network such as %s", path, network_file(0, "model4")
            )
    if not networks:
        raise InclinetError(
            f"{folder}: no network such as {network_file(0, 'model4')}; run `inclinet train` first", setting="models"
        )
    return networks


def name_of_network(file: str) -> str:
    """Return the name of a network, such as `model4_0`, from the name of its file.

    Raises
    ------
    ValueError
        When it is not the file of a network.
    """
    parsed = parse_network(file)
    if parsed is None:
        raise ValueError(f"{file}: not the file of a network")
    return network_name(*parsed)
