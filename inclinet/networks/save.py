"""Save a trained network; `inclinet.networks.infer` loads it."""

import json
import re
import zipfile
from pathlib import Path

import keras

from inclinet.storage.atomic import atomic_file

__all__ = ["save_network"]


def save_network(network: keras.Model, path: Path) -> Path:
    """Save a network in one file (`.keras`), which `keras.models.load_model` reads; returns `path`.

    The same network gives the same bytes.
    """
    with atomic_file(path) as part:
        # Keras insists on the suffix .keras, which the temporary file has too.
        network.save(part)
        _make_reproducible(part)
    return path


def _make_reproducible(path: Path) -> None:
    """Remove what differs between processes: dates, and memory addresses used as numbers of shared objects."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"]) | {"date_saved": ""}
    members["metadata.json"] = json.dumps(metadata).encode()
    numbers: dict[bytes, int] = {}
    members["config.json"] = re.sub(
        rb'(?<="shared_object_id": )\d+',
        lambda match: b"%d" % numbers.setdefault(match[0], len(numbers) + 1),
        members["config.json"],
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
